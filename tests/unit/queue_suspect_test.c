// SPDX-License-Identifier: BSD-2-Clause
/* queue_suspect_test.c - A message over which a connection broke goes after others of its domain, and
 * does not put its destination to rest; ten different ones do. */
#include "table.h"

#include "queue.h"
#include "queue_connection.h"

struct stage {
    struct queue *queue;
    int64_t now_ms;
    uint64_t connection; /* the one that is open */
    const struct queue_attempt *attempt;
    unsigned rests;
};

/* All domains lead to one host, with one connection. */
static void resolve(struct stage *s, const char *domain)
{
    static const char *const hosts[] = {"mx.shared.test"};
    const struct queue_answer answer = {
        .hosts = hosts, .host_count = 1, .port = 25, .route = "", .trust = 1, .connections = 1, .valid_ms = 1000000000};
    queue_resolved(s->queue, domain, &answer, s->now_ms);
}

/* Let it decide; a connection that it opens is greeted. */
static void go_on(struct stage *s)
{
    struct queue_decision d;
    const struct queue_address a = {.port = 25};
    while (queue_decide(s->queue, &d, s->now_ms)) {
        if (d.kind == QUEUE_RESOLVE)
            resolve(s, d.domain);
        else if (d.kind == QUEUE_EVENT && d.rest_ms > 0)
            s->rests++;
        else if (d.kind == QUEUE_OPEN) {
            s->connection = d.connection;
            s->attempt = d.attempt;
            assert_true(queue_opened(s->queue, d.connection, &a, s->now_ms));
        }
    }
}

/* Messages are numbered here as they came in ms: as in relay/store/message_ids.c. */
static void add(struct stage *s, int64_t message, unsigned number, const char *domain)
{
    const struct queue_entry e = {.message = message << 16,
                                  .number = number,
                                  .class = STREAM_NOTIFICATION,
                                  .tenant = "t",
                                  .domain = domain,
                                  .due_ms = s->now_ms,
                                  .expires_ms = INT64_C(1) << 40};
    queue_add(s->queue, &e, 1, s->now_ms);
}

/* The connection breaks over what it carries, which is due again at once. */
static void breaks(struct stage *s)
{
    int64_t due_ms[QUEUE_RECIPIENTS_MAX];
    const struct queue_attempt *a = s->attempt;
    assert_non_null(a);
    for (size_t i = 0; i < a->count; i++)
        due_ms[i] = s->now_ms;
    s->attempt = NULL;
    assert_false(queue_connection_failed(s->queue, s->connection, QUEUE_FAIL_BROKE, "broke", s->now_ms));
    queue_settled(s->queue, a, due_ms, s->now_ms);
    go_on(s);
}

/* It is delivered, and the connection closed. */
static void goes_through(struct stage *s)
{
    const struct queue_attempt *next = NULL;
    const struct queue_attempt *a = s->attempt;
    assert_non_null(a);
    s->attempt = NULL;
    assert_int_equal(queue_message_done(s->queue, s->connection, QUEUE_SPOKEN, false, &next, s->now_ms), QUEUE_NEXT_CLOSE);
    queue_settled(s->queue, a, NULL, s->now_ms);
    queue_connection_closed(s->queue, s->connection, s->now_ms);
    go_on(s);
}

static void begin(struct stage *s)
{
    const struct queue_settings settings = {0};
    *s = (struct stage){.now_ms = 1000};
    s->queue = queue_new(&settings, s->now_ms);
}

static void expect(const struct stage *s, int64_t message, unsigned number, const char *label)
{
    EXPECT(s->attempt, label);
    EXPECT(s->attempt->message == message << 16 && s->attempt->count == 1 && s->attempt->numbers[0] == number, label);
}

static void what_broke_a_connection_goes_after_others(void **state)
{
    struct stage s;
    (void)state;
    begin(&s);
    for (int64_t message = 1; message <= 3; message++)
        add(&s, message, 0, "d.test");
    go_on(&s);
    expect(&s, 1, 0, "the first comes first");
    breaks(&s);
    expect(&s, 2, 0, "then the second");
    goes_through(&s);
    expect(&s, 3, 0, "then the third");
    goes_through(&s);
    expect(&s, 1, 0, "and then it");
    goes_through(&s);
    assert_null(s.attempt);
    queue_free(s.queue);
}

/* However old it is. */
static void what_is_old_goes_after_others_too(void **state)
{
    enum { MINUTE = 60 * 1000, DAY = 24 * 60 * MINUTE };
    static const int64_t ages_ms[] = {70 * 1000, 10 * MINUTE, DAY, (int64_t)5 * DAY};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(ages_ms); i++) {
        struct stage s;
        begin(&s);
        add(&s, 1, 0, "d.test");
        go_on(&s);
        add(&s, 1 + ages_ms[i], 0, "d.test");
        breaks(&s);
        expect(&s, 1 + ages_ms[i], 0, "the one that came long after it");
        goes_through(&s);
        expect(&s, 1, 0, "and then it");
        goes_through(&s);
        queue_free(s.queue);
    }
}

/* Of mail to the same place there is no end: what broke a connection goes after what was there, not after all that ever
 * comes; and the same again when it breaks the next one. */
static void what_broke_a_connection_does_not_wait_without_end(void **state)
{
    (void)state;
    for (size_t standing = 0; standing <= 30; standing += 5) {
        struct stage s;
        int64_t message = 1;
        begin(&s);
        add(&s, 1, 0, "d.test");
        go_on(&s);
        for (size_t round = 0; round < 3; round++) {
            for (size_t i = 0; i < standing; i++)
                add(&s, ++message, 0, "d.test");
            breaks(&s);
            for (size_t i = 0; i < standing; i++) {
                add(&s, ++message, 0, "d.test"); /* one more for each that goes */
                EXPECT(s.attempt && s.attempt->message != 1 << 16, "what was there goes first");
                goes_through(&s);
            }
            for (size_t i = 0; round > 0 && i < standing; i++) /* what came meanwhile was there this time */
                goes_through(&s);
            expect(&s, 1, 0, "then it");
        }
        goes_through(&s);
        queue_free(s.queue);
    }
}

/* It has its place when it breaks one: that a connection comes to nothing before it is tried again costs it no other. */
static void what_comes_back_untried_keeps_its_place(void **state)
{
    struct stage s;
    int64_t message = 2;
    (void)state;
    begin(&s);
    add(&s, 1, 0, "d.test");
    go_on(&s);
    add(&s, 2, 0, "d.test");
    breaks(&s);
    expect(&s, 2, 0, "what was there goes first");
    goes_through(&s);
    for (size_t round = 0; round < 20; round++) {
        expect(&s, 1, 0, "then it, whatever has come meanwhile");
        for (size_t i = 0; i < 5; i++)
            add(&s, ++message, 0, "d.test");
        s.attempt = NULL;
        assert_true(queue_connection_failed(s.queue, s.connection, QUEUE_FAIL_STALE, "dead", s.now_ms));
        go_on(&s);
    }
    goes_through(&s);
    expect(&s, 3, 0, "and then what came");
    queue_free(s.queue);
}

/* Nor does it go before the mail of other domains at the same place, because its own has no other. */
static void what_broke_a_connection_goes_after_other_domains(void **state)
{
    struct stage s;
    (void)state;
    begin(&s);
    add(&s, 1, 0, "d.test");
    go_on(&s);
    add(&s, 2, 0, "e.test");
    add(&s, 3, 0, "f.test");
    go_on(&s); /* they are looked up */
    breaks(&s);
    expect(&s, 2, 0, "another domain");
    goes_through(&s);
    expect(&s, 3, 0, "and another one");
    goes_through(&s);
    expect(&s, 1, 0, "and then it");
    goes_through(&s);
    queue_free(s.queue);
}

/* Of one message: those that broke a connection are not with those that did not. */
static void recipients_that_broke_one_go_by_themselves(void **state)
{
    struct stage s;
    (void)state;
    begin(&s);
    add(&s, 1, 0, "d.test");
    go_on(&s);
    add(&s, 1, 1, "d.test");
    breaks(&s);
    expect(&s, 1, 1, "the fresh one");
    goes_through(&s);
    expect(&s, 1, 0, "the other one");
    goes_through(&s);
    queue_free(s.queue);
}

static void one_message_puts_nothing_to_rest(void **state)
{
    struct stage s;
    (void)state;
    begin(&s);
    add(&s, 1, 0, "d.test");
    go_on(&s);
    for (size_t i = 0; i < 40; i++)
        breaks(&s);
    assert_int_equal(s.rests, 0);
    queue_free(s.queue);
}

/* Ten in a row show that it is not the messages: but one that goes through shows that it is. */
static void ten_messages_put_a_destination_to_rest(void **state)
{
    (void)state;
    for (int64_t through = 0; through <= 10; through++) { /* the one that goes through; 0: none */
        struct stage s;
        begin(&s);
        for (int64_t message = 1; message <= 10; message++)
            add(&s, message, 0, "d.test");
        go_on(&s);
        for (int64_t message = 1; message <= 10; message++) {
            expect(&s, message, 0, "in order");
            assert_int_equal(s.rests, 0);
            if (message == through)
                goes_through(&s);
            else
                breaks(&s);
        }
        assert_int_equal(s.rests, through == 0);
        assert_true((s.attempt == NULL) == (through == 0));
        queue_free(s.queue);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_broke_a_connection_goes_after_others),
        cmocka_unit_test(what_is_old_goes_after_others_too),
        cmocka_unit_test(what_broke_a_connection_does_not_wait_without_end),
        cmocka_unit_test(what_comes_back_untried_keeps_its_place),
        cmocka_unit_test(what_broke_a_connection_goes_after_other_domains),
        cmocka_unit_test(recipients_that_broke_one_go_by_themselves),
        cmocka_unit_test(one_message_puts_nothing_to_rest),
        cmocka_unit_test(ten_messages_put_a_destination_to_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
