// SPDX-License-Identifier: BSD-2-Clause
/* queue_boundary_test.c - A message of several recipients is interrupted for a code, at a connection that may carry it,
 * or whose place alone it can have; and not where the code has another way. */
#include "table.h"

#include "queue.h"
#include "queue_connection.h"
#include "queue_moves.h"

enum { LONG_MS = 1 << 30 };

static const struct {
    const char *label, *code_to;   /* the domain of the code that comes */
    enum stream_class first, next; /* of the message under way; of what comes */
    unsigned limit;                /* connections at the destination */
    unsigned capacity;
    bool urgent;
} rows[] = {
    {"a code for the same hosts", "one.test", STREAM_DIGEST, STREAM_SECURITY, 20, 40, true},
    {"also of another domain that has them", "same.test", STREAM_DIGEST, STREAM_SECURITY, 20, 40, true},
    {"another route's, which can open its own", "routed.test", STREAM_DIGEST, STREAM_SECURITY, 20, 40, false},
    {"another trust's, which can open its own", "trusted.test", STREAM_DIGEST, STREAM_SECURITY, 20, 40, false},
    {"another trust's, which has no room", "trusted.test", STREAM_DIGEST, STREAM_SECURITY, 1, 40, true},
    {"another destination's, where there is no capacity", "far.test", STREAM_DIGEST, STREAM_SECURITY, 20, 1, true},
    {"another destination's, where there is", "far.test", STREAM_DIGEST, STREAM_SECURITY, 20, 40, false},
    {"no code", "one.test", STREAM_DIGEST, STREAM_CONFIRMATION, 20, 40, false},
    {"a code behind a code", "one.test", STREAM_SECURITY, STREAM_SECURITY, 20, 40, false},
};

static void resolve(struct queue *q, const char *domain, unsigned limit)
{
    const char *const hosts[] = {strcmp(domain, "far.test") == 0 ? "mx.far.test" : "mx.one.test"};
    const struct queue_answer answer = {.hosts = hosts,
                                        .host_count = 1,
                                        .port = 25,
                                        .route = strcmp(domain, "routed.test") == 0 ? "verify" : "",
                                        .trust = strcmp(domain, "trusted.test") == 0 ? 2 : 1,
                                        .connections = limit,
                                        .valid_ms = LONG_MS};
    queue_resolved(q, domain, &answer, 1000);
}

/* The first connection that opens is greeted; others are never. */
static uint64_t go_on(struct queue *q, unsigned limit, uint64_t connection)
{
    struct queue_decision d;
    const struct queue_address a = {.port = 25};
    while (queue_decide(q, &d, 1000)) {
        if (d.kind == QUEUE_RESOLVE)
            resolve(q, d.domain, limit);
        if (d.kind == QUEUE_OPEN && connection == 0) {
            connection = d.connection;
            assert_true(queue_opened(q, connection, &a, 1000));
        }
    }
    return connection;
}

static void add(struct queue *q, int64_t message, const char *domain, enum stream_class class)
{
    const struct queue_entry e = {
        .message = message, .class = class, .tenant = "t", .domain = domain, .due_ms = 1000, .expires_ms = LONG_MS};
    queue_add(q, &e, 1, 1000);
}

static void a_code_that_needs_the_connection_is_urgent(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct queue_settings settings = {.connections = rows[i].capacity};
        struct queue *q = queue_new(&settings, 1000);
        add(q, 1, "one.test", rows[i].first);
        uint64_t connection = go_on(q, rows[i].limit, 0);
        EXPECT(connection != 0 && !queue_rest_waits(q, connection, 1000), rows[i].label);
        add(q, 2, rows[i].code_to, rows[i].next);
        if (strcmp(rows[i].code_to, "one.test") != 0) { /* it is asked for; nothing is decided after the answer */
            struct queue_decision d;
            EXPECT(queue_decide(q, &d, 1000) && d.kind == QUEUE_RESOLVE, rows[i].label);
            resolve(q, d.domain, rows[i].limit);
        }
        if (rows[i].capacity == 1) /* nothing can open, but what waits for capacity stands in line */
            go_on(q, rows[i].limit, connection);
        EXPECT(queue_rest_waits(q, connection, 1000) == rows[i].urgent, rows[i].label);
        queue_pause(q, true, 1000);
        EXPECT(!queue_rest_waits(q, connection, 1000), rows[i].label);
        queue_free(q);
    }
}

/* Each transaction is a message to the server: while that takes so many a minute the rest waits for its turn. It does so
 * for mail of who is slowed; code never, and nobody else's. */
static const struct {
    const char *label, *tenant; /* who is slowed; "": all are */
    enum stream_class class;
    bool waits;
} spaced[] = {
    {"his own", "t", STREAM_DIGEST, true},
    {"everybody's", "", STREAM_DIGEST, true},
    {"another tenant's", "other", STREAM_DIGEST, false},
    {"his code", "t", STREAM_SECURITY, false},
    {"a code where all are slowed", "", STREAM_SECURITY, false},
};

static void the_rest_waits_where_messages_are_spaced(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(spaced); i++) {
        const struct queue_settings settings = {.connections = 40};
        struct queue *q = queue_new(&settings, 1000);
        add(q, 1, "one.test", spaced[i].class);
        uint64_t connection = go_on(q, 20, 0);
        EXPECT(!queue_rest_waits(q, connection, 1000), spaced[i].label);
        struct destination *d = connection_find(q, connection)->lane->destination;
        slowed_is_of(d, spaced[i].tenant, 1000);
        d->spacing.level = 10;
        d->spacing.refused_ms = 1000;
        spacing_goes(&d->spacing, 1000);
        EXPECT(queue_rest_waits(q, connection, 1000) == spaced[i].waits, spaced[i].label);
        EXPECT(!queue_rest_waits(q, connection, 1000 + 6000), spaced[i].label); /* a tenth of a minute */
        queue_free(q);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_code_that_needs_the_connection_is_urgent),
                                       cmocka_unit_test(the_rest_waits_where_messages_are_spaced)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
