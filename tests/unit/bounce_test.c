// SPDX-License-Identifier: BSD-2-Clause
/* bounce_test.c - Reports of delivery as RFC 3464, 6522 and 6533 have them, whatever others said. */
#include "table.h"

#include "bounce.h"
#include "message.h"

#include <stdlib.h>

static struct buf out;

static struct bounce_recipient failed(const char *address, int code, const char *enhanced, const char *text)
{
    return (struct bounce_recipient){.action = BOUNCE_FAILED,
                                     .address = span_of(address),
                                     .answer = verdict_make(code, enhanced, "%s", text),
                                     .remote = SPAN("mx.dest.test"),
                                     .heard = true};
}

static struct bounce_input input(const struct bounce_recipient *recipients, size_t count)
{
    return (struct bounce_input){.hostname = "mail.club.test",
                                 .from_domain = "club.test",
                                 .id = "0000000000001a2b",
                                 .to = SPAN("a@club.test"),
                                 .header = SPAN("From: <a@club.test>\r\nSubject: x\r\n"),
                                 .body = SPAN("Hello\r\n"),
                                 .arrived_ms = INT64_C(1700000000000),
                                 .now_ms = INT64_C(1700000100000),
                                 .expires_ms = INT64_C(1700000200000),
                                 .recipients = recipients,
                                 .count = count};
}

static void write(const struct bounce_input *in)
{
    buf_fini(&out);
    buf_init(&out, 1024 * 1024);
    assert_true(bounce_write(in, &out));
}

static bool holds(const char *text)
{
    return span_search(buf_span(&out), span_of(text)) < out.len;
}

static size_t times(const char *text)
{
    size_t count = 0;
    struct span rest = buf_span(&out);
    for (size_t at; (at = span_search(rest, span_of(text))) < rest.len; count++)
        rest = span_from(rest, at + strlen(text));
    return count;
}

/* The n-th part (from 0), with its header; empty: there is none. */
static struct span part(size_t nth)
{
    struct span rest = buf_span(&out);
    static const char mark[] = "\r\n--0000000000001a2b=_report";
    for (size_t i = 0; i <= nth; i++) {
        size_t at = span_search(rest, span_of(mark));
        rest = span_from(rest, at + sizeof(mark) - 1);
    }
    return span_first(rest, span_search(rest, span_of(mark)));
}

static bool part_holds(size_t nth, const char *text)
{
    struct span p = part(nth);
    return span_search(p, span_of(text)) < p.len;
}

/* Lines of CRLF and of 998 octets at most (RFC 5322 section 2.1.1), three parts and an end. */
static void expect_form(const char *label)
{
    struct span rest = buf_span(&out);
    size_t header_len = 0;
    struct message_summary summary;
    EXPECT(message_header_length(rest, &header_len), label);
    EXPECT(message_check(span_first(rest, header_len), true, &summary).what == VERDICT_ACCEPT, label);
    while (rest.len > 0) {
        struct span line = span_take(&rest, '\n');
        EXPECT(line.len > 0 && line.len <= 999 && line.ptr[line.len - 1] == '\r', label);
        EXPECT(span_find(span_first(line, line.len - 1), '\r') == line.len - 1, label);
    }
    EXPECT(times("\r\n--0000000000001a2b=_report\r\n") == 3, label);
    EXPECT(span_ends_nocase(buf_span(&out), SPAN("\r\n--0000000000001a2b=_report--\r\n")), label);
}

static void xtext(void **state)
{
    static const struct {
        const char *xtext, *text; /* text NULL: it is none */
    } rows[] = {{"", ""},       {"abc", "abc"},     {"a+2Bb", "a+b"},  {"+3D+2B", "=+"}, {"a+41", "aA"},
                {"+0D+0A", "??"}, {"+7F+E9", "??"}, {"a=b", NULL},     {"a b", NULL},    {"+2b", NULL},
                {"+4", NULL},   {"+", NULL},        {"a+", NULL},      {"+G0", NULL},    {"\x7f", NULL},
                {"\xc3\xbc", NULL}, {"+ 1", NULL},  {"+00", "?"}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf text;
        buf_init(&text, 100);
        bool ok = bounce_xtext_decode(span_of(rows[i].xtext), &text);
        EXPECT(ok == (rows[i].text != NULL), rows[i].xtext);
        EXPECT(!ok || span_equal(buf_span(&text), span_of(rows[i].text)), rows[i].xtext);
        buf_fini(&text);
        buf_init(&text, 0); /* what does not fit is no answer either */
        EXPECT(bounce_xtext_decode(span_of(rows[i].xtext), &text) == (rows[i].xtext[0] == '\0'), rows[i].xtext);
        buf_fini(&text);
    }
}

/* RFC 3464 section 2.3.3 and 2.3.4: the status says the same as the action. */
static void status_by_action(void **state)
{
    static const struct {
        enum bounce_action action;
        int code;
        const char *enhanced, *says, *status;
    } rows[] = {{BOUNCE_FAILED, 550, "5.1.1", "failed", "5.1.1"},  {BOUNCE_FAILED, 550, "", "failed", "5.0.0"},
                {BOUNCE_FAILED, 451, "", "failed", "4.4.7"},       {BOUNCE_FAILED, 452, "4.2.2", "failed", "4.2.2"},
                {BOUNCE_DELAYED, 451, "", "delayed", "4.0.0"},     {BOUNCE_DELAYED, 451, "4.4.2", "delayed", "4.4.2"},
                {BOUNCE_RELAYED, 250, "", "relayed", "2.0.0"},     {BOUNCE_RELAYED, 250, "2.1.5", "relayed", "2.1.5"}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char text[100];
        struct bounce_recipient r = failed("b@dest.test", rows[i].code, rows[i].enhanced, "what it said");
        r.action = rows[i].action;
        const struct bounce_input in = input(&r, 1);
        write(&in);
        snprintf(text, sizeof(text), "Action: %s\r\nStatus: %s\r\n", rows[i].says, rows[i].status);
        EXPECT(part_holds(1, text), text);
        EXPECT(part_holds(1, "Will-Retry-Until: ") == (rows[i].action == BOUNCE_DELAYED), text);
        expect_form(text);
    }
}

static void what_each_part_says(void **state)
{
    struct bounce_recipient r = failed("b@dest.test", 550, "5.1.1", "No such user");
    struct bounce_input in = input(&r, 1);
    (void)state;
    r.original = SPAN("rfc822;B+2Bx@old.test");
    in.envelope_id = SPAN("id+3D7");
    write(&in);
    expect_form("plain");
    assert_true(holds("Content-Type: multipart/report; report-type=delivery-status;"));
    assert_true(holds("\r\nAuto-Submitted: auto-replied\r\n") && holds("\r\nTo: <a@club.test>\r\n"));
    assert_true(part_holds(0, "text/plain") && part_holds(0, "<b@dest.test>") && part_holds(0, "550 5.1.1"));
    assert_true(part_holds(0, "    No such user\r\n"));
    assert_true(part_holds(1, "Content-Type: message/delivery-status\r\n"));
    assert_true(part_holds(1, "Reporting-MTA: dns; mail.club.test\r\n"));
    assert_true(part_holds(1, "Original-Envelope-Id: id=7\r\n"));
    assert_true(part_holds(1, "\r\n\r\nOriginal-Recipient: rfc822; B+x@old.test\r\nFinal-Recipient: rfc822; b@dest.test\r\n"));
    assert_true(part_holds(1, "Remote-MTA: dns; mx.dest.test\r\nDiagnostic-Code: smtp; 550 5.1.1\r\n\tNo such user\r\n"));
    assert_true(part_holds(2, "Content-Type: text/rfc822-headers\r\n") && part_holds(2, "Subject: x\r\n"));
    assert_false(holds("Hello"));
    in.full = true;
    write(&in);
    expect_form("full");
    assert_true(part_holds(2, "Content-Type: message/rfc822\r\n") && part_holds(2, "@mail.club.test>\r\n\r\nHello\r\n"));
    assert_false(holds("8bit"));
}

/* The kind: what a person needs to know stands only in what one server has said to another. */
static void it_is_said_in_plain_words_first(void **state)
{
    (void)state;
    for (enum reply_category c = REPLY_UNKNOWN; c < REPLY_CATEGORIES; c++) {
        struct bounce_recipient r = failed("b@dest.test", 550, "5.1.1", "said by a server");
        const struct bounce_input in = input(&r, 1);
        r.meant = c;
        write(&in);
        struct span text = part(0);
        size_t about = span_search(text, SPAN("<b@dest.test>\r\n    "));
        size_t said = span_search(text, SPAN("    The server mx.dest.test answered:\r\n    550 5.1.1\r\n    said by a server\r\n"));
        EXPECT(said < text.len, reply_category_name(c));
        EXPECT((about + strlen("<b@dest.test>\r\n") < said) == (c != REPLY_UNKNOWN), reply_category_name(c));
        expect_form(reply_category_name(c));
    }
    static const struct {
        const char *enhanced, *plain;
        bool heard;
    } rows[] = {{"4.4.1", "did not answer", false}, {"4.4.2", "broke off", false}, {"4.4.3", "could not be found out", false},
                {"4.4.1", NULL, true}, {"4.7.5", NULL, false}, {"", NULL, false}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct bounce_recipient r = failed("b@dest.test", 451, rows[i].enhanced, "connect to mx port 25: timed out");
        const struct bounce_input of = input(&r, 1);
        r.heard = rows[i].heard;
        write(&of);
        EXPECT(!rows[i].plain || part_holds(0, rows[i].plain), rows[i].enhanced);
        EXPECT(rows[i].plain || !part_holds(0, "<b@dest.test>\r\n    The recipient's"), rows[i].enhanced);
    }
    struct bounce_recipient late = failed("b@dest.test", 451, "4.2.1", "later");
    const struct bounce_input in = input(&late, 1);
    write(&in);
    assert_true(part_holds(0, "It was tried until its time was over."));
}

/* The kind: whoever sends without a Message-ID cannot tell which message it is that has come back. */
static void the_original_has_what_it_left_with(void **state)
{
    struct bounce_recipient r = failed("b@dest.test", 550, "5.1.1", "No such user");
    struct bounce_input in = input(&r, 1);
    (void)state;
    for (int full = 0; full < 2; full++) {
        in.full = full;
        in.header = SPAN("From: <a@club.test>\r\nSubject: x\r\n");
        write(&in);
        assert_true(part_holds(2, "Subject: x\r\nDate: Tue, 14 Nov 2023 22:13:20 +0000\r\n"
                                  "Message-ID: <0000000000001a2b@mail.club.test>\r\n"));
        expect_form("without both");
        in.header = SPAN("message-id: <own@club.test>\r\nSubject: x\r\n");
        write(&in);
        assert_true(part_holds(2, "Date: ") && !part_holds(2, "1a2b@mail"));
        in.header = SPAN("Date: today\r\nSubject: x\r\n");
        write(&in);
        assert_true(part_holds(2, "Message-ID: <0000000000001a2b@mail.club.test>\r\n") && !part_holds(2, "2023"));
        in.header = SPAN_NONE; /* it could not be read */
        write(&in);
        assert_false(part_holds(2, "Date: ") || part_holds(2, "Message-ID: "));
    }
}

/* What is ours is not said to be a server's. */
static void whose_answer_it_is(void **state)
{
    struct bounce_recipient r = failed("b@dest.test", 451, "4.4.1", "connection timed out");
    const struct bounce_input in = input(&r, 1);
    (void)state;
    r.heard = false;
    write(&in);
    assert_true(part_holds(0, "While talking to mx.dest.test:"));
    assert_false(holds("Remote-MTA") || holds("Diagnostic-Code") || holds("answered:"));
    r.remote = SPAN_NONE;
    write(&in);
    assert_false(holds("talking") || holds("Remote-MTA"));
    r.answer.text[0] = '\0';
    r.heard = true;
    r.remote = SPAN("mx.dest.test");
    write(&in); /* a folded line is never blank (RFC 5322 section 3.2.2) */
    assert_true(part_holds(1, "\r\n\t(no text)\r\n"));
    expect_form("no text");
}

/* RFC 6533: only where there is something that is not ASCII. */
static void utf8_takes_other_types(void **state)
{
    struct bounce_recipient r = failed("b\xc3\xbc@dest.test", 550, "5.1.1", "No such user");
    struct bounce_input in = input(&r, 1);
    (void)state;
    write(&in);
    expect_form("UTF-8");
    assert_true(part_holds(1, "Content-Type: message/global-delivery-status\r\n"));
    assert_true(part_holds(1, "Final-Recipient: utf-8; b\xc3\xbc@dest.test\r\n"));
    assert_true(part_holds(2, "Content-Type: message/global-headers\r\n"));
    assert_true(span_is_ascii(span_first(buf_span(&out), span_search(buf_span(&out), SPAN("\r\n\r\n")))));
    in.full = true;
    write(&in);
    assert_true(part_holds(2, "Content-Type: message/global\r\n"));
    r.address = SPAN("b@dest.test");
    in.body = SPAN("Gr\xc3\xbc\xc3\x9f" "e\r\n");
    write(&in); /* 8-bit content is no UTF-8 header */
    assert_true(part_holds(2, "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n"));
    assert_true(holds("boundary=\"0000000000001a2b=_report\"\r\nContent-Transfer-Encoding: 8bit\r\n"));
    expect_form("8-bit body");
}

/* The longest that SMTP lets each be, and more. */
static void the_longest_of_everything(void **state)
{
    static char address[320], remote[600], original[600], text[500];
    struct bounce_recipient all[3];
    (void)state;
    memset(address, 'a', 318);
    memcpy(address + 60, "@dest.test", 10);
    memset(remote, 'm', sizeof(remote) - 1);
    memset(text, 't', sizeof(text) - 1);
    memset(original, 'o', 500);
    memcpy(original, "rfc822;", 7);
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        all[i] = failed(address, 550, "5.1.1", text);
        all[i].remote = span_of(remote);
        all[i].original = span_of(original);
    }
    all[2].original = SPAN("rfc822;not=xtext");
    const struct bounce_input in = input(all, COUNT_OF(all));
    write(&in);
    expect_form("long");
    assert_int_equal(times("Final-Recipient:"), 3);
    assert_true(part_holds(1, "Original-Recipient: rfc822; not?") || part_holds(1, "Original-Recipient: rfc822; ?"));
    for (size_t limit = 0; limit < out.len; limit += 997) { /* without room it says so */
        struct buf small;
        buf_init(&small, limit);
        assert_false(bounce_write(&in, &small));
        buf_fini(&small);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(xtext),
        cmocka_unit_test(status_by_action),
        cmocka_unit_test(what_each_part_says),
        cmocka_unit_test(it_is_said_in_plain_words_first),
        cmocka_unit_test(the_original_has_what_it_left_with),
        cmocka_unit_test(whose_answer_it_is),
        cmocka_unit_test(utf8_takes_other_types),
        cmocka_unit_test(the_longest_of_everything),
    };
    int result = cmocka_run_group_tests(tests, NULL, NULL);
    buf_fini(&out);
    return result;
}
