// SPDX-License-Identifier: BSD-2-Clause
/* queue_reuse_test.c - Mail of a tenant that rests at a destination takes no open connection there that another's mail has
 * used: the kind of fault is a question that is asked when a connection opens, and not when it is used again. */
#include "table.h"

#include "queue.h"
#include "queue_connection.h"

enum { CONNECTIONS = 4 };

struct carried {
    uint64_t connection;
    const struct queue_attempt *attempt;
};

struct stage {
    struct queue *queue;
    int64_t now_ms, message;
    struct carried busy[CONNECTIONS];
    unsigned opened, closed;
};

static void resolve(struct stage *s, const char *domain)
{
    const char *hosts[] = {"mx.shared.test"};
    const struct queue_answer answer = {.hosts = hosts,
                                        .host_count = 1,
                                        .port = 25,
                                        .route = "",
                                        .trust = 1,
                                        .connections = 20,
                                        .valid_ms = 600000};
    queue_resolved(s->queue, domain, &answer, s->now_ms);
}

static void carry(struct stage *s, uint64_t connection, const struct queue_attempt *attempt)
{
    size_t i = 0;
    while (s->busy[i].attempt)
        assert_true(++i < CONNECTIONS);
    s->busy[i] = (struct carried){connection, attempt};
}

static void go_on(struct stage *s)
{
    struct queue_decision d;
    const struct queue_address a = {.port = 25};
    while (queue_decide(s->queue, &d, s->now_ms)) {
        if (d.kind == QUEUE_RESOLVE)
            resolve(s, d.domain);
        if (d.kind == QUEUE_CLOSE) {
            s->closed++;
            queue_connection_closed(s->queue, d.connection, s->now_ms);
        }
        if (d.kind != QUEUE_OPEN && d.kind != QUEUE_SEND)
            continue;
        carry(s, d.connection, d.attempt);
        s->opened += d.kind == QUEUE_OPEN;
        if (d.kind == QUEUE_OPEN)
            assert_true(queue_opened(s->queue, d.connection, &a, s->now_ms));
    }
}

static void add(struct stage *s, const char *tenant, enum stream_class class)
{
    const struct queue_entry e = {.message = ++s->message,
                                  .class = class,
                                  .tenant = tenant,
                                  .domain = "d.test",
                                  .due_ms = s->now_ms,
                                  .expires_ms = INT64_C(1) << 40};
    queue_add(s->queue, &e, 1, s->now_ms);
    go_on(s);
}

/* The first that carries that tenant's mail; NULL: none. */
static struct carried *of(struct stage *s, const char *tenant)
{
    for (size_t i = 0; i < CONNECTIONS; i++)
        if (s->busy[i].attempt && strcmp(s->busy[i].attempt->tenant, tenant) == 0)
            return &s->busy[i];
    return NULL;
}

/* It has gone through, and the connection goes on, or is kept. */
static void is_done(struct stage *s, const char *tenant)
{
    struct carried *c = of(s, tenant);
    const struct queue_attempt *next = NULL;
    assert_non_null(c);
    const struct carried was = *c;
    c->attempt = NULL;
    enum queue_next what =
        queue_message_done(s->queue, was.connection, QUEUE_SPOKEN, true, &next, s->now_ms);
    queue_settled(s->queue, was.attempt, NULL, s->now_ms);
    if (what == QUEUE_NEXT_SEND)
        carry(s, was.connection, next);
    if (what == QUEUE_NEXT_CLOSE) {
        s->closed++;
        queue_connection_closed(s->queue, was.connection, s->now_ms);
    }
    go_on(s);
}

/* 421 at MAIL; its next try is far away. */
static void is_refused(struct stage *s, const char *tenant)
{
    struct carried *c = of(s, tenant);
    int64_t due_ms[1] = {s->now_ms + 3600000};
    assert_non_null(c);
    const struct carried was = *c;
    c->attempt = NULL;
    if (!queue_connection_failed(s->queue, was.connection, QUEUE_FAIL_REFUSED, "421 4.7.0 not you",
                                 s->now_ms))
        queue_settled(s->queue, was.attempt, due_ms, s->now_ms);
    go_on(s);
}

static void begin(struct stage *s)
{
    const struct queue_settings settings = {.idle_ms = 60000};
    *s = (struct stage){.now_ms = 1000};
    s->queue = queue_new(&settings, s->now_ms);
    add(s, "carl", STREAM_NOTIFICATION); /* so that it is known to work */
    is_done(s, "carl");
}

static const enum stream_class classes[] = {STREAM_SECURITY, STREAM_NOTIFICATION, STREAM_DIGEST};

static void an_idle_one_is_not_for_mail_that_rests(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(classes); i++) {
        struct stage s;
        begin(&s);
        add(&s, "bob", STREAM_NOTIFICATION);
        add(&s, "eve", STREAM_NOTIFICATION);
        is_done(&s, "bob");
        is_refused(&s, "eve");
        EXPECT(s.opened == 2 && s.closed == 0, "his is idle");
        add(&s, "eve", classes[i]);
        EXPECT(!of(&s, "eve"), stream_class_name(classes[i]));
        for (unsigned n = 0; n < 12; n++) { /* more than may pass one over */
            add(&s, "bob", STREAM_CONFIRMATION);
            EXPECT(of(&s, "bob") && !of(&s, "eve"), "it is his");
            is_done(&s, "bob");
        }
        EXPECT(s.opened == 2 && s.closed == 0 && !of(&s, "eve"), "hers still rests");
        s.now_ms += 5000;
        go_on(&s);
        EXPECT(of(&s, "eve"), "its time is over");
        queue_free(s.queue);
    }
}

static void a_busy_one_does_not_go_on_with_mail_that_rests(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(classes); i++) {
        struct stage s;
        begin(&s);
        add(&s, "bob", STREAM_NOTIFICATION);
        add(&s, "eve", STREAM_NOTIFICATION);
        is_refused(&s, "eve");
        add(&s, "eve", classes[i]);
        EXPECT(!of(&s, "eve"), "nothing is opened for it");
        for (unsigned n = 0; n < 12; n++) {
            add(&s, "bob", STREAM_CONFIRMATION);
            EXPECT(!queue_rest_waits(s.queue, of(&s, "bob")->connection, s.now_ms),
                   "his recipients are not left for it");
            is_done(&s, "bob");
            EXPECT(of(&s, "bob") && !of(&s, "eve"), stream_class_name(classes[i]));
        }
        EXPECT(s.closed == 0, "nor does his end");
        s.now_ms += 5000;
        is_done(&s, "bob");
        go_on(&s);
        EXPECT(of(&s, "eve"), "its time is over");
        queue_free(s.queue);
    }
}

/* One that works for her costs nobody else anything when it ends. */
static void her_own_goes_on(void **state)
{
    struct stage s;
    (void)state;
    begin(&s);
    add(&s, "bob", STREAM_NOTIFICATION);
    add(&s, "eve", STREAM_NOTIFICATION);
    is_done(&s, "eve");
    for (unsigned n = 0; n < 6; n++) { /* more are borne */
        add(&s, "bob", STREAM_NOTIFICATION);
        is_done(&s, "bob");
    }
    add(&s, "eve", STREAM_NOTIFICATION);
    uint64_t own = of(&s, "eve")->connection;
    add(&s, "eve", STREAM_NOTIFICATION);
    struct carried *second = of(&s, "eve");
    struct carried first = *second;
    second->attempt = NULL; /* so that the other one is found */
    is_refused(&s, "eve");
    *second = first;
    assert_true(first.connection == own);
    for (unsigned n = 0; n < 3; n++) {
        add(&s, "eve", STREAM_NOTIFICATION);
        is_done(&s, "eve");
        EXPECT(of(&s, "eve") && of(&s, "eve")->connection == own, "it goes on");
    }
    while (of(&s, "eve"))
        is_done(&s, "eve");
    add(&s, "eve", STREAM_NOTIFICATION);
    EXPECT(of(&s, "eve") && of(&s, "eve")->connection == own, "also when it was idle");
    is_done(&s, "eve");
    is_done(&s, "bob");
    queue_free(s.queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_idle_one_is_not_for_mail_that_rests),
        cmocka_unit_test(a_busy_one_does_not_go_on_with_mail_that_rests),
        cmocka_unit_test(her_own_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
