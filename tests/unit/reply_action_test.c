// SPDX-License-Identifier: BSD-2-Clause
/* reply_action_test.c - What follows from a reply for other mail: by the table that is built in, and by tables that are wrong. */
#include "table.h"

#include "reply_actions.h"

#include <string.h>

static void each_reply_has_its_row(void **state)
{
    static const struct {
        const char *label, *provider, *reply;
        enum reply_stage stage;
        enum reply_do what;
        unsigned times;
        int64_t for_ms;
    } rows[] = {
        {"Google's limit for an address pauses", "google", "421 4.7.28 Gmail has detected an unusual rate of unsolicited mail originating from your IP address.", REPLY_AT_DATA, REPLY_DO_PAUSE_SOURCE, 1, 600000},
        {"its limit for a domain is that domain's", "google", "421 4.7.28 Gmail has detected an unusual rate of unsolicited mail originating from your SPF domain [club.example].", REPLY_AT_DATA, REPLY_DO_PAUSE_DOMAIN, 1, 600000},
        {"its limit for a Message-ID is that message's", "google", "421 4.7.28 Gmail has detected this message exceeded its quota for sending messages with the same Message-ID:.", REPLY_AT_DATA, REPLY_DO_NOTHING, 1, 0},
        {"what is not known to be a provider is none", "", "421 4.7.28 Gmail has detected an unusual rate of mail originating from your IP address 192.0.2.10.", REPLY_AT_DATA, REPLY_DO_SLOW, 1, 0},
        {"another's host is not Google", "mx.club.example", "450 4.7.28 Too many messages from your IP address, slow down", REPLY_AT_RCPT, REPLY_DO_SLOW, 1, 0},
        {"a blocklist", "mx.club.example", "550 5.7.1 Service unavailable; client host [192.0.2.10] blocked using an RBL", REPLY_AT_RCPT, REPLY_DO_PAUSE_SOURCE, 1, 600000},
        {"a word that may mean one message", "mx.club.example", "550 5.7.1 Access denied", REPLY_AT_MAIL, REPLY_DO_PAUSE_SOURCE, 3, 600000},
        {"DMARC", "mx.club.example", "550 5.7.26 No", REPLY_AT_DATA, REPLY_DO_PAUSE_DOMAIN, 1, 600000},
        {"reverse DNS is about us", "mx.club.example", "550 5.7.25 No", REPLY_AT_MAIL, REPLY_DO_PAUSE_SOURCE, 3, 600000},
        {"a mailbox that gets too much", "mx.club.example", "550 5.2.1 The user you are trying to contact is receiving mail too quickly", REPLY_AT_RCPT, REPLY_DO_SLOW_RECIPIENT, 1, 600000},
        {"greylisting", "mx.club.example", "450 4.2.0 Greylisted, try again in 300 seconds", REPLY_AT_RCPT, REPLY_DO_RETRY_SOON, 1, 0},
        {"relaying", "mx.club.example", "554 5.7.1 Relay access denied", REPLY_AT_RCPT, REPLY_DO_ALARM, 5, 3600000},
        {"no such mailbox", "mx.club.example", "550 5.1.1 User unknown", REPLY_AT_RCPT, REPLY_DO_NOTHING, 1, 0},
        {"trouble of theirs", "mx.club.example", "451 4.3.0 Internal server error", REPLY_AT_DATA, REPLY_DO_NOTHING, 1, 0},
        {"what nobody understands", "mx.club.example", "550 Zeitgeist", REPLY_AT_RCPT, REPLY_DO_NOTHING, 1, 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct verdict answer;
        EXPECT(reply_read(span_of(rows[i].reply), &answer), rows[i].label);
        const struct reply_input in = {.answer = &answer, .stage = rows[i].stage, .provider = span_of(rows[i].provider)};
        const struct reply_judgement judged = reply_judge(&in);
        const struct reply_action action = reply_action(&in, &judged);
        EXPECT(action.what == rows[i].what && action.times == rows[i].times && action.for_ms == rows[i].for_ms, rows[i].label);
        EXPECT(action.row[0] != '\0', rows[i].label);
    }
}

/* Whatever a category may be about, some row decides. */
static void every_category_has_a_row(void **state)
{
    (void)state;
    const struct verdict answer = verdict_make(450, "", "x");
    for (unsigned category = 0; category < REPLY_CATEGORIES; category++)
        for (unsigned about = 0; about < REPLY_ABOUTS; about++) {
            const struct reply_input in = {.answer = &answer, .stage = REPLY_AT_RCPT, .provider = SPAN("mx.club.example")};
            const struct reply_judgement judged = {.category = (enum reply_category)category, .about = (enum reply_about)about, .rule = "none"};
            const struct reply_action action = reply_action(&in, &judged);
            EXPECT(action.row[0] != '\0', reply_category_name(judged.category));
            EXPECT(about == REPLY_SOURCE || action.what != REPLY_DO_PAUSE_SOURCE, "what is not about us does not pause us");
        }
}

static void what_means_nothing_is_a_fault(void **state)
{
    static const char *const wrong[] = {
        "rule a\ndo nothing\n", "action\ndo nothing\n", "action a\n", "action a\ndo dance\n", "action a\ndo pause\nfor 10\n",
        "action a\ndo pause\nfor 0m\n", "action a\ndo pause\nfor 99999999999999999999m\n", "action a\ndo pause\nfor 25h\n",
        "action a\ndo pause\nfor m\n", "action a\ndo pause\ntrigger 0\n", "action a\ndo pause\ntrigger 5\n",
        "action a\ndo pause\ntrigger 1/10m\n", "action a\ndo pause\ntrigger 5/\n", "action a\ndo pause\ntrigger 1000/1m\n",
        "action a\ndo pause\ncategory none\n", "action a\ndo pause\nabout none\n", "action a\ndo pause\nprovider\n", "action a\nhello\n",
        "action a-name-that-is-longer-than-names-may-be-at-most\ndo nothing\n"};
    (void)state;
    const struct verdict answer = verdict_make(450, "", "x");
    const struct reply_input in = {.answer = &answer, .stage = REPLY_AT_RCPT, .provider = SPAN_NONE};
    const struct reply_judgement judged = {.rule = "none"};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        struct reply_action action;
        struct err err = {0};
        EXPECT(!reply_action_by(span_of(wrong[i]), &in, &judged, &action, &err), wrong[i]);
        EXPECT(err.kind == ERR_MALFORMED && err.text[0], wrong[i]);
    }
}

static void words_and_triggers_count(void **state)
{
    static const char rows[] = "action first\nenhanced 4.7.28\ntext slow down\nbut not you\ndo pause\ntrigger 5/10m\nfor 1h\naction rest\ndo nothing\n";
    static const struct {
        const char *reply, *row;
    } replies[] = {{"450 4.7.28 Please slow down", "first"}, {"450 4.7.28 Slow down, not you", "rest"}, {"450 4.7.1 slow down", "rest"}, {"450 4.7.28 Hurry", "rest"}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(replies); i++) {
        struct verdict answer;
        struct reply_action action;
        struct err err = {0};
        EXPECT(reply_read(span_of(replies[i].reply), &answer), replies[i].reply);
        const struct reply_input in = {.answer = &answer, .stage = REPLY_AT_RCPT, .provider = SPAN_NONE};
        const struct reply_judgement judged = {.rule = "none"};
        EXPECT(reply_action_by(SPAN(rows), &in, &judged, &action, &err), replies[i].reply);
        EXPECT(strcmp(action.row, replies[i].row) == 0, replies[i].reply);
        EXPECT(i > 0 || (action.times == 5 && action.within_ms == 600000 && action.for_ms == 3600000), "its trigger");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_reply_has_its_row), cmocka_unit_test(every_category_has_a_row),
        cmocka_unit_test(what_means_nothing_is_a_fault), cmocka_unit_test(words_and_triggers_count)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
