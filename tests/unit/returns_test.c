// SPDX-License-Identifier: BSD-2-Clause
/* returns_test.c - Reports are read wherever they stand in a message, with any line ends, and never in an attached one; what kind a
 * message is, in which order that is judged; what follows. The messages of public collections: returns_public_test.c. */
#include "table.h"

#include "buf.h"
#include "returns.h"
#include "returns_charset.h"
#include "returns_html.h"
#include "returns_phrases.h"
#include "returns_texts.h"

#include <stdio.h>
#include <stdlib.h>

#define REPORT                                                                                       \
    "Reporting-MTA: dns; mx.example\n\nOriginal-Recipient: rfc822;First@club.example\n"              \
    "Final-Recipient: rfc822; other@club.example\nAction: failed\nStatus: 5.0.0 (no)\n"              \
    "Diagnostic-Code: smtp;\n 550 5.1.1 <other@club.example>:\n User unknown\n\n"                    \
    "Final-Recipient: rfc822; second@club.example\nAction: delayed\nStatus: 4.4.1\n"
#define MULTIPART "Content-Type: multipart/mixed; boundary=\"b\"\n\n--b\n\nhello\n--b\n"
#define DAEMON "Return-Path: <>\nFrom: MAILER-DAEMON@mx.example\nTo: us@club.example\nSubject: Returned mail\n\n"
#define UNKNOWN "<user@far.example>: 550 5.1.1 User unknown\n"

static struct returns_reading *r;

/* The text with its LF written as `end`. */
static void read_with(const char *text, const char *end)
{
    struct buf b;
    buf_init(&b, 512 * 1024);
    for (; *text; text++)
        buf_add(&b, *text == '\n' ? span_of(end) : (struct span){text, 1});
    char *copy = malloc(b.len + 1); /* so that AddressSanitizer sees whoever looks further */
    if (b.len > 0)
        memcpy(copy, b.ptr, b.len);
    assert_true(returns_read((struct span){copy, b.len}, RETURNS_SENDER_UNSAID, r));
    free(copy);
    buf_fini(&b);
}

static void wherever_it_stands(void **state)
{
    static const char *const messages[] = {
        MULTIPART "Content-Type: message/delivery-status\n\n" REPORT "\n--b--\n",
        MULTIPART "Content-Type: message/global-delivery-status; charset=utf-8\n\n" REPORT "\n--b--\n",
        "Content-Type: message/delivery-status\n\n" REPORT,
        "From someone Mon Jun 22 08:00:00 2026\nContent-Type: message/delivery-status\n\n" REPORT,
    };
    static const char *const ends[] = {"\n", "\r\n", "\r"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(messages) * COUNT_OF(ends) - 1; i++) { /* no mailbox file has CR */
        struct returns_judgement judged;
        read_with(messages[i / COUNT_OF(ends)], ends[i % COUNT_OF(ends)]);
        assert_int_equal(r->kind, RETURNS_DSN_FAILED);
        assert_false(r->more);
        assert_int_equal(r->recipient_count, 2);
        assert_string_equal(r->recipients[0].address, "First@club.example");
        assert_string_equal(r->recipients[0].final, "other@club.example");
        assert_int_equal(r->recipients[0].action, RETURNS_ACTION_FAILED);
        assert_string_equal(r->recipients[0].status, "5.0.0");
        assert_string_equal(r->recipients[0].reply, "550 5.1.1 <other@club.example>: User unknown");
        assert_true(returns_judge(r, 0, &judged));
        assert_int_equal(judged.reply.category, REPLY_MAILBOX_UNKNOWN);
        assert_int_equal(judged.suppress_after, 2); /* it went on to somebody else */
        assert_string_equal(r->recipients[1].address, "second@club.example");
        assert_int_equal(r->recipients[1].action, RETURNS_ACTION_DELAYED);
        assert_false(returns_judge(r, 1, &judged));
        assert_int_equal(returns_follows(r, 1), RETURNS_FOLLOWS_WAIT);
    }
}

static void never_in_an_attached_message(void **state)
{
    (void)state;
    read_with(MULTIPART "Content-Type: message/rfc822\n\nContent-Type: message/delivery-status\n\n" REPORT "\n--b--\n", "\n");
    assert_int_equal(r->kind, RETURNS_HUMAN);
    assert_int_equal(r->recipient_count, 0);
    read_with("Content-Type: text/plain\n\n" REPORT, "\n");
    assert_int_equal(r->recipient_count, 0);
    read_with("", "\n");
    assert_int_equal(r->recipient_count, 0);
}

static void bounded(void **state)
{
    struct buf b;
    (void)state;
    buf_init(&b, 1024 * 1024);
    buf_add(&b, SPAN("Content-Type: message/delivery-status\n\n"));
    for (int i = 0; i < 100; i++)
        buf_addf(&b, "Final-Recipient: rfc822; u%d@club.example\nAction: failed\n\n", i);
    assert_true(returns_read(buf_span(&b), RETURNS_SENDER_UNSAID, r));
    assert_int_equal(r->recipient_count, RETURNS_RECIPIENTS_MAX);
    assert_true(r->more);
    buf_clear(&b);
    buf_add(&b, SPAN(DAEMON));
    for (int i = 0; i < 5000; i++)
        buf_addf(&b, "<u%d@club.example>: 550 User unknown\n", i);
    assert_true(returns_read(buf_span(&b), RETURNS_SENDER_UNSAID, r));
    assert_int_equal(r->recipient_count, RETURNS_RECIPIENTS_MAX);
    assert_true(r->more);
    buf_clear(&b);
    buf_add(&b, SPAN("Content-Type: multipart/report; boundary=b\n\n"));
    for (int i = 0; i < 30; i++)
        buf_add(&b, SPAN("--b\nContent-Type: message/delivery-status\n\nFinal-Recipient: x; a@b.example\nAction: failed\n\n"));
    assert_true(returns_read(buf_span(&b), RETURNS_SENDER_UNSAID, r));
    assert_int_equal(r->recipient_count, RETURNS_PARTS_MAX);
    assert_true(r->more);
    buf_fini(&b);
}

/* What the envelope says counts before what the message says: there it is added by whoever took it last. */
static void the_envelope_says_who_has_sent_it(void **state)
{
    static const struct {
        const char *path;
        enum returns_sender sender;
        enum returns_kind kind;
    } cases[] = {{"", RETURNS_SENDER_NULL, RETURNS_BOUNCE_NONSTANDARD},
                 {"", RETURNS_SENDER_SOMEBODY, RETURNS_HUMAN},
                 {"", RETURNS_SENDER_UNSAID, RETURNS_HUMAN},
                 {"Return-Path: <>\n", RETURNS_SENDER_UNSAID, RETURNS_BOUNCE_NONSTANDARD},
                 {"Return-Path: <>\n", RETURNS_SENDER_SOMEBODY, RETURNS_HUMAN},
                 {"Return-Path: <joe@far.example>\n", RETURNS_SENDER_NULL, RETURNS_BOUNCE_NONSTANDARD}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char message[1000];
        snprintf(message, sizeof(message),
                 "%sFrom: system@far.example\nTo: us@club.example\nSubject: Your message\n\nYour message could not be delivered.\n"
                 "<joe@far.example>: 550 5.1.1 user unknown\n", cases[i].path);
        assert_true(returns_read(span_of(message), cases[i].sender, r));
        assert_int_equal(r->kind, cases[i].kind);
        assert_int_equal(r->recipient_count, cases[i].kind == RETURNS_BOUNCE_NONSTANDARD);
    }
}

/* Dovecot's vacation, from the null sender as its answers are: whatever it says, nobody is suppressed for being away. */
static void who_is_away_is_no_bounce(void **state)
{
    static const char message[] = "From: <bob@dest.example>\nTo: <us@club.example>\nSubject: Away\nAuto-Submitted: auto-replied (vacation)\n\n"
                                  "I am away until Monday. 550 5.1.1 No such user: bob@dest.example\n";
    (void)state;
    assert_true(returns_read(span_of(message), RETURNS_SENDER_NULL, r));
    assert_int_equal(r->kind, RETURNS_AUTO_REPLY);
    assert_int_equal(r->recipient_count, 0);
}

/* Each of these once took, or would take, a time that grows with the square of its length. */
static void no_text_is_dear(void **state)
{
    static const char *const pieces[] = {"=?", "=?a?b?", "<", "&", "550 ", "a@", "a@b ", "-", "--b\n", "\n", "<style>", "(", "X: =?utf-8?Q?=41?=\n"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(pieces); i++) {
        struct buf b;
        buf_init(&b, 1024 * 1024);
        buf_addf(&b, "Return-Path: <>\nFrom: MAILER-DAEMON@mx.example\nContent-Type: text/%s; boundary=b\nSubject: ", i % 2 ? "html" : "plain");
        while (b.len < 60 * 1024)
            buf_add(&b, span_of(pieces[i]));
        buf_add(&b, SPAN("\n\n<user@far.example>\n"));
        while (b.len < RETURNS_BYTES_MAX)
            buf_add(&b, span_of(pieces[i]));
        assert_true(returns_read(buf_span(&b), RETURNS_SENDER_UNSAID, r));
        buf_fini(&b);
    }
}

struct kind_case {
    const char *label, *message;
    enum returns_kind kind;
    enum returns_follows follows;
};

#define BESIDE(text, status, more)                                                                    \
    "From: MAILER-DAEMON@mx.example\nContent-Type: multipart/report; boundary=x\n\n--x\n\n" text "\n--x\n" \
    "Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example\n\n"                      \
    "Final-Recipient: rfc822; user@far.example\nAction: failed\nStatus: " status "\n" more "--x--\n"

static void kinds_in_order(void **state)
{
    static const struct kind_case cases[] = {
        {.label = "a bounce in no standard's form",
         .message = DAEMON "It did not work.\n" UNKNOWN,
         .kind = RETURNS_BOUNCE_NONSTANDARD,
         .follows = RETURNS_FOLLOWS_SUPPRESS_LATER},
        {.label = "a bounce that is marked as automatic",
         .message = "Auto-Submitted: auto-replied\nPrecedence: bulk\n" DAEMON UNKNOWN,
         .kind = RETURNS_BOUNCE_NONSTANDARD,
         .follows = RETURNS_FOLLOWS_SUPPRESS_LATER},
        {.label = "a bounce by nobody, marked as an answer",
         .message = "Return-Path: <>\nFrom: <>\nAuto-Submitted: auto-replied\n\n"
                    "You sent mail to user@far.example. That's not a valid user here.\n",
         .kind = RETURNS_BOUNCE_NONSTANDARD,
         .follows = RETURNS_FOLLOWS_SUPPRESS_LATER},
        {.label = "the same by somebody",
         .message = "Return-Path: <>\nFrom: <bob@far.example>\nAuto-Submitted: auto-replied\n\n"
                    "You sent mail to user@far.example. That's not a valid user here.\n",
         .kind = RETURNS_AUTO_REPLY,
         .follows = RETURNS_FOLLOWS_NOTHING},
        {.label = "a report whose reason is in its text only",
         .message = BESIDE("The following address(es) failed:\n\n  user@far.example\n    No such user here\n", "5.0.0", ""),
         .kind = RETURNS_DSN_FAILED,
         .follows = RETURNS_FOLLOWS_SUPPRESS_LATER},
        {.label = "with a status that says as little",
         .message = BESIDE("An error has occurred:\n\nuser@far.example: \"No such user\"\n", "5.3.0", ""),
         .kind = RETURNS_DSN_FAILED,
         .follows = RETURNS_FOLLOWS_SUPPRESS_LATER},
        {.label = "its text is about another",
         .message = BESIDE("The following address(es) failed:\n\n  amy@far.example\n    No such user here\n", "5.0.0", ""),
         .kind = RETURNS_DSN_FAILED,
         .follows = RETURNS_FOLLOWS_KEEP},
        {.label = "its status says why",
         .message = BESIDE("The following address(es) failed:\n\n  user@far.example\n    No such user here\n", "5.2.2", ""),
         .kind = RETURNS_DSN_FAILED,
         .follows = RETURNS_FOLLOWS_KEEP},
        {.label = "its reply says why",
         .message = BESIDE("The following address(es) failed:\n\n  user@far.example\n    No such user here\n", "5.0.0",
                           "Diagnostic-Code: smtp; 552 5.2.2 Mailbox full\n"),
         .kind = RETURNS_DSN_FAILED,
         .follows = RETURNS_FOLLOWS_KEEP},
        {.label = "it will be tried again",
         .message = BESIDE("The following address(es) failed:\n\n  user@far.example\n    No such user here\n", "4.0.0", ""),
         .kind = RETURNS_DSN_FAILED,
         .follows = RETURNS_FOLLOWS_KEEP},
        {.label = "a full mailbox is no reason",
         .message = DAEMON "<user@far.example>: 552 5.2.2 mailbox full\n",
         .kind = RETURNS_BOUNCE_NONSTANDARD,
         .follows = RETURNS_FOLLOWS_KEEP},
        {.label = "it is tried again",
         .message = DAEMON "Delivery has been delayed. It will be retried.\n\nuser@far.example\n",
         .kind = RETURNS_BOUNCE_NONSTANDARD,
         .follows = RETURNS_FOLLOWS_WAIT},
        {.label = "an answer to a bounce",
         .message = "From: help@far.example\nSubject: Re: Returned mail: User unknown\nAuto-Submitted: auto-generated\n\nTicket 4711\n",
         .kind = RETURNS_AUTO_REPLY,
         .follows = RETURNS_FOLLOWS_NOTHING},
        {.label = "somebody is away, by the null sender",
         .message = "Return-Path: <>\nFrom: user@far.example\nSubject: Out of Office: Hello\n\nMy old address does not exist any more.\n",
         .kind = RETURNS_AUTO_REPLY,
         .follows = RETURNS_FOLLOWS_NOTHING},
        {.label = "a mark that says no",
         .message = "From: user@far.example\nSubject: Hello\nAuto-Submitted: no\n\nHello\n",
         .kind = RETURNS_HUMAN,
         .follows = RETURNS_FOLLOWS_READ},
        {.label = "a newsletter with words of a bounce",
         .message = "From: shop@far.example\nSubject: Undeliverable prices\nList-Unsubscribe: <https://far.example>\n\nAn offer.\n",
         .kind = RETURNS_LIST,
         .follows = RETURNS_FOLLOWS_NOTHING},
        {.label = "what a postmaster is told",
         .message = "From: MAILER-DAEMON@mx.example\nSubject: Postfix SMTP server: errors from far.example\n\n Out: 550 5.1.1 User unknown\n",
         .kind = RETURNS_UNKNOWN,
         .follows = RETURNS_FOLLOWS_NOTHING},
        {.label = "a mailbox that throws away",
         .message = "Auto-Submitted: auto-replied (rejected)\nContent-Type: message/disposition-notification\n\n"
                    "Final-Recipient: rfc822; user@far.example\nDisposition: automatic-action/MDN-sent-automatically; deleted\n",
         .kind = RETURNS_MDN,
         .follows = RETURNS_FOLLOWS_KEEP},
        {.label = "a receipt",
         .message = "Content-Type: message/disposition-notification\n\nDisposition: manual-action/MDN-sent-manually; displayed\n",
         .kind = RETURNS_MDN,
         .follows = RETURNS_FOLLOWS_NOTHING},
        {.label = "a complaint",
         .message = "Content-Type: message/feedback-report\n\nFeedback-Type: Abuse\nOriginal-Rcpt-To: <user@far.example>\n",
         .kind = RETURNS_ARF,
         .follows = RETURNS_FOLLOWS_STOP},
        {.label = "a report that it was no complaint",
         .message = "Content-Type: message/feedback-report\n\nFeedback-Type: not-spam\n",
         .kind = RETURNS_ARF,
         .follows = RETURNS_FOLLOWS_NOTHING},
        {.label = "the other address of one who was written to by himself",
         .message = DAEMON "<us@club.example>: 550 5.1.1 User unknown\n",
         .kind = RETURNS_BOUNCE_NONSTANDARD,
         .follows = RETURNS_FOLLOWS_SUPPRESS_LATER},
        {.label = "who writes, is asked first",
         .message = "From: user@far.example\nSubject: Re: Hello\nPrecedence: auto_reply\n\nTo control spam, I only accept mail from friends.\n",
         .kind = RETURNS_CHALLENGE,
         .follows = RETURNS_FOLLOWS_READ},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        read_with(cases[i].message, i % 2 ? "\r\n" : "\n");
        if (r->kind != cases[i].kind || returns_follows_all(r) != cases[i].follows)
            fail_msg("%s: %s, %s", cases[i].label, returns_kind_name(r->kind), returns_follows_name(returns_follows_all(r)));
    }
}

/* A subject that says "automatic answer", as mail programs of each country write it. */
static void subjects_in_charsets(void **state)
{
    static const char *const subjects[] = {
        "=?koi8-r?B?4dfUz8/U18XU?=",           "=?windows-1251?Q?=C0=E2=F2=EE=EE=F2=E2=E5=F2?=",
        "=?iso-8859-5?Q?=B0=D2=E2=DE=DE=E2=D2=D5=E2?=", "=?utf-8?B?0JDQstGC0L7QvtGC0LLQtdGC?=",
        "=?iso-8859-1?Q?R=E9ponse_automatique?=", "=?utf-8*fr?Q?R=C3=A9ponse_?= =?utf-8?Q?automatique?=",
        "=?iso-8859-2?Q?Automatick=E1_odpov=ECd?=", "=?iso-8859-9?Q?Otomatik_yan=FDt?=",
        "=?ISO-2022-JP?B?GyRCPCtGMEpWPy4bKEI=?=", "=?gb2312?B?19S2r7vYuLQ=?=",
        "=?big5?B?ptuwyqZewtA=?=",              "=?shift_jis?B?jqmTrpXUkG0=?=",
        "=?euc-kr?B?wNq1vyDIuL3F?=",            "Automatic=?iso-8859-1?Q?_reply=3A_hello?=",
        "R\xc3\xa9ponse\n automatique"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(subjects); i++) {
        char message[400];
        snprintf(message, sizeof(message), "From: user@far.example\nSubject: %s\n\nHello\n", subjects[i]);
        read_with(message, "\r\n");
        if (r->kind != RETURNS_AUTO_REPLY)
            fail_msg("%s: %s", subjects[i], returns_kind_name(r->kind));
    }
}

static void every_octet_of_every_charset(void **state)
{
    static const char *const names[] = {"iso-8859-1",  "ISO-8859-2",  "iso-8859-5",   "iso-8859-7",   "iso-8859-9",   "iso-8859-10",
                                        "iso-8859-13", "iso-8859-15", "windows-1250", "windows-1251", "Windows-1252", "windows-1253",
                                        "windows-1254", "windows-1257", "koi8-r",      "koi8-u"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++)
        for (int c = 0x80; c <= 0xff; c++) {
            struct buf b;
            char octet = (char)c;
            buf_init(&b, 16);
            returns_to_utf8(span_of(names[i]), (struct span){&octet, 1}, &b);
            assert_true(span_is_utf8(buf_span(&b)) && b.len >= 1);
            buf_fini(&b);
        }
}

static void pages_without_tags(void **state)
{
    struct buf b;
    (void)state;
    buf_init(&b, 1000);
    returns_html_text(SPAN("<html><style>p { }</style><p>a&amp;b &lt;c@d.example&gt;<br>e</p><"), &b);
    assert_string_equal(span_trim(buf_span(&b)).ptr[0] == 'a' ? "" : buf_text(&b), "");
    assert_true(span_search(buf_span(&b), SPAN("a&b <c@d.example>\r\ne")) < b.len);
    assert_int_equal(span_search(buf_span(&b), SPAN("p { }")), b.len);
    buf_fini(&b);
}

/* Each list is there, and has no row that never fits, since what is looked at is folded. */
static void phrases_are_folded(void **state)
{
    (void)state;
    for (int list = 0; list < RETURNS_PHRASE_LISTS; list++)
        assert_false(returns_phrase_in((enum returns_phrases)list, SPAN("")));
    struct buf b;
    buf_init(&b, 64 * 1024);
    struct span rest = returns_texts[RETURNS_TEXT_PHRASES];
    while (rest.len > 0) {
        struct span row = span_take(&rest, '\n');
        if (row.len == 0 || row.ptr[0] == '#' || row.ptr[0] == '[' || span_starts_nocase(row, SPAN("octets ")))
            continue;
        buf_clear(&b);
        returns_fold(row, &b);
        if (!span_equal(buf_span(&b), row))
            fail_msg("%.*s", SPAN_ARG(row));
    }
    buf_fini(&b);
}

static int set_up(void **state)
{
    (void)state;
    r = xcalloc(1, sizeof(*r));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(r);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wherever_it_stands),
        cmocka_unit_test(never_in_an_attached_message),
        cmocka_unit_test(bounded),
        cmocka_unit_test(the_envelope_says_who_has_sent_it),
        cmocka_unit_test(who_is_away_is_no_bounce),
        cmocka_unit_test(no_text_is_dear),
        cmocka_unit_test(kinds_in_order),
        cmocka_unit_test(subjects_in_charsets),
        cmocka_unit_test(every_octet_of_every_charset),
        cmocka_unit_test(pages_without_tags),
        cmocka_unit_test(phrases_are_folded),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
