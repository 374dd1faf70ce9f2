// SPDX-License-Identifier: BSD-2-Clause
/* queue_shape_test.c - What an operator is told that a message would wait for is what it waits for: in worlds drawn from a seed a
 * message goes, where nothing else waits, if and only if it was said to. */
#include "table.h"

#include "queue.h"
#include "queue_connection.h"
#include "queue_pause.h"
#include "queue_shape.h"

#include <stdio.h>
#include <string.h>

enum { CONNECTIONS = 8, WORLDS = 300, STEPS = 120, MINUTE_MS = 60 * 1000 };
static const char *const hop = "dest.test", *const destination = "mx.dest.test:25";

struct world {
    struct queue *queue;
    uint64_t random;
    int64_t now_ms, last_message;
    unsigned limit, given; /* given: messages that went */
    struct {
        uint64_t id;
        const struct queue_attempt *attempt;
    } connections[CONNECTIONS];
};

static unsigned draw(struct world *w, unsigned below)
{
    w->random = w->random * 6364136223846793005U + 1442695040888963407U;
    return (unsigned)(w->random >> 33) % below;
}

static size_t find(const struct world *w, uint64_t id)
{
    size_t i = 0;
    while (i < CONNECTIONS && w->connections[i].id != id)
        i++;
    EXPECT(i < CONNECTIONS, "a connection is known, or there is room for it");
    return i;
}

static void opens(struct world *w, const struct queue_decision *decision)
{
    struct queue_address a = {.ip = {127}, .port = 25};
    size_t index = 0;
    bool probes = false;
    size_t at = find(w, 0);
    w->given++;
    if (!queue_address_take(w->queue, decision->connection, &a, 1, &index, &probes, w->now_ms)) {
        (void)!queue_connection_failed(w->queue, decision->connection, QUEUE_FAIL_NO_ADDRESS, "no address", w->now_ms);
        return;
    }
    if (!queue_opened(w->queue, decision->connection, &a, w->now_ms))
        return;
    w->connections[at].id = decision->connection;
    w->connections[at].attempt = decision->attempt;
}

static void closed(struct world *w, uint64_t id)
{
    size_t at = find(w, id);
    queue_connection_closed(w->queue, id, w->now_ms);
    w->connections[at].id = 0;
    w->connections[at].attempt = NULL;
}

static void decides(struct world *w)
{
    struct queue_decision decision;
    const char *const hosts[] = {"mx.dest.test"};
    const struct queue_answer answer = {.hosts = hosts, .host_count = 1, .port = 25, .route = "", .trust = 1, .connections = w->limit, .valid_ms = INT32_MAX};
    while (queue_decide(w->queue, &decision, w->now_ms)) {
        if (decision.kind == QUEUE_RESOLVE) {
            EXPECT(queue_resolved(w->queue, hop, &answer, w->now_ms), "asked for");
        } else if (decision.kind == QUEUE_OPEN) {
            opens(w, &decision);
        } else if (decision.kind == QUEUE_SEND) {
            w->given++;
            w->connections[find(w, decision.connection)].attempt = decision.attempt;
        } else if (decision.kind == QUEUE_CLOSE) {
            closed(w, decision.connection);
        }
    }
}

static void answers(struct world *w, size_t at, enum queue_spoken spoken)
{
    const struct queue_attempt *done = w->connections[at].attempt;
    const struct queue_attempt *next = NULL;
    if (!done)
        return;
    uint64_t id = w->connections[at].id;
    enum queue_next what = queue_message_done(w->queue, id, spoken, true, &next, w->now_ms);
    w->connections[at].attempt = next;
    queue_settled(w->queue, done, NULL, w->now_ms);
    if (what == QUEUE_NEXT_CLOSE)
        closed(w, id);
    decides(w);
}

static struct queue_shape_class said(const struct world *w, const char *tenant, enum stream_class class)
{
    static struct queue_shape shape;
    struct queue_destination_view view;
    const struct queue_shape_question question = {.domain = hop, .tenant_or_null = tenant};
    queue_find_shape(w->queue, &question, &shape, &view, w->now_ms);
    return shape.known ? shape.classes[class] : (struct queue_shape_class){QUEUE_WAIT_LOOKUP, 0};
}

static void comes(struct world *w, unsigned *counts)
{
    char label[160];
    struct queue_counts n;
    const char *tenant = draw(w, 2) ? "a" : "b";
    enum stream_class class = draw(w, 3) ? STREAM_DIGEST : STREAM_SECURITY;
    queue_count(w->queue, &n, w->now_ms);
    if (n.ready > 0) /* then it is also a matter of turns */
        return;
    struct queue_shape_class is = said(w, tenant, class);
    const struct queue_entry e = {.message = ++w->last_message, .class = class, .tenant = tenant, .domain = hop, .due_ms = w->now_ms, .expires_ms = INT32_MAX};
    unsigned before = w->given;
    queue_add(w->queue, &e, 1, w->now_ms);
    decides(w);
    bool goes = w->given > before;
    snprintf(label, sizeof(label), "world %u: %s of %s, said to wait for \"%s\", %s", (unsigned)w->limit, stream_class_name(class), tenant,
             queue_wait_word(is.waits), goes ? "went" : "did not go");
    EXPECT(is.waits == QUEUE_WAIT_LOOKUP || goes == (is.waits == QUEUE_WAIT_NOTHING), label);
    counts[is.waits]++;
    queue_drop(w->queue, e.message, 0, w->now_ms);
    decides(w);
}

/* The connection fails: while it carries something, or at once where it was to be opened. */
static void fails(struct world *w, size_t at)
{
    static const enum queue_failure how[] = {QUEUE_FAIL_REFUSED, QUEUE_FAIL_REFUSED, QUEUE_FAIL_CONNECT, QUEUE_FAIL_LOST};
    const struct queue_attempt *attempt = w->connections[at].attempt;
    uint64_t id = w->connections[at].id;
    if (!attempt)
        return;
    w->connections[at].id = 0;
    w->connections[at].attempt = NULL;
    if (!queue_connection_failed(w->queue, id, how[draw(w, COUNT_OF(how))], "it fails", w->now_ms))
        queue_settled(w->queue, attempt, NULL, w->now_ms);
    queue_drop(w->queue, w->last_message, 0, w->now_ms);
    decides(w);
}

/* Refused at MAIL by a 4xx. */
static void turns_away(struct world *w, size_t at)
{
    const struct queue_attempt *attempt = w->connections[at].attempt;
    if (!attempt)
        return;
    int64_t message = attempt->message;
    if (!queue_turned_away(w->queue, w->connections[at].id, QUEUE_REFUSES_FIRST, "450 4.7.1 no", w->now_ms)) {
        answers(w, at, QUEUE_SPOKEN);
        return;
    }
    const struct queue_attempt *next = NULL;
    uint64_t id = w->connections[at].id;
    enum queue_next what = queue_message_done(w->queue, id, QUEUE_SPOKEN, true, &next, w->now_ms);
    w->connections[at].attempt = next;
    if (what == QUEUE_NEXT_CLOSE)
        closed(w, id);
    queue_drop(w->queue, message, 0, w->now_ms);
    decides(w);
}

/* And other mail waits because of what was said. */
static void is_refused(struct world *w, size_t at)
{
    const struct queue_attempt *attempt = w->connections[at].attempt;
    const struct queue_refusal_said refusal = {.kind = draw(w, 4) ? QUEUE_PAUSE_SOURCE : QUEUE_PAUSE_SENDER, .about = "", .row = "row",
                                               .why = "554 no", .early = draw(w, 2), .times = 1 + draw(w, 2), .within_ms = MINUTE_MS,
                                               .for_ms = 1000 + draw(w, 9000)};
    if (attempt)
        queue_was_refused(w->queue, attempt, &refusal, w->now_ms);
    answers(w, at, QUEUE_SPOKEN);
}

static void happens(struct world *w)
{
    static const enum queue_spoken spoken[] = {QUEUE_TAKEN, QUEUE_TAKEN, QUEUE_TAKEN, QUEUE_TAKEN, QUEUE_TOO_FAST};
    unsigned what = draw(w, 20);
    w->now_ms += draw(w, 10) ? draw(w, 3000) : draw(w, MINUTE_MS);
    if (what < 8)
        answers(w, draw(w, CONNECTIONS), spoken[draw(w, COUNT_OF(spoken))]);
    else if (what == 8)
        (void)!queue_rest(w->queue, destination, 1000 + draw(w, 5000), "ordered", w->now_ms);
    else if (what == 9)
        (void)!queue_resume(w->queue, destination, w->now_ms);
    else if (what == 10)
        fails(w, draw(w, CONNECTIONS));
    else if (what < 14)
        turns_away(w, draw(w, CONNECTIONS));
    else if (what == 14)
        is_refused(w, draw(w, CONNECTIONS));
    decides(w);
}

static void what_is_said_to_go_goes(void **state)
{
    (void)state;
    unsigned counts[QUEUE_WAIT_ALL_SHARE + 1] = {0};
    for (unsigned seed = 1; seed <= WORLDS; seed++) {
        struct world w = {.random = seed, .now_ms = 1000};
        const struct queue_settings settings = {.idle_ms = 5000, .connections = 3 + draw(&w, 8)};
        w.limit = 1 + draw(&w, CONNECTIONS - 1);
        w.queue = queue_new(&settings, w.now_ms);
        for (unsigned i = 0; i < STEPS; i++) {
            happens(&w);
            comes(&w, counts);
        }
        queue_free(w.queue);
    }
    EXPECT(counts[QUEUE_WAIT_NOTHING] > 0 && counts[QUEUE_WAIT_OPERATOR] > 0 && counts[QUEUE_WAIT_SPEED] > 0 && counts[QUEUE_WAIT_WINDOW] > 0 &&
           counts[QUEUE_WAIT_REFUSED] > 0 && counts[QUEUE_WAIT_REST] > 0 && counts[QUEUE_WAIT_PAUSED] > 0, "all of it was met");
    EXPECT(counts[QUEUE_WAIT_ALL] > 0, "and no room at all");
}

static void each_word_is_one(void **state)
{
    (void)state;
    for (int i = 0; i <= QUEUE_WAIT_ALL_SHARE; i++)
        for (int k = 0; k < i; k++)
            EXPECT(strcmp(queue_wait_word((enum queue_wait)i), queue_wait_word((enum queue_wait)k)) != 0, queue_wait_text((enum queue_wait)i));
}

static void count_one(void *context, const struct queue_destination_view *view)
{
    (void)view;
    ++*(unsigned *)context;
}

static void a_limit_of_one_tenant_is_not_told_of_another(void **state)
{
    (void)state;
    static struct queue_shape shape;
    struct queue_destination_view view;
    const struct queue_settings settings = {.idle_ms = 5000};
    struct world w = {.random = 1, .now_ms = 1000, .limit = 1};
    w.queue = queue_new(&settings, w.now_ms);
    const struct queue_entry e = {.message = 1, .class = STREAM_DIGEST, .tenant = "a", .domain = hop, .due_ms = 1000, .expires_ms = INT32_MAX};
    queue_add(w.queue, &e, 1, w.now_ms);
    decides(&w);
    queue_names_reply(w.queue, w.connections[0].id, "450 4.7.28 too many");
    answers(&w, 0, QUEUE_TOO_FAST);
    unsigned all = 0;
    unsigned of_a = 0;
    unsigned of_b = 0;
    queue_each_limited(w.queue, NULL, count_one, &all, w.now_ms);
    queue_each_limited(w.queue, "a", count_one, &of_a, w.now_ms);
    queue_each_limited(w.queue, "b", count_one, &of_b, w.now_ms);
    EXPECT(all == 1 && of_a == 1 && of_b == 0, "by tenant");
    struct queue_shape_question question = {.domain = hop, .tenant_or_null = "a"};
    queue_find_shape(w.queue, &question, &shape, &view, w.now_ms);
    EXPECT(strcmp(shape.slowed_why, "450 4.7.28 too many") == 0, "the reply");
    EXPECT(shape.classes[STREAM_DIGEST].waits == QUEUE_WAIT_SPEED && shape.classes[STREAM_DIGEST].for_ms > 0, "it waits for its turn");
    EXPECT(shape.classes[STREAM_SECURITY].waits == QUEUE_WAIT_NOTHING, "a code does not");
    question.tenant_or_null = "b";
    queue_find_shape(w.queue, &question, &shape, &view, w.now_ms);
    EXPECT(shape.classes[STREAM_DIGEST].waits == QUEUE_WAIT_NOTHING, "nor does another tenant's mail");
    question = (struct queue_shape_question){.domain = "unknown.test"};
    queue_find_shape(w.queue, &question, &shape, &view, w.now_ms);
    EXPECT(!shape.known && shape.classes[STREAM_DIGEST].waits == QUEUE_WAIT_LOOKUP, "of a domain that is not known");
    queue_free(w.queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_said_to_go_goes),
        cmocka_unit_test(each_word_is_one),
        cmocka_unit_test(a_limit_of_one_tenant_is_not_told_of_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
