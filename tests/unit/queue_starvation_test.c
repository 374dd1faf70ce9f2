// SPDX-License-Identifier: BSD-2-Clause
/* queue_starvation_test.c - Whose destination is well, waits no longer than a bound, whatever class his mail is of and
 * whatever others have. The kind in all: an order in which something always goes first, and of that there is no end. */
#include "queue_stage.h"

enum { FLOOD = 6000, TRICKLE = 20, APART_MS = 1000 };

static const struct queue_settings settings = {.connections = 400, .shards = 4, .per_destination = 10};

/* Mail without end: at no time in the test is less of it there than what can be sent. */
static int64_t flood(struct stage *s, int64_t message, const char *tenant, const char *prefix, enum stream_class class)
{
    char name[40];
    for (size_t i = 0; i < FLOOD; i++) {
        snprintf(name, sizeof(name), "%s%zu.test", prefix, i % 50);
        stage_add(s, ++message, tenant, name, class);
    }
    return message;
}

/* One message a second; how long the slowest took. */
static int64_t slowest_of(struct stage *s, int64_t message, const char *tenant, const char *prefix, enum stream_class class)
{
    int64_t slowest_ms = 0;
    int64_t added_ms[TRICKLE];
    char name[40];
    for (size_t i = 0; i < TRICKLE; i++) {
        snprintf(name, sizeof(name), "%s%zu.test", prefix, i % 10);
        added_ms[i] = s->now_ms;
        stage_add(s, message + 1 + (int64_t)i, tenant, name, class);
        stage_run(s, APART_MS);
    }
    stage_run(s, 10000);
    for (size_t i = 0; i < TRICKLE; i++) {
        int64_t done_ms = s->done_ms[message + 1 + (int64_t)i];
        int64_t took_ms = done_ms < 0 ? INT64_MAX : done_ms - added_ms[i];
        slowest_ms = took_ms > slowest_ms ? took_ms : slowest_ms;
    }
    return slowest_ms;
}

static const struct stage_domain one_set_of_hosts[] = {{.name = "*", .hosts = {"mx.shared.test"}}, {0}};
static const struct stage_domain provider[] = {{.name = "*", .hosts = {".mail.protection.outlook.com"}}, {0}};

/* One set of hosts; a provider's, each domain's its own; and names of their own that lead to one address. */
static const struct place {
    const struct stage_domain *domains;
    struct stage_server servers[2];
} places[] = {
    {one_set_of_hosts, {{.host = "*", .message_ms = 100}}},
    {one_set_of_hosts, {{.host = "*", .message_ms = 100, .accepts = 3}}},
    {provider, {{.host = "*", .message_ms = 150}}},
    {NULL, {{.host = "*", .machine = 8, .message_ms = 100}}},
    {NULL, {{.host = "*", .machine = 8, .message_ms = 100, .accepts = 4}}},
    {NULL, {{.host = "*", .machine = 7, .message_ms = 100, .accepts = 1}}},
};

static void codes_without_end_leave_something_to_everybody(void **state)
{
    static const char *const others[] = {"bob", "eve"};
    static const enum stream_class classes[] = {STREAM_CONFIRMATION, STREAM_NOTIFICATION, STREAM_DIGEST};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(places); i++)
        for (size_t k = 0; k < COUNT_OF(others) * COUNT_OF(classes); k++) {
            struct stage *s = stage_new(&settings, places[i].domains, places[i].servers);
            enum stream_class class = classes[k / 2];
            s->tracing = false;
            int64_t last = flood(s, 0, "eve", "evil", STREAM_SECURITY);
            stage_run(s, 3000);
            int64_t slowest_ms = slowest_of(s, last, others[k % 2], "well", class);
            if (slowest_ms > 8000)
                fail_msg("place %zu: class %d of %s took %lld ms", i, (int)class, others[k % 2], (long long)slowest_ms);
            stage_free(s);
        }
}

/* Nor do those of one tenant stop the codes of another. */
static void codes_without_end_leave_codes_to_others(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        struct stage *s = stage_new(&settings, places[i].domains, places[i].servers);
        s->tracing = false;
        int64_t last = flood(s, 0, "eve", "evil", STREAM_SECURITY);
        stage_run(s, 3000);
        int64_t slowest_ms = slowest_of(s, last, "bob", "well", STREAM_SECURITY);
        if (slowest_ms > 2000)
            fail_msg("place %zu: %lld ms", i, (long long)slowest_ms);
        stage_free(s);
    }
}

/* Every class but the last goes before another one. */
static void confirmations_without_end_leave_something_to_the_rest(void **state)
{
    static const enum stream_class floods[] = {STREAM_CONFIRMATION, STREAM_NOTIFICATION};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(places); i++)
        for (size_t k = 0; k < COUNT_OF(floods); k++) {
            struct stage *s = stage_new(&settings, places[i].domains, places[i].servers);
            s->tracing = false;
            int64_t last = flood(s, 0, "eve", "evil", floods[k]);
            stage_run(s, 3000);
            int64_t slowest_ms = slowest_of(s, last, "bob", "well", STREAM_DIGEST);
            if (slowest_ms > 8000)
                fail_msg("place %zu: behind class %d: %lld ms", i, (int)floods[k], (long long)slowest_ms);
            slowest_ms = slowest_of(s, last + 100, "bob", "well", STREAM_SECURITY);
            if (slowest_ms > 2000)
                fail_msg("place %zu: a code behind class %d: %lld ms", i, (int)floods[k], (long long)slowest_ms);
            stage_free(s);
        }
}

/* The most connections that are busy in the next seconds. */
static size_t most_busy(struct stage *s, int64_t for_ms)
{
    size_t most = 0;
    struct queue_counts counts;
    for (int64_t i = 0; i < for_ms; i += 50) {
        stage_run(s, 50);
        queue_count(s->queue, &counts, s->now_ms);
        most = counts.busy > most ? counts.busy : most;
    }
    return most;
}

/* A part of what a destination, a provider, an address and the relay may have is kept for codes; but where there was none
 * for an hour, one connection is, and the code that comes then has the next turn. */
static void little_is_kept_where_no_code_is_about(void **state)
{
    static const struct {
        const struct stage_domain *domains;
        struct stage_server servers[2];
        struct queue_settings settings;
        size_t least;
    } rows[] = {
        {one_set_of_hosts, {{.host = "*", .message_ms = 200}}, {.per_destination = 20}, 18}, /* less one for codes, and one for other tenants */
        {provider, {{.host = "*", .message_ms = 200}}, {0}, 18},
        {NULL, {{.host = "*", .message_ms = 200, .machine = 8}}, {.per_destination = 20}, 19},
        {NULL, {{.host = "*", .message_ms = 200}}, {.connections = 20, .per_destination = 20}, 16}, /* less a part for others */
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct stage *s = stage_new(&rows[i].settings, rows[i].domains, rows[i].servers);
        const char *const tenants[] = {"a", "b", "c", "d"};
        int64_t last = 0;
        s->tracing = false;
        for (size_t k = 0; k < COUNT_OF(tenants); k++) /* nobody's share is the limit */
            last = flood(s, last, tenants[k], i == 3 ? tenants[k] : "some", STREAM_DIGEST) - FLOOD / 2;
        stage_run(s, 5000);
        size_t quiet = most_busy(s, 1000);
        stage_add(s, ++last + FLOOD, "bob", "some1.test", STREAM_SECURITY);
        int64_t took_ms = stage_run_until(s, last + FLOOD, last + FLOOD, 60000);
        stage_run(s, 2000);
        size_t with_codes = most_busy(s, 1000);
        if (quiet < rows[i].least || took_ms > 700 || with_codes > 16)
            fail_msg("row %zu: %zu connections, a code took %lld ms, then %zu", i, quiet, (long long)took_ms, with_codes);
        stage_free(s);
    }
}

/* A name that somebody else has asked for among many: his question may end without having been asked, and says
 * nothing about the second one. */
static void one_of_two_questions_that_fails_is_not_the_answer(void **state)
{
    static const struct stage_domain mute[] = {{.name = "*", .mute = true}, {0}};
    static const struct stage_server none[] = {{0}};
    struct stage *s = stage_new(&settings, mute, none);
    struct queue_domain_view view;
    char name[40];
    (void)state;
    for (int64_t i = 0; i < 12; i++) {
        snprintf(name, sizeof(name), "d%d.test", (int)i);
        stage_add(s, 1 + i, "flood", name, STREAM_SECURITY);
    }
    stage_run(s, 10000);
    stage_add(s, 100, "bob", "d0.test", STREAM_SECURITY);
    stage_run(s, 1000);
    assert_int_equal(s->resolving, 13);
    stage_run(s, 14000); /* the first has ended */
    queue_find_domain(s->queue, "d1.test", &view, s->now_ms);
    assert_int_equal(view.state, QUEUE_DOMAIN_UNRESOLVABLE);
    queue_find_domain(s->queue, "d0.test", &view, s->now_ms);
    assert_int_equal(view.state, QUEUE_DOMAIN_RESOLVING);
    stage_run(s, 8000); /* and the second */
    queue_find_domain(s->queue, "d0.test", &view, s->now_ms);
    assert_int_equal(view.state, QUEUE_DOMAIN_UNRESOLVABLE);
    stage_free(s);
}

/* A name waits behind many others of one tenant, and another one has nothing else to ask. */
static void a_name_is_asked_for_in_the_turn_of_who_has_few(void **state)
{
    static const struct stage_domain mute[] = {{.name = "mute*", .mute = true}, {0}};
    static const enum stream_class classes[] = {STREAM_SECURITY, STREAM_DIGEST};
    static const struct stage_server none[] = {{0}};
    const struct queue_settings two = {.lookups = 4};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(classes); i++) {
        struct stage *s = stage_new(&two, mute, none);
        char name[40];
        int64_t m = 0;
        while (m < 200) {
            snprintf(name, sizeof(name), "mute%d.test", (int)m);
            stage_add(s, ++m, "eve", name, classes[i]);
        }
        stage_add(s, ++m, "eve", "well.test", classes[i]);
        stage_run(s, 1000);
        stage_add(s, ++m, "bob", "well.test", classes[i]);
        int64_t took_ms = stage_run_until(s, m, m, 600000);
        if (took_ms > 5000)
            fail_msg("class %d: %lld ms", (int)classes[i], (long long)took_ms);
        stage_free(s);
    }
}

/* Who has asked is another one, though what was kept of him is gone, and the next one's may stand at the same place. */
static void a_name_is_asked_for_again_for_who_comes_after_a_tenant_that_is_gone(void **state)
{
    static const struct stage_domain mute[] = {{.name = "*", .mute = true}, {0}};
    static const struct stage_server none[] = {{0}};
    struct stage *s = stage_new(&settings, mute, none);
    (void)state;
    stage_add(s, 1, "eve", "d.test", STREAM_SECURITY);
    stage_run(s, 5000);
    queue_drop(s->queue, 1, 0, s->now_ms);
    stage_run(s, 1);
    stage_add(s, 2, "bob", "d.test", STREAM_SECURITY);
    stage_run(s, 100);
    assert_int_equal(s->resolving, 2);
    stage_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_of_two_questions_that_fails_is_not_the_answer),
        cmocka_unit_test(a_name_is_asked_for_in_the_turn_of_who_has_few),
        cmocka_unit_test(a_name_is_asked_for_again_for_who_comes_after_a_tenant_that_is_gone),
        cmocka_unit_test(codes_without_end_leave_something_to_everybody),
        cmocka_unit_test(codes_without_end_leave_codes_to_others),
        cmocka_unit_test(confirmations_without_end_leave_something_to_the_rest),
        cmocka_unit_test(little_is_kept_where_no_code_is_about),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
