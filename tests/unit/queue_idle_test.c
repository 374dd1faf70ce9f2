// SPDX-License-Identifier: BSD-2-Clause
/* queue_idle_test.c - Connections that are kept for the next message: the kind of fault is one tenant with many destinations,
 * whose idle connections push out those of others. */
#include "queue_stage.h"

enum { EVES = 60, IDLE_MS = 600000 };

static const struct stage_server servers[] = {{0}}; /* all are good */

static int64_t eves_many(struct stage *s, int64_t message, unsigned count)
{
    char domain[40];
    int64_t first = message + 1;
    for (unsigned i = 0; i < count; i++) {
        snprintf(domain, sizeof(domain), "e%u.test", i);
        stage_add(s, ++message, "eve", domain, STREAM_NOTIFICATION);
        stage_run_until(s, message, message, 5000);
    }
    for (int64_t i = first; i <= message; i++)
        assert_true(s->done_ms[i] >= 0);
    return message;
}

/* Bob's is the oldest, and the only one that he has. */
static void an_idle_connection_stays_whatever_others_have(void **state)
{
    static const struct queue_settings settings[] = {
        {.connections = 400, .idle_max = 8, .idle_ms = IDLE_MS},   /* too many are idle */
        {.connections = 12, .idle_max = 100, .idle_ms = IDLE_MS}}; /* others wait for a place */
    (void)state;
    for (size_t i = 0; i < COUNT_OF(settings); i++) {
        struct stage *s = stage_new(&settings[i], NULL, servers);
        struct queue_destination_view view;
        stage_add(s, 1, "bob", "bob.test", STREAM_NOTIFICATION);
        stage_run_until(s, 1, 1, 5000);
        int64_t last = eves_many(s, 1, EVES);
        assert_true(queue_find_destination(s->queue, "mx.bob.test:25", &view, s->now_ms));
        assert_int_equal(view.idle, 1);
        stage_add(s, ++last, "bob", "bob.test", STREAM_NOTIFICATION);
        stage_run_until(s, last, last, 5000);
        assert_non_null(strstr(s->trace, "SEND mx.bob.test:25"));
        stage_free(s);
    }
}

/* Who has few destinations has as many connections as before, and eve keeps what is left. */
static void what_is_left_may_be_one_tenants(void **state)
{
    static const struct queue_settings settings = {.connections = 400, .idle_max = 8, .idle_ms = IDLE_MS};
    (void)state;
    struct stage *s = stage_new(&settings, NULL, servers);
    struct queue_counts counts;
    (void)eves_many(s, 0, EVES);
    stage_run(s, 1000);
    queue_count(s->queue, &counts, s->now_ms);
    assert_int_equal(counts.idle, 8);
    stage_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_idle_connection_stays_whatever_others_have),
        cmocka_unit_test(what_is_left_may_be_one_tenants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
