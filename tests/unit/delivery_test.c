// SPDX-License-Identifier: BSD-2-Clause
/* delivery_test.c - The client's time limits (RFC 5321 section 4.5.3.2), and what counts as success
 * at each of its stages. */
#include "table.h"

#include "delivery.h"

#include <stdio.h>
#include <string.h>

struct client {
    struct delivery d;
    struct delivery_settings settings;
    struct delivery_mail mail;
    struct delivery_rcpt rcpts[20];
};

static void hear(struct client *c, const char *text)
{
    buf_clear(&c->d.out);
    delivery_input(&c->d, span_of(text));
}

static void begin(struct client *c, const char *offers)
{
    char ehlo[100];
    snprintf(ehlo, sizeof(ehlo), "250-mx\r\n250 %s\r\n", offers);
    c->settings.hostname = "relay.test";
    delivery_init(&c->d, &c->settings);
    hear(c, "220 mx\r\n");
    hear(c, ehlo);
    c->mail = (struct delivery_mail){.sender = SPAN("a@club.test"), .rcpts = c->rcpts, .count = 1, .size = 20};
    for (size_t i = 0; i < COUNT_OF(c->rcpts); i++)
        c->rcpts[i] = (struct delivery_rcpt){.address = SPAN("b@dest.test")};
}

/* Let it come to the point where the answer to the command before `stage` is due. */
static void go_to(struct client *c, const char *stage)
{
    static const char *const good[] = {"250 ok\r\n", "250 ok\r\n", "354 go\r\n"};
    begin(c, "HELP");
    delivery_send(&c->d, &c->mail);
    for (size_t i = 0; i < COUNT_OF(good) && strcmp(delivery_stage_name(&c->d), stage) != 0; i++)
        hear(c, good[i]);
    if (c->d.want == DELIVERY_BODY && strcmp(stage, "message body") != 0)
        delivery_body(&c->d, SPAN("Subject: x\r\n"), true);
    assert_string_equal(delivery_stage_name(&c->d), stage);
}

static void only_2yz_is_success(void **state)
{
    static const struct {
        const char *stage, *next;
    } rows[] = {{"MAIL", "RCPT"}, {"RCPT", "DATA"}, {"DATA", "message body"}, {"end of data", "between messages"}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        for (int code = 100; code < 1000; code++) {
            struct client c = {0};
            const struct verdict *answer = &c.rcpts[0].answer;
            char reply[40];
            bool last = i + 1 == COUNT_OF(rows);
            bool session = code == 220 || code == 221; /* says nothing of a message */
            bool right = i == 2 ? code == 354 : code / 100 == 2 && !session; /* DATA asks for more */
            go_to(&c, rows[i].stage);
            snprintf(reply, sizeof(reply), "%03d what\r\n", code);
            hear(&c, reply);
            if (last && c.d.want == DELIVERY_INPUT) /* what would send it again is not yet believed */
                hear(&c, "221 bye\r\n");
            bool accepted = answer->code != 0 && answer->what == VERDICT_ACCEPT;
            bool next = strcmp(delivery_stage_name(&c.d), rows[i].next) == 0 && c.d.want != DELIVERY_CLOSE;
            EXPECT(last ? accepted == right : next == right, reply);
            EXPECT(right || !accepted, reply);
            delivery_fini(&c.d);
        }
}

static void what_a_server_calls_itself(void **state)
{
    static const struct {
        const char *greeting, *ehlo, *want;
    } rows[] = {
        {"220 mx.club.test ESMTP ready\r\n", "", "mx.club.test"},
        {"220 lb.club.test\r\n", "250-mx1.club.test hello\r\n250 SIZE\r\n", "mx1.club.test"},
        {"220-first.test\r\n220 second.test\r\n", "250 \r\n", "first.test"},
        {"220 \x1b[2Jowned\r\n", "250 \xc3\xa4.test hello\r\n", ""},
        {"220\r\n", "250\r\n", ""},
        {"421 busy.test come again\r\n", "", ""},
        {"220 mx.test\r\n", "550 refused.test\r\n250 old.test\r\n", "old.test"}, /* HELO */
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct client c = {.settings = {.hostname = "relay.test", .tls = DELIVERY_TLS_MAY}};
        struct span answers = span_of(rows[i].ehlo);
        delivery_init(&c.d, &c.settings);
        hear(&c, rows[i].greeting);
        while (answers.len > 0) {
            struct span line = span_take(&answers, '\n');
            char text[80];
            snprintf(text, sizeof(text), "%.*s\n", SPAN_ARG(line));
            hear(&c, text);
        }
        assert_string_equal(c.d.peer_name, rows[i].want);
        delivery_fini(&c.d);
    }
    struct client c = {.settings = {.hostname = "relay.test", .tls = DELIVERY_TLS_MAY}};
    char longest[400] = "220 ";
    memset(longest + 4, 'x', 300);
    memcpy(longest + 304, "\r\n", 3);
    delivery_init(&c.d, &c.settings);
    hear(&c, longest);
    assert_string_equal(c.d.peer_name, "");
    delivery_fini(&c.d);
}

static void limits_by_stage(void **state)
{
    (void)state;
    struct client c = {0};
    go_to(&c, "MAIL");
    assert_int_equal(delivery_timeout_s(&c.d), 300);
    hear(&c, "250 ok\r\n");
    assert_int_equal(delivery_timeout_s(&c.d), 300);
    hear(&c, "250 ok\r\n");
    assert_int_equal(delivery_timeout_s(&c.d), 120);
    hear(&c, "354 go\r\n");
    assert_int_equal(delivery_timeout_s(&c.d), 180);
    assert_false(delivery_is_said(&c.d));
    delivery_body(&c.d, SPAN("Subject: x\r\n"), true);
    assert_int_equal(delivery_timeout_s(&c.d), 600);
    assert_true(delivery_is_said(&c.d));
    c.settings.hurry = true; /* the end of data keeps its time: less would send it twice */
    assert_int_equal(delivery_timeout_s(&c.d), 600);
    delivery_fini(&c.d);
    go_to(&c, "RCPT");
    assert_in_range(delivery_timeout_s(&c.d), 5, 60);
    delivery_fini(&c.d);
    c.settings = (struct delivery_settings){.most_s = 45}; /* another host is left */
    go_to(&c, "RCPT");
    assert_int_equal(delivery_timeout_s(&c.d), 45);
    assert_in_range(delivery_limit_s(&c.d), 45, 600);
    delivery_fini(&c.d);
    go_to(&c, "end of data");
    assert_int_equal(delivery_timeout_s(&c.d), 600);
    delivery_fini(&c.d);
}

enum when { IN_TIME, BEFORE_IT_LEFT, BEFORE_IT_WAS_SAID };
enum ending { GOES_ON, LOST, SILENT };

/* What is said after 354, its first part when the row says, and what the message's recipient gets by it. */
static const struct answered {
    const char *label;
    enum when when;
    const char *first, *then;
    enum ending ending;
    const char *answer; /* code and text */
    bool dot;           /* was the message said to its end? */
    bool reusable;
} answered[] = {
    {"the usual yes", IN_TIME, "250 yes\r\n", "", GOES_ON, "250 yes", true, true},
    {"the usual no", IN_TIME, "554 no\r\n", "", GOES_ON, "554 no", true, true},
    {"later, and goodbye", IN_TIME, "451 later\r\n", "221 bye\r\n", GOES_ON, "451 later", true, false},
    {"later, and hangs up", IN_TIME, "451 later\r\n", "", LOST, "451 later", true, false},
    {"later, and is silent", IN_TIME, "451 later\r\n", "", SILENT, "451 later", true, false},
    {"later, and yes to the dot", IN_TIME, "451 later\r\n", "250 yes\r\n221 bye\r\n", GOES_ON, "250 yes", true, false},
    {"later, and no to the dot", IN_TIME, "451 later\r\n", "554 no\r\n221 bye\r\n", GOES_ON, "554 no", true, false},
    {"later, and an odd goodbye", IN_TIME, "451 later\r\n", "250 bye\r\n", LOST, "451 later", true, false},
    {"the same, silent", IN_TIME, "451 later\r\n", "250 bye\r\n", SILENT, "451 later", true, false},
    {"later, and does not know QUIT", IN_TIME, "451 later\r\n", "500 what\r\n", LOST, "451 later", true, false},
    {"goes, and is gone", IN_TIME, "421 later\r\n", "", LOST, "421 later", true, false},
    {"goes, and says so again", IN_TIME, "421 later\r\n", "221 bye\r\n", GOES_ON, "421 later", true, false},
    {"goes, and yes to the dot", IN_TIME, "421 later\r\n", "250 yes\r\n221 bye\r\n", GOES_ON, "250 yes", true, false},
    {"wants more, and yes", IN_TIME, "354 go\r\n", "250 yes\r\n221 bye\r\n", GOES_ON, "250 yes", true, false},
    {"no before it has all, and yes", BEFORE_IT_LEFT, "554 no\r\n", "250 yes\r\n221 bye\r\n", GOES_ON, "250 yes", true, false},
    {"no before it has all", BEFORE_IT_LEFT, "554 no\r\n", "221 bye\r\n", GOES_ON, "554 no", true, false},
    {"no before it has all, and is gone", BEFORE_IT_LEFT, "554 no\r\n", "", LOST, "554 no", true, false},
    {"yes before it has all, and is gone", BEFORE_IT_LEFT, "250 yes\r\n", "", LOST, "451 *took the message before", true, false},
    {"yes before it has all, and is silent", BEFORE_IT_LEFT, "250 yes\r\n", "", SILENT, "451 *took the message before", true, false},
    {"yes before it has all, and leaves", BEFORE_IT_LEFT, "250 yes\r\n", "421 bye\r\n", GOES_ON, "451 *took the message before", true, false},
    {"yes before it has all, and reads QUIT", BEFORE_IT_LEFT, "250 yes\r\n", "221 bye\r\n", GOES_ON, "250 yes", true, false},
    {"yes before it has all, and yes", BEFORE_IT_LEFT, "250 early\r\n", "250 yes\r\n221 bye\r\n", GOES_ON, "250 yes", true, false},
    {"yes before the dot, and no", BEFORE_IT_WAS_SAID, "250 early\r\n", "554 no\r\n221 bye\r\n", GOES_ON, "554 no", true, false},
    {"yes before the dot, and yes", BEFORE_IT_WAS_SAID, "250 early\r\n", "250 yes\r\n221 bye\r\n", GOES_ON, "250 yes", true, false},
    {"yes before the dot, and reads QUIT", BEFORE_IT_WAS_SAID, "250 yes\r\n", "221 bye\r\n", GOES_ON, "250 yes", true, false},
    {"yes before the dot, and is gone", BEFORE_IT_WAS_SAID, "250 yes\r\n", "", LOST, "451 *took the message before", true, false},
    {"half a yes before the dot", BEFORE_IT_WAS_SAID, "250-ye", "s\r\n250 s\r\n554 no\r\n221 bye\r\n", GOES_ON, "554 no", true, false},
    {"no before the dot", BEFORE_IT_WAS_SAID, "554 no\r\n", "", GOES_ON, "554 no", false, false},
    {"later before the dot", BEFORE_IT_WAS_SAID, "451 later\r\n", "", GOES_ON, "451 later", false, false},
    {"goes before the dot", BEFORE_IT_WAS_SAID, "421 later\r\n", "", GOES_ON, "421 later", false, false},
    {"wants more before the dot", BEFORE_IT_WAS_SAID, "354 go\r\n", "", GOES_ON, "451 *asks for more", false, false},
    {"yes, then no before the dot", BEFORE_IT_WAS_SAID, "250 yes\r\n554 no\r\n", "", GOES_ON, "554 no", false, false},
};

static bool is_answer(const struct verdict *v, const char *want)
{
    char code[8];
    const char *text = want + 4;
    bool part = *text == '*';
    snprintf(code, sizeof(code), "%d ", v->code);
    return strncmp(code, want, 4) == 0 && (part ? strstr(v->text, text + 1) != NULL : strcmp(v->text, text) == 0);
}

static void take(struct client *c, const char *text, bool in_pieces)
{
    for (size_t i = 0; text[i]; i += in_pieces ? 1 : strlen(text))
        delivery_input(&c->d, span_first(span_of(text + i), in_pieces ? 1 : strlen(text)));
}

static void play(struct client *c, const struct answered *row, bool in_pieces)
{
    go_to(c, "message body");
    buf_clear(&c->d.out);
    if (row->when == BEFORE_IT_WAS_SAID)
        take(c, row->first, in_pieces);
    if (c->d.want == DELIVERY_BODY)
        delivery_body(&c->d, SPAN("Subject: x\r\n"), true);
    if (row->when == BEFORE_IT_LEFT)
        delivery_answered_early(&c->d);
    if (row->when != BEFORE_IT_WAS_SAID)
        take(c, row->first, in_pieces);
    take(c, row->then, in_pieces);
    if (row->ending == LOST)
        delivery_lost(&c->d, "closed by the peer");
    if (row->ending == SILENT)
        delivery_timed_out(&c->d);
}

/* RFC 5321 section 4.2.5: the answer to the final dot counts, whatever was said before it, and no other. */
static void the_answer_to_the_dot_counts(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * COUNT_OF(answered); i++) {
        const struct answered *row = &answered[i / 2];
        struct client c = {0};
        play(&c, row, i % 2);
        EXPECT(c.d.want == DELIVERY_DONE || c.d.want == DELIVERY_CLOSE, row->label);
        if (!is_answer(&c.rcpts[0].answer, row->answer))
            fail_msg("%s: %d %s", row->label, c.rcpts[0].answer.code, c.rcpts[0].answer.text);
        struct span out = buf_span(&c.d.out);
        struct span end = out.len > 0 ? span_from(out, span_find(out, '.')) : out;
        EXPECT((end.len > 0) == row->dot, row->label);
        if (c.d.want == DELIVERY_DONE)
            delivery_next(&c.d);
        EXPECT((c.d.want == DELIVERY_READY && !delivery_is_used_up(&c.d)) == row->reusable, row->label);
        if (c.d.want == DELIVERY_READY && !row->reusable) {
            buf_clear(&c.d.out);
            delivery_quit(&c.d);
            EXPECT(c.d.want == DELIVERY_CLOSE && c.d.out.len == 0, row->label);
        }
        delivery_fini(&c.d);
    }
}

static void limits_by_message(void **state)
{
    struct client c = {0};
    (void)state;
    begin(&c, "PIPELINING");
    c.mail.count = COUNT_OF(c.rcpts);
    delivery_send(&c.d, &c.mail);
    unsigned small = delivery_limit_s(&c.d);
    assert_in_range(small, 300 + 300 + 120, 3600); /* a slow server may use its time at each stage */
    c.mail.size = 25 * 1024 * 1024;
    assert_in_range(delivery_limit_s(&c.d), small + 300, 2 * 3600);
    c.settings.hurry = true;
    assert_in_range(delivery_limit_s(&c.d), 30, small);
    delivery_fini(&c.d);
}

/* Only a server that has answered EHLO, or refuses it for good, is known to lack what it does not offer. */
static void who_failed_at_ehlo_may_offer_more(void **state)
{
    static const struct {
        const char *ehlo;
        bool hung_up, unsure;
    } rows[] = {{"250 mx\r\n", false, false},       {"500 what\r\n", false, false},  {"554 5.7.1 no\r\n", false, false},
                {"", true, true}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct client c = {.settings = {.hostname = "relay.test", .helo = rows[i].hung_up}};
        delivery_init(&c.d, &c.settings);
        hear(&c, "220 mx\r\n");
        hear(&c, rows[i].ehlo);
        bool helo = span_starts_nocase(buf_span(&c.d.out), SPAN("HELO")) || rows[i].hung_up;
        if (helo)
            hear(&c, "250 mx\r\n");
        EXPECT(helo == (i > 0) && c.d.want == DELIVERY_READY && c.d.offers.unsure == rows[i].unsure, rows[i].ehlo);
        delivery_fini(&c.d);
    }
}

/* RFC 5321 section 4.2.1: what was said after 354 is the answer to the message, whatever became of the connection. */
static void a_refusal_during_the_body_is_the_answer(void **state)
{
    static const struct {
        const char *said;
        int code;
    } rows[] = {{"552 5.3.4 too big\r\n", 552}, {"452 4.3.1 disk full\r\n", 452}, {"552-5.3.4 a\r\n552 5.3.4 b\r\n", 552},
                {"552 5.3.4 half", 451},        {"552-5.3.4 a\r\n", 451},         {"250 2.0.0 taken\r\n", 451},
                {"421 4.3.2 bye\r\n", 421},     {"", 451}};
    (void)state;
    for (size_t i = 0; i < 2 * COUNT_OF(rows); i++) {
        struct client c = {0};
        go_to(&c, "message body");
        delivery_body(&c.d, SPAN("Subject: x\r\n"), false);
        if (rows[i / 2].said[0])
            delivery_input(&c.d, span_of(rows[i / 2].said));
        if (i % 2)
            delivery_lost(&c.d, "connection reset by peer");
        else
            delivery_timed_out(&c.d);
        EXPECT(c.rcpts[0].answer.code == rows[i / 2].code, rows[i / 2].said);
        bool named = strstr(c.rcpts[0].answer.text, "(while at message body)") != NULL;
        EXPECT(named == (rows[i / 2].code == 451), rows[i / 2].said);
        delivery_fini(&c.d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(only_2yz_is_success), cmocka_unit_test(who_failed_at_ehlo_may_offer_more),
                                       cmocka_unit_test(what_a_server_calls_itself), cmocka_unit_test(limits_by_stage),
                                       cmocka_unit_test(the_answer_to_the_dot_counts), cmocka_unit_test(limits_by_message),
                                       cmocka_unit_test(a_refusal_during_the_body_is_the_answer)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
