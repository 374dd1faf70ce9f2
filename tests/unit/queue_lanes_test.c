// SPDX-License-Identifier: BSD-2-Clause
/* queue_lanes_test.c - Which domains' mail shares a connection: those whose DNS names the same hosts in the same order
 * of preference. The kind of fault is one domain's zone that decides where another's mail goes. */
#include "table.h"

#include "queue.h"
#include "queue_connection.h"

#include <stdio.h>
#include <string.h>

struct published {
    const char *hosts[4];
    unsigned preferences[4];
    bool more; /* than these */
};

struct told {
    struct published of[2];
    struct queue *queue;
    const struct queue_attempt *attempt;
    uint64_t connection;
};

static void answer(struct told *t, const char *domain)
{
    const struct published *p = &t->of[domain[0] - 'a'];
    struct queue_answer found = {.hosts = p->hosts,
                                 .preferences = p->preferences,
                                 .alone = p->more ? domain : NULL,
                                 .port = 25,
                                 .trust = 1,
                                 .connections = 1,
                                 .valid_ms = 60000};
    while (found.host_count < COUNT_OF(p->hosts) && p->hosts[found.host_count])
        found.host_count++;
    queue_resolved(t->queue, domain, &found, 1);
}

static void decide(struct told *t)
{
    struct queue_decision d;
    while (queue_decide(t->queue, &d, 1)) {
        if (d.kind == QUEUE_RESOLVE)
            answer(t, d.domain);
        if (d.kind != QUEUE_OPEN || t->attempt)
            continue;
        t->connection = d.connection;
        t->attempt = d.attempt;
    }
}

/* Does b.test's mail go over the connection that was opened for a.test? */
static bool is_shared(const struct published *a, const struct published *b)
{
    const struct queue_settings settings = {.connections = 4};
    const struct queue_address at = {.port = 25};
    const struct queue_attempt *next = NULL;
    struct told t = {.of = {*a, *b}, .queue = queue_new(&settings, 1)};
    struct queue_entry entries[] = {{.message = 1, .tenant = "t", .domain = "a.test"},
                                    {.message = 2, .tenant = "t", .domain = "b.test"}};
    size_t index = 0;
    bool probes = false;
    for (size_t i = 0; i < COUNT_OF(entries); i++) {
        entries[i].class = STREAM_SECURITY;
        entries[i].expires_ms = 1000000;
        queue_add(t.queue, &entries[i], 1, 1);
        decide(&t);
    }
    assert_non_null(t.attempt);
    assert_string_equal(t.attempt->domain, "a.test");
    assert_true(queue_address_take(t.queue, t.connection, &at, 1, &index, &probes, 1));
    assert_true(queue_opened(t.queue, t.connection, &at, 1));
    bool shared =
        queue_message_done(t.queue, t.connection, QUEUE_SPOKEN, true, &next, 1) == QUEUE_NEXT_SEND;
    assert_true(!shared || strcmp(next->domain, "b.test") == 0);
    queue_settled(t.queue, t.attempt, NULL, 1);
    queue_free(t.queue);
    return shared;
}

static void only_the_same_hosts_in_the_same_order_share(void **state)
{
    static const struct {
        const char *label;
        struct published a, b;
        bool shared;
    } rows[] = {
        {"the same",
         {{"mx0.d.test", "mx1.d.test"}, {10, 20}, false},
         {{"mx0.d.test", "mx1.d.test"}, {10, 20}, false},
         true},
        {"other numbers",
         {{"mx0.d.test", "mx1.d.test"}, {10, 20}, false},
         {{"mx1.d.test", "mx0.d.test"}, {7, 5}, false},
         true},
        {"as written",
         {{"MX0.d.test.", "mx1.d.test"}, {10, 20}, false},
         {{"mx0.d.test", "Mx1.d.test"}, {10, 20}, false},
         true},
        {"each once",
         {{"MX0.d.test.", "mx0.d.test"}, {10, 20}, false},
         {{"mx0.d.test"}, {10}, false},
         true},
        {"at its best",
         {{"b.test", "a.test", "b.test"}, {10, 20, 30}, false},
         {{"a.test", "b.test"}, {2, 1}, false},
         true},
        {"turned round",
         {{"mx0.d.test", "mx1.d.test"}, {20, 10}, false},
         {{"mx0.d.test", "mx1.d.test"}, {10, 20}, false},
         false},
        {"all equal",
         {{"mx0.d.test", "mx1.d.test"}, {10, 10}, false},
         {{"mx0.d.test", "mx1.d.test"}, {10, 20}, false},
         false},
        {"one more",
         {{"mx0.d.test", "x.test"}, {10, 10}, false},
         {{"mx0.d.test"}, {10}, false},
         false},
        {"more than these", {{"mx0.d.test"}, {10}, true}, {{"mx0.d.test"}, {10}, false}, false},
        {"more of both", {{"mx0.d.test"}, {10}, true}, {{"mx0.d.test"}, {10}, true}, false},
        {"its own name", {{"mx0.d.test"}, {10}, true}, {{"a.test"}, {10}, false}, false},
        {"a provider",
         {{"aspmx.l.google.com", "alt1.aspmx.l.google.com"}, {10, 20}, false},
         {{"aspmx.l.google.com", "alt1.aspmx.l.google.com"}, {20, 10}, false},
         false},
        {"more of a provider's",
         {{"aspmx.l.google.com"}, {10}, true},
         {{"aspmx.l.google.com"}, {10}, false},
         false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        EXPECT(is_shared(&rows[i].a, &rows[i].b) == rows[i].shared, rows[i].label);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_same_hosts_in_the_same_order_share)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
