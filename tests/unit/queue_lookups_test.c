// SPDX-License-Identifier: BSD-2-Clause
/* queue_lookups_test.c - One tenant's domains wait for their lookups. The kind of fault: those whose DNS is never answered hold up its other
 * ones, new or known, as all its domains stand in one line, and all that began together end together. */
#include "queue_stage.h"

enum { EVERY_MS = 1000, LATE_MS = 2000, RUNS = 120, SLOW_LOOKUP_MS = 20000 };

static const struct queue_settings settings = {.connections = 100, .shards = 2};
static const struct stage_domain domains[] = {{.name = "evil*", .mute = true}, {.name = "*"}, {0}};
static const struct stage_domain very_slow[] = {{.name = "evil*", .mute = true, .mute_ms = 60000}, {.name = "*"}, {0}};
static const struct stage_server servers[] = {{.host = "*", .message_ms = 20}, {0}};
static const enum stream_class classes[] = {STREAM_SECURITY, STREAM_DIGEST};

static int64_t add_slow_of(struct stage *s, const char *tenant, int64_t message, size_t from, size_t count, enum stream_class class)
{
    char domain[40];
    for (size_t i = from; i < from + count; i++) {
        snprintf(domain, sizeof(domain), "evil%zu.test", i);
        stage_add(s, ++message, tenant, domain, class);
    }
    return message;
}

static int64_t add_slow(struct stage *s, int64_t message, size_t from, size_t count, enum stream_class class)
{
    return add_slow_of(s, "eve", message, from, count, class);
}

/* One in a second, for two minutes: the slow ones are tried again meanwhile. */
static void slow_domains_hold_up_no_others_of_their_tenant(void **state)
{
    static const size_t counts[] = {60, 300, 900};
    char domain[40];
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

static int64_t count_of(const struct stage *s, const char *text)
{
    int64_t count = 0;
    for (const char *at = s->trace; at && (at = strstr(at, text)); at++)
        count++;
    return count;
}

/* As when DNS answers, but nobody says what their policy is: all are asked about soon. */
static void a_tenant_gets_through_many_slow_domains(void **state)
{
    enum { MANY = 260, SOON_MS = 40 * 1000 };
    (void)state;
    struct stage *s = stage_new(&settings, domains, servers);
    add_slow(s, 0, 0, MANY, STREAM_DIGEST);
    stage_run(s, SOON_MS);
    assert_true(count_of(s, "RESOLVE evil") >= MANY);
    stage_free(s);
}

/* It stands between those that have come before and those that come behind, however many these are. */
static void what_comes_later_puts_nothing_off_for_long(void **state)
{
    enum { BEFORE = 60, BEHIND_MS = 15 * 1000 };
    (void)state;
    for (size_t behind = 0; behind <= 600; behind += 200) {
        struct stage *s = stage_new(&settings, domains, servers);
        int64_t good = add_slow(s, 0, 0, BEFORE, STREAM_DIGEST) + 1;
        stage_add(s, good, "eve", "good.test", STREAM_DIGEST);
        add_slow(s, good, BEFORE, behind, STREAM_DIGEST);
        int64_t took_ms = stage_run_until(s, good, good, BEHIND_MS);
        if (took_ms >= BEHIND_MS)
            fail_msg("before %zu others it took %lld ms", behind, (long long)took_ms);
        stage_free(s);
    }
}

/* What takes long is shared, too: some tenants' hundreds leave another one its own, with some that are slow among them. */
static void slow_domains_hold_up_no_other_tenants(void **state)
{
    static const char *const tenants[] = {"eve", "mallory", "trudy", "oscar"};
    enum { EACH = 400, SOME = 30 };
    char domain[40];
    int64_t last = 0;
    (void)state;
    struct stage *s = stage_new(&settings, very_slow, servers);
    s->tracing = false;
    for (size_t i = 0; i < COUNT_OF(tenants); i++)
        last = add_slow_of(s, tenants[i], last, i * EACH, EACH, STREAM_DIGEST);
    stage_run(s, 50 * EVERY_MS);
    last = add_slow_of(s, "bob", last, COUNT_OF(tenants) * EACH, SOME, STREAM_DIGEST);
    for (unsigned i = 0; i < RUNS; i++) {
        stage_run(s, EVERY_MS);
        snprintf(domain, sizeof(domain), "good%u.test", i);
        stage_add(s, ++last, "bob", domain, STREAM_DIGEST);
        int64_t took_ms = stage_run_until(s, last, last, SLOW_LOOKUP_MS);
        if (took_ms > LATE_MS)
            fail_msg("the %uth took %lld ms", i, (long long)took_ms);
    }
    stage_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(slow_domains_hold_up_no_others_of_their_tenant),
                                       cmocka_unit_test(each_is_asked_while_others_come),
                                       cmocka_unit_test(a_tenant_gets_through_many_slow_domains),
                                       cmocka_unit_test(what_comes_later_puts_nothing_off_for_long),
                                       cmocka_unit_test(slow_domains_hold_up_no_other_tenants)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
