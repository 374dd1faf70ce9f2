// SPDX-License-Identifier: BSD-2-Clause
/* queue_shares_test.c - A tenant that means harm, with as many domains and servers as it likes: what the others are left.
 * The kind in all: something limited that whoever comes first may have all of, or that one can spoil for all. */
#include "queue_stage.h"

static const struct queue_settings settings = {.connections = 400, .shards = 4, .per_destination = 10};

/* To `count` domains "PREFIXn.test", of one tenant. Returns the last message. */
static int64_t add_many(struct stage *s, int64_t message, const char *tenant, const char *prefix, size_t count,
                        enum stream_class class)
{
    char name[40];
    for (size_t i = 0; i < count; i++) {
        snprintf(name, sizeof(name), "%s%zu.test", prefix, i);
        stage_add(s, ++message, tenant, name, class);
    }
    return message;
}

/* One code a second for half a minute, each to one of ten domains. How long the slowest took. */
static int64_t slowest_of(struct stage *s, int64_t message, const char *tenant, const char *prefix,
                          enum stream_class class)
{
    int64_t first = message;
    char name[40];
    int64_t slowest_ms = 0;
    int64_t added_ms[30];
    for (size_t i = 0; i < COUNT_OF(added_ms); i++) {
        snprintf(name, sizeof(name), "%s%zu.test", prefix, i % 10);
        added_ms[i] = s->now_ms;
        stage_add(s, ++message, tenant, name, class);
        stage_run(s, 1000);
    }
    stage_run(s, 5000);
    for (size_t i = 0; i < COUNT_OF(added_ms); i++) {
        int64_t done_ms = s->done_ms[first + 1 + (int64_t)i];
        int64_t took_ms = done_ms < 0 ? INT64_MAX : done_ms - added_ms[i];
        slowest_ms = took_ms > slowest_ms ? took_ms : slowest_ms;
    }
    return slowest_ms;
}

static const struct stage_server evil_servers[] = {{.host = "mx.evil*", .kind = SERVER_STALLS},
                                                   {.host = "mx.hung*", .kind = SERVER_HANGS},
                                                   {0}};

static void a_tenants_stalled_codes_leave_room_for_everybody(void **state)
{
    static const char *const prefixes[] = {"evil", "hung"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(prefixes); i++) {
        struct stage *s = stage_new(&settings, NULL, evil_servers);
        s->tracing = false;
        int64_t last = add_many(s, 0, "eve", prefixes[i], 2000, STREAM_SECURITY);
        stage_run(s, 5000);
        assert_true(s->open_now <= 300);
        assert_true(slowest_of(s, last, "bob", "well", STREAM_SECURITY) < 1000);
        assert_true(slowest_of(s, last + 100, "carl", "fine", STREAM_DIGEST) < 1000);
        stage_free(s);
    }
}

static void the_same_holds_for_several_of_them_and_all_classes(void **state)
{
    static const char *const eves[] = {"eve", "evan", "eva", "evita"};
    struct stage *s = stage_new(&settings, NULL, evil_servers);
    int64_t last = 0;
    char prefix[16];
    (void)state;
    s->tracing = false;
    for (size_t i = 0; i < 8; i++) {
        snprintf(prefix, sizeof(prefix), "evil%zu-", i);
        last = add_many(s, last, eves[i / 2], prefix, 900, i % 2 ? STREAM_SECURITY : STREAM_DIGEST);
    }
    stage_run(s, 5000);
    assert_true(slowest_of(s, last, "bob", "well", STREAM_SECURITY) < 1000);
    assert_true(slowest_of(s, last + 100, "carl", "fine", STREAM_DIGEST) < 1000);
    stage_free(s);
}

/* Only one tenant has had mail, when the others come. */
static void a_lonely_tenant_leaves_room_too(void **state)
{
    struct stage *s = stage_new(&settings, NULL, evil_servers);
    (void)state;
    s->tracing = false;
    int64_t last = add_many(s, 0, "eve", "evil", 2000, STREAM_DIGEST);
    stage_run(s, 60000);
    assert_true(s->open_now < 400 * 3 / 4);
    assert_true(slowest_of(s, last, "carl", "well", STREAM_DIGEST) < 1000);
    stage_free(s);
}

/* Its own mail is next at a destination of many tenants: it is passed over while it holds too much. */
static void who_holds_too_much_is_passed_over(void **state)
{
    static const struct stage_domain domains[] = {{.name = "well*", .hosts = {"mx.shared.test"}}, {0}};
    struct stage *s = stage_new(&settings, domains, evil_servers);
    (void)state;
    s->tracing = false;
    int64_t last = add_many(s, 0, "eve", "evil", 2000, STREAM_SECURITY);
    stage_run(s, 2000);
    last = add_many(s, last, "eve", "well", 50, STREAM_SECURITY);
    assert_true(slowest_of(s, last, "bob", "well", STREAM_SECURITY) < 1000);
    assert_true(slowest_of(s, last + 100, "carl", "well", STREAM_DIGEST) < 1000);
    stage_free(s);
}

/* The server of bob's is slow to greet; nothing of his is given up because others want more than their part. */
static void what_opens_is_not_given_up_for_who_holds_more(void **state)
{
    static const struct stage_server servers[] = {
        {.host = "mx.evil*", .kind = SERVER_STALLS}, {.host = "mx.slow*", .greet_ms = 8000}, {0}};
    struct stage *s = stage_new(&settings, NULL, servers);
    (void)state;
    int64_t last = add_many(s, 0, "eve", "evil", 2000, STREAM_SECURITY);
    stage_run(s, 2000);
    int64_t bobs = add_many(s, last, "bob", "slow", 20, STREAM_NOTIFICATION);
    assert_true(stage_run_until(s, last + 1, bobs, 60000) < 9000);
    assert_null(strstr(s->trace, "mx.slow0.test:25 rests"));
    stage_free(s);
}

static void mute_names_of_codes_leave_lookups_for_everybody(void **state)
{
    static const struct stage_domain domains[] = {{.name = "mute*", .mute = true}, {0}};
    struct stage *s = stage_new(&settings, domains, NULL);
    (void)state;
    s->tracing = false;
    int64_t last = add_many(s, 0, "eve", "mute", 5000, STREAM_SECURITY);
    stage_run(s, 500);
    assert_true(slowest_of(s, last, "bob", "well", STREAM_SECURITY) < 1000);
    stage_free(s);
}

/* A tenant's domains lead to the server of another one's recipients, by names of their own; it takes ten connections. */
static void names_for_the_server_of_others_leave_it_to_them(void **state)
{
    static const struct stage_server servers[] = {
        {.host = "*", .machine = 8, .message_ms = 300, .accepts = 10}, {0}};
    static const enum stream_class classes[] = {STREAM_DIGEST, STREAM_SECURITY};
    struct queue_settings twenty = {.connections = 400, .shards = 2, .per_destination = 20};
    (void)state;
    for (size_t i = 0; i < 2 * COUNT_OF(classes); i++) {
        const struct stage_server odd[] = {
            {.host = "*", .machine = 7, .message_ms = 300, .accepts = 10}, {0}};
        struct stage *s = stage_new(&twenty, NULL, i < 2 ? servers : odd);
        int64_t last = 0;
        s->tracing = false;
        for (size_t round = 0; round < 15; round++)
            last = add_many(s, last, "eve", "evil", 300, classes[i % 2]);
        stage_run(s, 5000);
        assert_true(slowest_of(s, last, "bob", "well", STREAM_SECURITY) < 3000);
        if (classes[i % 2] == STREAM_DIGEST)
            assert_true(slowest_of(s, last + 100, "carl", "fine", STREAM_DIGEST) < 5000);
        assert_true(s->machine_most[i < 2 ? 8 : 7] <= 10);
        stage_free(s);
    }
}

/* A provider's name is borrowed for hosts that were never seen to take mail: what they do says nothing of the provider,
 * neither how many connections it bears nor that it is down. */
static void hosts_that_never_worked_do_not_speak_for_a_provider(void **state)
{
    static const struct stage_domain domains[] = {{.name = "*", .hosts = {".mail.protection.outlook.com"}}, {0}};
    static const enum server_kind kinds[] = {SERVER_REFUSES, SERVER_FULL, SERVER_HANGS, SERVER_STALLS};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        const struct stage_server servers[] = {{.host = "evil*", .kind = kinds[i]}, {0}};
        struct stage *s = stage_new(&settings, domains, servers);
        struct queue_destination_view view;
        stage_add(s, 1, "bob", "well0.test", STREAM_SECURITY);
        stage_run(s, 70000); /* nothing is open there any more, nor lately was */
        int64_t last = add_many(s, 1, "eve", "evil", 300, STREAM_SECURITY);
        assert_true(slowest_of(s, last, "bob", "well", STREAM_SECURITY) < 1000);
        assert_true(queue_find_destination(s->queue, "microsoft365:25", &view, s->now_ms));
        assert_int_equal(view.rest_ms, 0);
        assert_int_equal(view.no_growth_ms, 0);
        assert_null(strstr(s->trace, "microsoft365:25 rests"));
        stage_free(s);
    }
}

/* When hosts that have worked fail for two tenants it rests, shortly; codes try it meanwhile. */
static void a_provider_that_fails_rests_shortly(void **state)
{
    static const struct stage_domain domains[] = {{.name = "*", .hosts = {".mail.protection.outlook.com"}}, {0}};
    static struct stage_server servers[] = {{.host = "well*", .kind = SERVER_GOOD}, {0}};
    static const char *const tenants[] = {"a", "b"};
    char name[40];
    int64_t m = 0;
    (void)state;
    servers[0].kind = SERVER_GOOD;
    struct stage *s = stage_new(&settings, domains, servers);
    for (int round = 0; round < 12; round++) {
        for (size_t i = 0; i < 10; i++) {
            snprintf(name, sizeof(name), "well%zu.test", i);
            stage_add(s, ++m, tenants[i % 2], name, STREAM_NOTIFICATION);
        }
        stage_run(s, 6000);
        servers[0].kind = SERVER_REFUSES;
    }
    const char *rest = strstr(s->trace, "microsoft365:25 rests");
    assert_non_null(rest);
    servers[0].kind = SERVER_GOOD;
    stage_run(s, 700000);
    assert_true(s->done_ms[m] >= 0);
    stage_free(s);
}

/* An ordinary message waits for a server that says nothing: a code does not wait behind it. */
static void a_code_tries_a_server_beside_what_waits_for_it(void **state)
{
    static struct stage_server servers[] = {{.host = "mx.evil0.test", .kind = SERVER_HANGS}, {0}};
    struct stage *s = stage_new(&settings, NULL, servers);
    (void)state;
    servers[0].kind = SERVER_HANGS;
    stage_add(s, 1, "a", "evil0.test", STREAM_NOTIFICATION);
    stage_run(s, 1000);
    servers[0].kind = SERVER_GOOD;
    stage_add(s, 2, "a", "evil0.test", STREAM_SECURITY);
    assert_true(stage_run_until(s, 2, 2, 60000) < 1000);
    servers[0].kind = SERVER_HANGS;
    stage_free(s);
}

/* A reload opens a second lane to the same hosts, and "retry" ends a rest; neither makes failures unseen. */
static void failures_count_over_reloads_and_retries(void **state)
{
    static const struct stage_server servers[] = {{.host = "*", .kind = SERVER_HANGS}, {0}};
    static const char *const tenants[] = {"a", "b"};
    struct stage *s = stage_new(&settings, NULL, servers);
    struct queue_destination_view view;
    int64_t m = 0;
    (void)state;
    for (unsigned round = 0; round < 6; round++) {
        for (size_t i = 0; i < 2; i++)
            stage_add(s, ++m, tenants[i], "hung.test", i ? STREAM_SECURITY : STREAM_NOTIFICATION);
        stage_run(s, 15000);
        s->trust++;
        queue_forget_answers(s->queue, NULL, s->now_ms);
        queue_resume(s->queue, round % 2 ? NULL : "mx.hung.test:25", s->now_ms);
        stage_add(s, ++m, tenants[round % 2], "hung.test", STREAM_NOTIFICATION);
        stage_run(s, 40000);
        queue_resume_domain(s->queue, "hung.test", s->now_ms);
        assert_true(queue_find_destination(s->queue, "mx.hung.test:25", &view, s->now_ms));
        assert_true(view.failures > round);
    }
    assert_non_null(strstr(s->trace, "mx.hung.test:25 rests"));
    stage_free(s);
}

/* As many stalled connections as there are, of several tenants: they are hurried for who holds less, and for him alone. */
static void who_is_busy_in_vain_hurries_for_who_holds_less(void **state)
{
    static const char *const tenants[] = {"eve", "evan", "eva", "evita"};
    struct queue_settings small = {.connections = 6, .shards = 2};
    struct stage *s = stage_new(&small, NULL, evil_servers);
    int64_t last = 0;
    char prefix[16];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(tenants); i++) {
        snprintf(prefix, sizeof(prefix), "evil%zu-", i);
        last = add_many(s, last, tenants[i], prefix, 10, STREAM_DIGEST);
        stage_run(s, 100);
    }
    last = add_many(s, last, "evie", "evil5-", 10, STREAM_DIGEST);
    stage_run(s, 30000);
    assert_int_equal(s->open_now, 5);
    stage_add(s, last + 1, "bob", "well.test", STREAM_DIGEST);
    assert_true(stage_run_until(s, last + 1, last + 1, 400000) < 25000);
    assert_non_null(strstr(s->trace, "HURRY"));
    stage_free(s);
    s = stage_new(&settings, NULL, evil_servers);
    add_many(s, 0, "eve", "evil", 1000, STREAM_DIGEST);
    stage_run(s, 200000);
    assert_non_null(strstr(s->trace, "HURRY")); /* its own mail waits, for servers that may be better */
    stage_free(s);
    s = stage_new(&settings, NULL, evil_servers);
    add_many(s, 0, "eve", "evil", 200, STREAM_DIGEST);
    stage_run(s, 200000);
    assert_null(strstr(s->trace, "HURRY")); /* nothing waits */
    stage_free(s);
}

/* The same where not all connections are busy, but all that a provider's hosts may have, or all at an address. */
static const struct stage_domain small_provider[] = {{.name = "*", .hosts = {".wp.pl"}}, {0}};

static void who_is_busy_in_vain_hurries_for_a_place_of_few(void **state)
{
    static const struct {
        const struct stage_domain *domains;
        struct stage_server servers[3];
        struct queue_settings settings;
    } rows[] = {
        {small_provider,
         {{.host = "evil*", .kind = SERVER_STALLS}},
         {.connections = 400}},
        {NULL,
         {{.host = "mx.evil*", .kind = SERVER_STALLS, .machine = 8}, {.host = "*", .machine = 8}},
         {.connections = 400, .per_destination = 5}},
    };
    static const char *const tenants[] = {"eve", "evan", "eva", "evita", "evie", "evo"};
    char prefix[16];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct stage *s = stage_new(&rows[i].settings, rows[i].domains, rows[i].servers);
        int64_t last = 0;
        for (size_t k = 0; k < COUNT_OF(tenants); k++) {
            snprintf(prefix, sizeof(prefix), "evil%zu-", k);
            last = add_many(s, last, tenants[k], prefix, 10, STREAM_DIGEST);
            stage_run(s, 100);
        }
        stage_run(s, 1000);
        stage_add(s, last + 1, "bob", "well.test", STREAM_DIGEST);
        int64_t took_ms = stage_run_until(s, last + 1, last + 1, 400000);
        if (took_ms > 60000)
            fail_msg("row %zu: %lld ms", i, (long long)took_ms);
        stage_free(s);
    }
}

/* At an address, too, nobody hurries for a tenant's own mail, of which there is more than it bears. */
static void who_is_busy_does_not_hurry_for_his_own_tenant(void **state)
{
    static const struct stage_server servers[] = {{.host = "*", .kind = SERVER_STALLS, .machine = 8}, {0}};
    const struct queue_settings few = {.connections = 400, .per_destination = 5};
    struct stage *s = stage_new(&few, NULL, servers);
    (void)state;
    int64_t last = add_many(s, 0, "eve", "evil", 20, STREAM_DIGEST);
    stage_run(s, 100000);
    assert_in_range(s->open_now, 4, 5);
    assert_null(strstr(s->trace, "HURRY"));
    stage_add(s, last + 1, "bob", "well.test", STREAM_DIGEST);
    stage_run(s, 2000);
    assert_non_null(strstr(s->trace, "HURRY"));
    stage_free(s);
}

/* The same at one destination, which has all the connections it may have: only for a tenant that holds no more. */
static void who_is_busy_in_vain_hurries_for_a_place_at_his_destination(void **state)
{
    static const struct stage_domain domains[] = {{.name = "*", .hosts = {"mx.shared.test"}}, {0}};
    static const struct stage_server servers[] = {{.host = "*", .kind = SERVER_STALLS}, {0}};
    static const struct {
        const char *label, *waits;
        enum stream_class class;
        bool hurries;
    } rows[] = {
        {"nobody else waits", "eve", STREAM_DIGEST, false},
        {"another tenant waits", "bob", STREAM_DIGEST, true},
        {"another tenant's code waits", "bob", STREAM_SECURITY, true},
    };
    const struct queue_settings few = {.connections = 400, .per_destination = 1}; /* no place is left to others */
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct stage *s = stage_new(&few, domains, servers);
        struct queue_destination_view view;
        int64_t last = add_many(s, 0, "eve", "d", 20, i == 2 ? STREAM_SECURITY : STREAM_DIGEST);
        stage_run(s, 15000);
        assert_true(queue_find_destination(s->queue, "mx.shared.test:25", &view, s->now_ms));
        EXPECT(view.busy > 0 && view.opening == 0 && !strstr(s->trace, "HURRY"), rows[i].label);
        stage_add(s, last + 1, rows[i].waits, "e.test", rows[i].class);
        stage_run(s, 2000);
        EXPECT((strstr(s->trace, "HURRY mx.shared.test:25") != NULL) == rows[i].hurries, rows[i].label);
        stage_run(s, 40000);
        EXPECT((s->begun_ms[last + 1] >= 0) == rows[i].hurries, rows[i].label);
        stage_free(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tenants_stalled_codes_leave_room_for_everybody),
        cmocka_unit_test(the_same_holds_for_several_of_them_and_all_classes),
        cmocka_unit_test(a_lonely_tenant_leaves_room_too),
        cmocka_unit_test(who_holds_too_much_is_passed_over),
        cmocka_unit_test(what_opens_is_not_given_up_for_who_holds_more),
        cmocka_unit_test(mute_names_of_codes_leave_lookups_for_everybody),
        cmocka_unit_test(names_for_the_server_of_others_leave_it_to_them),
        cmocka_unit_test(hosts_that_never_worked_do_not_speak_for_a_provider),
        cmocka_unit_test(a_provider_that_fails_rests_shortly),
        cmocka_unit_test(a_code_tries_a_server_beside_what_waits_for_it),
        cmocka_unit_test(failures_count_over_reloads_and_retries),
        cmocka_unit_test(who_is_busy_in_vain_hurries_for_who_holds_less),
        cmocka_unit_test(who_is_busy_in_vain_hurries_for_a_place_of_few),
        cmocka_unit_test(who_is_busy_does_not_hurry_for_his_own_tenant),
        cmocka_unit_test(who_is_busy_in_vain_hurries_for_a_place_at_his_destination),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
