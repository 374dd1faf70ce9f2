// SPDX-License-Identifier: BSD-2-Clause
/* queue_lookups_test.c - One tenant's domains wait for their lookups. The kind of fault: those whose DNS is never answered hold up its other
 * ones, new or known, as all its domains stand in one line, and all that began together end together. */
#include "queue_stage.h"

enum { EVERY_MS = 1000, LATE_MS = 2000, RUNS = 120, SLOW_LOOKUP_MS = 20000 };

static const struct queue_settings settings = {.connections = 100, .shards = 2};
static const struct stage_domain domains[] = {{.name = "evil*", .mute = true}, {.name = "*"}, {0}};
static const struct stage_server servers[] = {{.host = "*", .message_ms = 20}, {0}};
static const enum stream_class classes[] = {STREAM_SECURITY, STREAM_DIGEST};

static int64_t add_slow(struct stage *s, int64_t message, size_t from, size_t count, enum stream_class class)
{
    char domain[24];
    for (size_t i = from; i < from + count; i++) {
        snprintf(domain, sizeof(domain), "evil%zu.test", i);
        stage_add(s, ++message, "eve", domain, class);
    }
    return message;
}

/* One in a second, for two minutes: the slow ones are tried again meanwhile. */
static void slow_domains_hold_up_no_others_of_their_tenant(void **state)
{
    static const size_t counts[] = {60, 300, 900};
    char domain[24];
    (void)state;
    for (size_t k = 0; k < COUNT_OF(classes) * COUNT_OF(counts); k++) {
        enum stream_class class = classes[k % COUNT_OF(classes)];
        size_t count = counts[k / COUNT_OF(classes)];
        struct stage *s = stage_new(&settings, domains, servers);
        s->tracing = false;
        stage_add(s, 1, "eve", "known.test", class);
        stage_run(s, EVERY_MS);
        int64_t last = add_slow(s, 1, 0, count, class);
        stage_run(s, 3 * EVERY_MS);
        for (unsigned i = 0; i < RUNS; i++) {
            queue_forget_answers(s->queue, "known.test", s->now_ms);
            snprintf(domain, sizeof(domain), "good%u.test", i);
            stage_add(s, ++last, "eve", i % 2 ? "known.test" : domain, class);
            int64_t took_ms = stage_run_until(s, last, last, SLOW_LOOKUP_MS);
            if (took_ms > LATE_MS)
                fail_msg("%zu slow ones of class %d: the %uth, %s, took %lld ms", count, (int)class, i, i % 2 ? "known" : "new",
                         (long long)took_ms);
            stage_run(s, EVERY_MS);
        }
        stage_free(s);
    }
}

/* However many come: what has waited longest is asked, and what was not answered the last time, too. */
static void each_is_asked_while_others_come(void **state)
{
    enum { FIRST = 100, EACH = 4 };
    (void)state;
    struct stage *s = stage_new(&settings, domains, servers);
    int64_t last = add_slow(s, 0, 0, FIRST, STREAM_DIGEST);
    size_t asked = 0;
    for (size_t i = 0; i < 400; i++) {
        last = add_slow(s, last, FIRST + i * EACH, EACH, STREAM_DIGEST);
        stage_run(s, EVERY_MS);
    }
    for (size_t i = 0; i < FIRST; i++) {
        char text[40];
        snprintf(text, sizeof(text), "RESOLVE evil%zu.test\n", i);
        const char *first = strstr(s->trace, text);
        assert_non_null(first);
        asked += strstr(first + 1, text) != NULL;
    }
    assert_in_range(asked, 20, FIRST); /* again */
    stage_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(slow_domains_hold_up_no_others_of_their_tenant),
                                       cmocka_unit_test(each_is_asked_while_others_come)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
