// SPDX-License-Identifier: BSD-2-Clause
/* queue_slow_test.c - A server that is slow to answer some messages: its destination's few connections are all busy with those,
 * and nothing has been refused. The kind: what counts success only takes slowness for a reason to ask for no more.
 */
#include "queue_stage.h"

enum { SLOW_MS = 60000, QUICK_MS = 50 };

static const struct queue_settings settings = {.connections = 100, .shards = 2, .per_destination = 20};
static const struct stage_domain domains[] = {{.name = "*", .hosts = {"mx.shared.test"}}, {0}};

static const struct stage_server servers[] = {{.host = "*", .message_ms = QUICK_MS, .slow_domain = "slow.test", .slow_ms = SLOW_MS}, {0}};

static int64_t slow_ones(struct stage *s, int64_t message, size_t count)
{
    for (size_t i = 0; i < count; i++)
        stage_add(s, ++message, "eve", "slow.test", STREAM_NOTIFICATION);
    stage_run(s, 2000);
    return message;
}

/* One a second; the slowest of them. */
static int64_t slowest_of(struct stage *s, int64_t message, const char *tenant, enum stream_class class, size_t count)
{
    int64_t slowest_ms = 0;
    for (size_t i = 0; i < count; i++) {
        int64_t took_ms = 0;
        stage_add(s, ++message, tenant, "well.test", class);
        took_ms = stage_run_until(s, message, message, SLOW_MS);
        slowest_ms = took_ms > slowest_ms ? took_ms : slowest_ms;
        stage_run(s, 1000);
    }
    return slowest_ms;
}

/* As soon as a code has been there: the connection that it had goes on with codes alone while the others are busy. */
static void a_few_slow_answers_do_not_stop_codes(void **state)
{
    (void)state;
    for (size_t slow = 2; slow <= 8; slow++)
        for (int warm = 0; warm < 2; warm++) {
            struct stage *s = stage_new(&settings, domains, servers);
            int64_t last = 0;
            if (warm) {
                stage_add(s, ++last, "bob", "well.test", STREAM_SECURITY);
                stage_run(s, 1000);
            }
            last = slow_ones(s, last, slow);
            int64_t slowest_ms = slowest_of(s, last, "bob", STREAM_SECURITY, 20);
            if (slowest_ms > 1000)
                fail_msg("%zu slow ones, %s: %lld ms", slow, warm ? "warm" : "cold", (long long)slowest_ms);
            stage_free(s);
        }
}

/* A connection more each five seconds, while all are busy and others wait. */
static void who_is_slow_is_given_more_at_once(void **state)
{
    (void)state;
    struct stage *s = stage_new(&settings, domains, servers);
    int64_t last = slow_ones(s, 0, 2);
    int64_t slowest_ms = slowest_of(s, last, "bob", STREAM_NOTIFICATION, 10);
    if (slowest_ms > 6000)
        fail_msg("%lld ms", (long long)slowest_ms);
    stage_free(s);
}

/* But never more than its limit, nor more than it has just said that it takes. */
static void who_is_slow_is_given_no_more_than_it_takes(void **state)
{
    (void)state;
    for (unsigned accepts = 1; accepts <= 3; accepts++) {
        struct stage_server full[] = {{.host = "*", .message_ms = SLOW_MS, .accepts = accepts}, {0}};
        struct stage *s = stage_new(&settings, domains, full);
        for (int64_t message = 1; message <= 100; message++)
            stage_add(s, message, "eve", "slow.test", STREAM_NOTIFICATION);
        stage_run(s, 55000);
        assert_in_range(s->given_back, 0, 4);
        stage_free(s);
    }
}

/* What one tenant takes is time: where one's take long, another's go before them. */
static void turns_are_of_time(void **state)
{
    static const struct stage_server slow[] = {
        {.host = "*", .message_ms = QUICK_MS, .slow_domain = "slow.test", .slow_ms = 8000}, {0}};
    static const enum stream_class classes[] = {STREAM_SECURITY, STREAM_NOTIFICATION};
    enum { CODES = 100, EVERY_MS = 200 };
    (void)state;
    for (size_t k = 0; k < COUNT_OF(classes); k++) {
        struct stage *s = stage_new(&settings, domains, slow);
        int64_t message = 0;
        int64_t numbers[CODES];
        int64_t added_ms[CODES];
        int64_t sum_ms = 0;
        for (size_t i = 0; i < 100 + CODES; i++) {
            for (size_t n = 0; n < 8; n++)
                stage_add(s, ++message, "eve", "slow.test", classes[k]);
            if (i >= 100) {
                stage_add(s, ++message, "bob", "well.test", classes[k]);
                numbers[i - 100] = message;
                added_ms[i - 100] = s->now_ms;
            }
            stage_run(s, EVERY_MS);
        }
        stage_run(s, 60000);
        for (size_t i = 0; i < CODES; i++) {
            int64_t done_ms = s->done_ms[numbers[i]];
            sum_ms += (done_ms < 0 ? s->now_ms : done_ms) - added_ms[i];
        }
        if (sum_ms / CODES > 4000)
            fail_msg("class %d: %lld ms", (int)classes[k], (long long)(sum_ms / CODES));
        stage_free(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_few_slow_answers_do_not_stop_codes),
        cmocka_unit_test(who_is_slow_is_given_more_at_once),
        cmocka_unit_test(who_is_slow_is_given_no_more_than_it_takes),
        cmocka_unit_test(turns_are_of_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
