// SPDX-License-Identifier: BSD-2-Clause
/* queue_stuck_test.c - Servers that take a message and then say nothing: after the final dot nothing hurries them, and they
 * are waited for ten minutes. The kind: what holds connections busy without end harms others, or its tenant's other mail.
 */
#include "queue_stage.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND };

/* As a relay with 1,024 descriptors has, and one with many. */
static const struct queue_settings sizes[] = {{.connections = 58, .shards = 2}, {.connections = 400, .shards = 4}};

static const struct stage_server servers[] = {
    {.host = "mx.mute*", .kind = SERVER_MUTE},
    {.host = "mx.stall*", .kind = SERVER_STALLS},
    {.host = "mx.falls*", .kind = SERVER_MUTE, .mute_from_ms = 20 * SECOND},
    {.host = "*", .message_ms = 50},
    {0},
};

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

/* One a second to each of ten domains in turn; the slowest. */
static int64_t slowest_of(struct stage *s, int64_t *last, const char *tenant, const char *prefix, enum stream_class class,
                          size_t count)
{
    int64_t slowest_ms = 0;
    char name[40];
    for (size_t i = 0; i < count; i++) {
        snprintf(name, sizeof(name), "%s%zu.test", prefix, i % 10);
        stage_add(s, ++*last, tenant, name, class);
        int64_t took_ms = stage_run_until(s, *last, *last, 2 * MINUTE);
        slowest_ms = took_ms > slowest_ms ? took_ms : slowest_ms;
        stage_run(s, SECOND);
    }
    return slowest_ms;
}

struct row {
    const char *label, *prefix;
    enum stream_class silent, next;
    bool known;      /* what comes then has been answered before */
    int64_t wait_ms; /* before it comes */
    int64_t most_ms;
};

/* How much a tenant's other mail waits behind domains that fall silent, twice as many as there are connections. */
static const struct row rows[] = {
    {"codes behind other mail", "mute", STREAM_DIGEST, STREAM_SECURITY, false, SECOND, SECOND},
    {"codes behind other mail, later", "mute", STREAM_DIGEST, STREAM_SECURITY, false, MINUTE, SECOND},
    {"codes to known servers behind codes", "mute", STREAM_SECURITY, STREAM_SECURITY, true, SECOND, SECOND},
    {"codes to known servers behind codes, later", "mute", STREAM_SECURITY, STREAM_SECURITY, true, MINUTE, SECOND},
    {"other mail to known servers", "mute", STREAM_DIGEST, STREAM_NOTIFICATION, true, SECOND, SECOND},
    {"other mail to known servers, later", "mute", STREAM_DIGEST, STREAM_NOTIFICATION, true, MINUTE, SECOND},
    {"other mail behind codes", "mute", STREAM_SECURITY, STREAM_DIGEST, true, MINUTE, SECOND},
    {"codes behind mail that stalls before the dot", "stall", STREAM_DIGEST, STREAM_SECURITY, false, MINUTE, SECOND},
    {"other mail behind mail that stalls before the dot", "stall", STREAM_DIGEST, STREAM_DIGEST, true, MINUTE, SECOND},
};

static void silent_servers_leave_their_own_tenant_something(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT_OF(sizes); k++)
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
            const struct row *r = &rows[i];
            struct queue_counts counts;
            struct stage *s = stage_new(&sizes[k], NULL, servers);
            int64_t last = r->known ? add_many(s, 0, "eve", "well", 10, r->next) : 0;
            s->tracing = false;
            stage_run(s, 10 * SECOND);
            last = add_many(s, last, "eve", r->prefix, 2 * sizes[k].connections, r->silent);
            stage_run(s, r->wait_ms);
            int64_t slowest_ms = slowest_of(s, &last, "eve", "well", r->next, 30);
            queue_count(s->queue, &counts, s->now_ms);
            assert_true(counts.busy + counts.opening <= sizes[k].connections * 7 / 8);
            if (slowest_ms > r->most_ms)
                fail_msg("%u connections, %s: %lld ms", sizes[k].connections, r->label, (long long)slowest_ms);
            slowest_ms = slowest_of(s, &last, "bob", "fine", STREAM_DIGEST, 10);
            if (slowest_ms > SECOND)
                fail_msg("%u connections, %s: another tenant's %lld ms", sizes[k].connections, r->label, (long long)slowest_ms);
            stage_free(s);
        }
}

/* Codes pass whatever is silent, unless one in sixteen connections is held by codes to servers that had answered before: the
 * last eighth is the other tenants', and what is above that no other mail gets. */
static void codes_pass_unless_very_many_known_servers_fall_silent_over_them(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT_OF(sizes); k++) {
        struct stage *s = stage_new(&sizes[k], NULL, servers);
        size_t bound = sizes[k].connections / 16 - 1;
        s->tracing = false;
        int64_t last = add_many(s, 0, "eve", "well", 10, STREAM_SECURITY);
        last = add_many(s, last, "eve", "falls", bound, STREAM_NOTIFICATION);
        last = add_many(s, last, "eve", "falls-too", sizes[k].connections, STREAM_NOTIFICATION);
        stage_run(s, 20 * SECOND);
        last = add_many(s, last, "eve", "mute", 2 * sizes[k].connections, STREAM_SECURITY);
        last = add_many(s, last, "eve", "mute-too", 2 * sizes[k].connections, STREAM_DIGEST);
        stage_run(s, MINUTE);
        last = add_many(s, last, "eve", "falls-too", sizes[k].connections, STREAM_NOTIFICATION);
        stage_run(s, MINUTE);
        last = add_many(s, last, "eve", "falls", bound, STREAM_SECURITY);
        stage_run(s, MINUTE);
        int64_t slowest_ms = slowest_of(s, &last, "eve", "well", STREAM_SECURITY, 30);
        if (slowest_ms > SECOND)
            fail_msg("%u connections: %lld ms", sizes[k].connections, (long long)slowest_ms);
        assert_true(slowest_of(s, &last, "bob", "fine", STREAM_SECURITY, 10) <= SECOND);
        assert_true(slowest_of(s, &last, "bob", "fine", STREAM_DIGEST, 10) <= SECOND);
        stage_free(s);
    }
}

/* New servers get a turn, too, and what is slow before the dot gives up its connections for them. */
static void servers_not_yet_known_get_a_turn(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT_OF(sizes); k++) {
        struct stage *s = stage_new(&sizes[k], NULL, servers);
        int64_t last = add_many(s, 0, "eve", "stall", 2 * sizes[k].connections, STREAM_DIGEST);
        stage_run(s, SECOND);
        stage_add(s, ++last, "eve", "new.test", STREAM_DIGEST);
        int64_t took_ms = stage_run_until(s, last, last, 10 * MINUTE);
        if (took_ms > MINUTE)
            fail_msg("%u connections: %lld ms", sizes[k].connections, (long long)took_ms);
        stage_free(s);
    }
}

/* The operator is told, once in a while, whose mail it is and where most of it hangs. */
static void the_operator_is_told(void **state)
{
    struct stage *s = stage_new(&sizes[0], NULL, servers);
    (void)state;
    int64_t last = 0;
    for (size_t i = 0; i < 4; i++)
        last = add_many(s, last, "eve", "mute", 1, STREAM_DIGEST); /* to one of them several */
    last = add_many(s, last, "eve", "mute", 80, STREAM_DIGEST);
    stage_run(s, 5 * MINUTE);
    const char *told = strstr(s->trace, "eve is held up by ");
    assert_non_null(told);
    assert_non_null(strstr(told, ", most at mx.mute0.test:25\n"));
    assert_null(strstr(told + strlen("eve is held up"), "is held up"));
    stage_free(s);
    s = stage_new(&sizes[0], NULL, servers);
    add_many(s, 0, "eve", "mute", 30, STREAM_DIGEST);
    stage_run(s, 5 * MINUTE);
    assert_null(strstr(s->trace, "is held up")); /* not all of it, and nothing waits */
    stage_free(s);
}

/* ---- at one destination ---- */

static const struct queue_settings twenty = {.connections = 400, .shards = 2, .per_destination = 20};
static const struct stage_domain shared[] = {{.name = "*", .hosts = {"mx.shared.test"}}, {0}};
static const struct stage_server scanner[] = {
    {.host = "*", .message_ms = 50, .slow_domain = "slow.test", .slow_ms = 10 * MINUTE}, {0}};

/* One tenant's messages are taken and not answered. While the window is small it grows by one each five seconds; codes have
 * those, but nothing keeps out who has no connection there when some are stuck. Cold, and where all connections have been of use a moment before. */
static void a_tenants_unanswered_messages_leave_places_to_others(void **state)
{
    static const enum stream_class classes[] = {STREAM_DIGEST, STREAM_SECURITY};
    (void)state;
    for (size_t i = 0; i < 8; i++) {
        struct stage *s = stage_new(&twenty, shared, scanner);
        enum stream_class class = classes[i % 2];
        bool warm = i / 2 % 2;
        bool known = i / 4; /* the other tenant had mail there before */
        s->tracing = false;
        int64_t last = known ? add_many(s, 0, "bob", "fine", 1, STREAM_DIGEST) : 0;
        for (size_t k = 0; warm && k < 40; k++)
            last = add_many(s, last, "eve", "quick", 10, class);
        stage_run(s, warm ? 2 * SECOND : SECOND);
        for (size_t k = 0; k < 40; k++)
            stage_add(s, ++last, "eve", "slow.test", class);
        stage_run(s, 5 * SECOND);
        for (size_t k = 0; k < 3; k++) {
            int64_t slowest_ms = slowest_of(s, &last, "bob", "fine", STREAM_DIGEST, 20);
            if (slowest_ms > (k > 0 || class == STREAM_DIGEST ? 6 : 11) * SECOND)
                fail_msg("row %zu, round %zu: %lld ms", i, k, (long long)slowest_ms);
        }
        assert_true(slowest_of(s, &last, "bob", "fine", STREAM_SECURITY, 20) <= SECOND);
        assert_true(s->machine_most[machine_number(s, "mx.shared.test")] <= 20);
        stage_free(s);
    }
}

/* And a tenant that is alone there has all of them, when it is answered. */
static void who_is_alone_and_answered_has_all_places(void **state)
{
    struct stage *s = stage_new(&twenty, shared, scanner);
    struct queue_destination_view view;
    unsigned most = 0;
    (void)state;
    s->tracing = false;
    int64_t last = 0;
    for (size_t i = 0; i < 300; i++)
        last = add_many(s, last, "eve", "quick", 10, STREAM_DIGEST);
    for (size_t i = 0; i < 50; i++) {
        stage_run(s, 100);
        assert_true(queue_find_destination(s->queue, "mx.shared.test:25", &view, s->now_ms));
        most = view.busy > most ? (unsigned)view.busy : most;
    }
    assert_int_equal(most, 19); /* less one for codes */
    stage_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(silent_servers_leave_their_own_tenant_something),
        cmocka_unit_test(codes_pass_unless_very_many_known_servers_fall_silent_over_them),
        cmocka_unit_test(servers_not_yet_known_get_a_turn),
        cmocka_unit_test(the_operator_is_told),
        cmocka_unit_test(a_tenants_unanswered_messages_leave_places_to_others),
        cmocka_unit_test(who_is_alone_and_answered_has_all_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
