// SPDX-License-Identifier: BSD-2-Clause
/* reply_test.c - Refusals taken apart: which words of a reply count; patterns; what the stage, the provider and the code make of the
 * same words; what follows. */
#include "table.h"

#include "reply.h"
#include "reply_rules.h"
#include "reply_words.h"

#include <stdlib.h>
#include <time.h>

static const char *words_of(const char *text)
{
    static char line[2 * REPLY_WORDS_BYTES];
    struct reply_words w;
    size_t used = 0;
    reply_words_read(&w, span_of(text));
    line[0] = '\0';
    for (size_t i = 0; i < w.count; i++)
        used += (size_t)snprintf(line + used, sizeof(line) - used, "%s%.*s", i > 0 ? " " : "", SPAN_ARG(w.list[i]));
    return line;
}

static void what_counts_as_a_word(void **state)
{
    static const struct {
        const char *label, *text, *words;
    } rows[] = {
        {"lower case, without punctuation", "User unknown; (try again!)", "user unknown try again"},
        {"what stands between < and >", "<spam policy@relay.test>: User unknown", "@ user unknown"},
        {"a name without a domain", "<relay>: rejected", "@ rejected"},
        {"a bare address", "spam.policy+x@relay.test... User unknown", "@ user unknown"},
        {"one with words behind it", "(bob@club.test:blocked)", "@ blocked"},
        {"one with a quoted local part", "\"no such user\"@club.test is full", "@ is full"},
        {"and of an address literal", "bob@[192.0.2.1] is full", "@ # is full"},
        {"the name of a host", "host mx-spam.policy.example said", "host . said"},
        {"with a dot at its end", "mail.spam.test. does not resolve", ". does not resolve"},
        {"no host: the end of a sentence", "No such user.Please check", "no such user please check"},
        {"an IP address", "[192.0.2.10] and 2001:db8::7 blocked", "# and # blocked"},
        {"a time of day is none", "at 12:30:45 blocked", "at blocked"},
        {"a URL", "see https://spam.test/policy?relay=full;quota=1 now", "see / now"},
        {"one with a blank, as some write it", "see https: //spam.test/policy now", "see / now"},
        {"one without a scheme", "see www.spam.test/relay or spam.test/relay now", "see / or / now"},
        {"a path", "pipe to /usr/spam/relay failed", "pipe to / failed"},
        {"key=value", "no such user, relay=[192.0.2.1] id=spam", "no such user = # ="},
        {"but of authentication", "spf=fail", "spf fail"},
        {"identifiers", "id 5F3SPAM77 queue-spam-17 unknown", "id 5f3spam77 queue-spam-17 unknown"},
        {"codes of providers", "[TSS04] OFR_417 AUP#CDRBL (S3140)", "tss04 ofr_417 aup#cdrbl s3140"},
        {"reply codes and numbers", "550 5.1.1 after 300 seconds (#5.1.1)", "after seconds"},
        {"lines", "550-5.1.1 No such\n550 5.1.1 user", "no such user"},
        {"on one line", "550-5.7.1 is 550-likely", "is likely"},
        {"two words with a hyphen", "over-quota, no mail-box", "over quota no mail box"},
        {"apostrophes", "domain's user doesn't 'exist'", "domain user doesn't exist"},
        {"octets past ASCII", "Bo\303\256te pleine \303\251", "bo?te pleine ?"},
        {"or what they have become", "Bo??te pleine", "bo?te pleine"},
        {"Exchange's own", "RESOLVER.ADR.RecipNotFound; not found", "resolver adr recipnotfound not found"},
        {"which no host can borrow", "resolver.spam.test said", ". said"},
        {"a < without an end", "a < b", "a b"},
        {"nothing", "", ""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (strcmp(words_of(rows[i].text), rows[i].words) != 0)
            fail_msg("%s: \"%s\", not \"%s\"", rows[i].label, words_of(rows[i].text), rows[i].words);
}

static void patterns(void **state)
{
    static const struct {
        const char *text, *pattern;
        bool fits;
    } rows[] = {
        {"the user is unknown", "user is unknown", true},
        {"the user is unknown", "user unknown", false},
        {"the user is unknown", "user .. unknown", true},
        {"user a b c d unknown", "user .. unknown", true},
        {"user a b c d e unknown", "user .. unknown", false},
        {"user user a b c d unknown", "user .. unknown", true},
        {"mailboxes full", "mailbox* full", true},
        {"mailboxes full", "mailbox full", false},
        {"it doesn't exist", "*n't exist", true},
        {"no exist", "*n't exist", false},
        {"no such box", "no such user|box", true},
        {"no such boxes", "no such user|box", false},
        {"blocked", "^ blocked $", true},
        {"is blocked", "^ blocked", false},
        {"blocked now", "blocked $", false},
        {"is it blocked", "^ .. blocked $", true},
        {"", "^ $", true},
        {"", "a", false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct reply_words w;
        reply_words_read(&w, span_of(rows[i].text));
        EXPECT(reply_words_fit(&w, span_of(rows[i].pattern)) == rows[i].fits, rows[i].text);
    }
}

static struct reply_judgement judge(const char *text, enum reply_stage stage, const char *provider)
{
    struct verdict v;
    struct reply_input in = {.answer = &v, .stage = stage, .provider = span_of(provider)};
    EXPECT(reply_read(span_of(text), &v), text);
    return reply_judge(&in);
}

/* The same words, said elsewhere. */
static void stages(void **state)
{
    static const char unknown[] = "550 5.1.1 User unknown";
    (void)state;
    struct reply_judgement j = judge(unknown, REPLY_AT_RCPT, "");
    assert_int_equal(j.category, REPLY_MAILBOX_UNKNOWN);
    assert_int_equal(j.about, REPLY_MAILBOX);
    assert_int_equal(j.by, REPLY_BY_TEXT);
    assert_int_equal(j.suppress_after, 1);
    j = judge(unknown, REPLY_AT_DATA, "");
    assert_int_equal(j.category, REPLY_MAILBOX_UNKNOWN);
    assert_int_equal(j.suppress_after, 0);
    for (unsigned stage = REPLY_AT_CONNECT; stage <= REPLY_AT_MAIL; stage++) {
        j = judge(unknown, (enum reply_stage)stage, "");
        assert_int_not_equal(j.about, REPLY_MAILBOX);
        assert_int_equal(j.suppress_after, 0);
    }
    assert_int_equal(judge("450 4.1.1 User unknown", REPLY_AT_RCPT, "").suppress_after, 0);
    assert_true(judge("450 4.1.1 User unknown", REPLY_AT_RCPT, "").retry);
    for (unsigned stage = 0; stage < REPLY_STAGES; stage++) {
        static const enum reply_about about[] = {REPLY_SOURCE, REPLY_SENDER, REPLY_MAILBOX, REPLY_MESSAGE};
        j = judge("550 Zeitgeist", (enum reply_stage)stage, "");
        assert_int_equal(j.category, REPLY_UNKNOWN);
        assert_int_equal(j.about, about[stage]);
        assert_string_equal(j.rule, "digit-5");
    }
}

static void what_follows(void **state)
{
    static const struct {
        const char *text;
        bool retry;
        unsigned suppress_after;
        const char *category;
    } rows[] = {
        {"550 5.1.1 Zeitgeist", false, 1, "mailbox_unknown"},
        {"550 5.1.2 Zeitgeist", false, 1, "domain_unknown"},
        {"550 5.7.1 Zeitgeist", false, 0, "recipient_refused"},
        {"550 5.7.13 Zeitgeist", false, 0, "mailbox_disabled"},
        {"550 5.2.1 Zeitgeist", false, 0, "mailbox_disabled"},
        {"550 5.2.1 Mailbox disabled", false, 2, "mailbox_disabled"},
        {"550 5.2.2 Mailbox full", false, 0, "mailbox_full"},
        {"552 Too many recipients", true, 0, "rate_limited"},
        {"550 Too many recipients", false, 0, "rate_limited"},
        {"452 4.5.3 Too many recipients", true, 0, "rate_limited"},
        {"421 Zeitgeist", true, 0, "unknown"},
        {"554 Zeitgeist", false, 0, "unknown"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct reply_judgement j = judge(rows[i].text, REPLY_AT_RCPT, "");
        EXPECT(strcmp(reply_category_name(j.category), rows[i].category) == 0, rows[i].text);
        EXPECT(j.retry == rows[i].retry, rows[i].text);
        EXPECT(j.suppress_after == rows[i].suppress_after, rows[i].text);
    }
}

/* How many recipients one message may have is no speed: who else is sent mail there waits for nothing. */
static void what_bounds_one_message_slows_nobody(void **state)
{
    static const struct {
        const char *text;
        enum reply_about about;
    } rows[] = {
        {"452 4.5.3 Too many recipients", REPLY_MESSAGE},
        {"452 4.5.3 Zeitgeist", REPLY_MESSAGE},
        {"552 Too many recipients", REPLY_MESSAGE},
        {"452 Too many recipients per message", REPLY_MESSAGE},
        {"452 4.5.3 Error: too many recipients", REPLY_MESSAGE},
        {"452 Maximum number of recipients exceeded", REPLY_MESSAGE},
        {"452 4.5.3 Recipients limit exceeded", REPLY_MESSAGE},
        {"451 4.7.1 Too many recipients this hour", REPLY_SOURCE},
        {"452 4.5.3 You have sent to too many recipients", REPLY_SOURCE},
        {"451 4.7.1 Too many connections", REPLY_SOURCE},
        {"421 4.7.0 Too many messages, slow down", REPLY_SOURCE},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct reply_judgement j = judge(rows[i].text, REPLY_AT_RCPT, "");
        EXPECT(j.category == REPLY_RATE_LIMITED && j.about == rows[i].about, rows[i].text);
    }
}

/* One provider's words are not another's. */
static void providers(void **state)
{
    static const char said[] = "550 5.5.0 Requested action not taken: mailbox unavailable";
    (void)state;
    assert_int_equal(judge(said, REPLY_AT_RCPT, "outlook").category, REPLY_MAILBOX_UNKNOWN);
    assert_int_equal(judge(said, REPLY_AT_RCPT, "outlook").by, REPLY_BY_PROVIDER);
    assert_int_equal(judge(said, REPLY_AT_RCPT, "").category, REPLY_MAILBOX_UNKNOWN); /* it may be that one */
    assert_int_equal(judge(said, REPLY_AT_RCPT, "gmx").category, REPLY_RECIPIENT_REFUSED);
}

static void replies_are_read(void **state)
{
    struct verdict v;
    (void)state;
    assert_true(reply_read(SPAN(" 550-5.1.1 No such\r\n550 5.1.1 user \n"), &v));
    assert_int_equal(v.code, 550);
    assert_string_equal(v.enhanced, "5.1.1");
    assert_string_equal(v.text, "No such user");
    assert_true(reply_read(SPAN("421"), &v));
    assert_string_equal(v.text, "");
    assert_true(reply_read(SPAN("550 4.1.1 x"), &v)); /* of another class: none */
    assert_string_equal(v.enhanced, "");
    static const char *const wrong[] = {"", "250 OK", "55 x", "5500 x", "x", "399 x", "600 x"};
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        EXPECT(!reply_read(span_of(wrong[i]), &v), wrong[i]);
}

static void names(void **state)
{
    (void)state;
    assert_int_equal(REPLY_CATEGORIES, 18);
    for (unsigned i = 0; i < REPLY_CATEGORIES; i++)
        assert_true(reply_category_name((enum reply_category)i)[0]);
    for (unsigned i = 0; i < REPLY_ABOUTS; i++)
        assert_true(reply_about_name((enum reply_about)i)[0]);
    for (unsigned i = 0; i < REPLY_BYS; i++)
        assert_true(reply_by_name((enum reply_by)i)[0]);
    enum reply_stage stage = REPLY_AT_MAIL;
    assert_true(reply_stage_parse(SPAN("data"), &stage) && stage == REPLY_AT_DATA);
    assert_false(reply_stage_parse(SPAN("body"), &stage));
}

static void wrong_rules_are_named(void **state)
{
    static const struct {
        const char *rules, *fault;
    } rows[] = {
        {"category unknown\n", "not the beginning of a rule"},
        {"rule a\ntext x\n", "a: it has no category"},
        {"rule a\ncategory spam\n", "a: \"category spam\" means nothing"},
        {"rule a\ncategory unknown\nabout us\n", "a: \"about us\" means nothing"},
        {"rule a\ncategory unknown\ncolour red\n", "a: \"colour red\" means nothing"},
        {"rule a\ncategory unknown\nretry no\n", "a: \"retry no\" means nothing"},
        {"rule a\ncategory unknown\nenhanced\n", "a: \"enhanced \" means nothing"},
    };
    struct verdict v = verdict_make(550, "", "x");
    struct reply_input in = {.answer = &v, .stage = REPLY_AT_RCPT, .provider = SPAN_NONE};
    struct reply_judgement j;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct err err = {0};
        EXPECT(!reply_judge_by(span_of(rows[i].rules), &in, &j, &err), rows[i].rules);
        EXPECT(strstr(err.text, rows[i].fault) != NULL, err.text);
    }
}

/* The longest text, of the words that fit most: some milliseconds in a build with sanitizers, and no more. */
static void hostile_text_is_soon_read(void **state)
{
    static const char *const tricks[] = {"user ", "no ", "not allowed to ", "mailbox is ", "a ", "<", "\"", "@", ".", "spam.", "5.1.1 "};
    char text[400];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(tricks); i++) {
        for (size_t used = 0; used < sizeof(text); used++)
            text[used] = tricks[i][used % strlen(tricks[i])];
        text[sizeof(text) - 1] = '\0';
        struct verdict v = verdict_make(550, "", "%s", text);
        struct reply_input in = {.answer = &v, .stage = REPLY_AT_RCPT, .provider = SPAN_NONE};
        clock_t began = clock();
        struct reply_judgement j = reply_judge(&in);
        double ms = 1000.0 * (double)(clock() - began) / CLOCKS_PER_SEC;
        EXPECT(ms < 500, tricks[i]);
        EXPECT(j.rule[0] != '\0', tricks[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_counts_as_a_word), cmocka_unit_test(patterns), cmocka_unit_test(stages),
        cmocka_unit_test(what_bounds_one_message_slows_nobody),
        cmocka_unit_test(what_follows), cmocka_unit_test(providers), cmocka_unit_test(replies_are_read),
        cmocka_unit_test(names), cmocka_unit_test(wrong_rules_are_named), cmocka_unit_test(hostile_text_is_soon_read)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
