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
            bool accepted = answer->code != 0 && answer->what == VERDICT_ACCEPT;
            bool next = strcmp(delivery_stage_name(&c.d), rows[i].next) == 0 && c.d.want != DELIVERY_CLOSE;
            EXPECT(last ? accepted == right : next == right, reply);
            EXPECT(right || !accepted, reply);
            delivery_fini(&c.d);
        }
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

/* What the owner knows of bytes that have not left counts like those that we still hold. */
static void a_yes_before_all_has_left_is_none(void **state)
{
    (void)state;
    for (int code = 250; code < 600; code += 50) {
        struct client c = {0};
        const struct verdict *answer = &c.rcpts[0].answer;
        char reply[40];
        snprintf(reply, sizeof(reply), "%03d what\r\n", code);
        go_to(&c, "end of data");
        delivery_answered_early(&c.d);
        hear(&c, reply);
        EXPECT(answer->what != VERDICT_ACCEPT && (code < 400 ? answer->code == 451 : answer->code == code), reply);
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(only_2yz_is_success), cmocka_unit_test(who_failed_at_ehlo_may_offer_more), cmocka_unit_test(limits_by_stage),
                                       cmocka_unit_test(a_yes_before_all_has_left_is_none), cmocka_unit_test(limits_by_message),
                                       cmocka_unit_test(a_refusal_during_the_body_is_the_answer)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
