// SPDX-License-Identifier: BSD-2-Clause
/* queue_fair_part_test.c - What a tenant calls urgent goes first for its fair part of a destination's turns, and no more. The
 * kind in all: something that one tenant does - a word that it says of its mail, many tenants before, a rest, a pause - and
 * another one's mail that could go does not. */
#include "queue_stage.h"

enum { FLOOD = 4000 };

static const struct stage_domain one_set_of_hosts[] = {{.name = "*", .hosts = {"mx.shared.test"}}, {0}};
static const struct stage_domain provider[] = {{.name = "*", .hosts = {".mail.protection.outlook.com"}}, {0}};

static int64_t flood(struct stage *s, int64_t message, const char *tenant, const char *domain, enum stream_class class,
                     size_t count)
{
    for (size_t i = 0; i < count; i++)
        stage_add(s, ++message, tenant, domain, class);
    return message;
}

static size_t done_of(const struct stage *s, int64_t first, int64_t last)
{
    size_t done = 0;
    for (int64_t m = first; m <= last; m++)
        done += s->done_ms[m] >= 0;
    return done;
}

/* ---- 1: security beyond a fair part ---- */

/* Where two tenants' mail waits; `few`: what the destination may have. */
static const struct {
    const char *label;
    const struct stage_domain *domains;
    struct stage_server servers[2];
    unsigned few;
    const char *evil, *well;
} places[] = {
    {"one connection", one_set_of_hosts, {{.host = "*", .message_ms = 200}}, 1, "a.test", "a.test"},
    {"two", one_set_of_hosts, {{.host = "*", .message_ms = 200}}, 2, "a.test", "b.test"},
    {"five", one_set_of_hosts, {{.host = "*", .message_ms = 500}}, 5, "a.test", "a.test"},
    {"fast", one_set_of_hosts, {{.host = "*", .message_ms = 30}}, 1, "a.test", "b.test"},
    {"very slow", one_set_of_hosts, {{.host = "*", .message_ms = 3000}}, 1, "a.test", "a.test"},
    {"a provider's hosts", provider, {{.host = "*", .message_ms = 200}}, 1, "a.test", "b.test"},
};

/* Half of the turns, or a little less: not one in ten. */
static void codes_beyond_a_fair_part_are_in_turn_with_other_mail(void **state)
{
    static const enum stream_class classes[] = {STREAM_CONFIRMATION, STREAM_NOTIFICATION, STREAM_DIGEST};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(places); i++)
        for (size_t k = 0; k < COUNT_OF(classes); k++) {
            const struct queue_settings settings = {.shards = 2, .per_destination = places[i].few};
            struct stage *s = stage_new(&settings, places[i].domains, places[i].servers);
            s->tracing = false;
            int64_t eve = flood(s, 0, "eve", places[i].evil, STREAM_SECURITY, FLOOD);
            int64_t bob = flood(s, eve, "bob", places[i].well, classes[k], FLOOD);
            int64_t for_ms = places[i].servers[0].message_ms * 600 / places[i].few;
            stage_run(s, 60000 + for_ms / 10);
            size_t evil = done_of(s, 1, eve);
            size_t well = done_of(s, eve + 1, bob);
            stage_run(s, for_ms);
            evil = done_of(s, 1, eve) - evil;
            well = done_of(s, eve + 1, bob) - well;
            if (well * 100 < (evil + well) * 40)
                fail_msg("%s, class %d: %zu codes, and %zu of the other's", places[i].label, (int)classes[k], evil, well);
            stage_free(s);
        }
}

/* Nor is it more by calling some of it something else. */
static void codes_and_confirmations_beyond_it_are_in_turn_too(void **state)
{
    const struct queue_settings settings = {.per_destination = 1};
    static const struct stage_server servers[] = {{.host = "*", .message_ms = 200}, {0}};
    struct stage *s = stage_new(&settings, one_set_of_hosts, servers);
    (void)state;
    s->tracing = false;
    int64_t eve = flood(s, 0, "eve", "a.test", STREAM_SECURITY, 2000);
    eve = flood(s, eve, "eve", "a.test", STREAM_CONFIRMATION, 2000);
    eve = flood(s, eve, "eve", "b.test", STREAM_DIGEST, 2000);
    int64_t bob = flood(s, eve, "bob", "b.test", STREAM_DIGEST, 2000);
    stage_run(s, 60000);
    size_t before = done_of(s, eve + 1, bob);
    stage_run(s, 60000);
    assert_in_range(done_of(s, eve + 1, bob) - before, 110, 190); /* of 300 */
    stage_free(s);
}

/* Three tenants' floods of three kinds: a third each. */
static void each_has_its_part_whatever_it_says(void **state)
{
    const struct queue_settings settings = {.per_destination = 1};
    static const struct stage_server servers[] = {{.host = "*", .message_ms = 200}, {0}};
    struct stage *s = stage_new(&settings, one_set_of_hosts, servers);
    size_t before[3];
    (void)state;
    s->tracing = false;
    int64_t last = flood(s, 0, "eve", "a.test", STREAM_SECURITY, 2000);
    last = flood(s, last, "bob", "a.test", STREAM_CONFIRMATION, 2000);
    flood(s, last, "amy", "b.test", STREAM_DIGEST, 2000);
    stage_run(s, 90000);
    for (int64_t i = 0; i < 3; i++)
        before[i] = done_of(s, i * 2000 + 1, i * 2000 + 2000);
    stage_run(s, 120000);
    for (int64_t i = 0; i < 3; i++)
        assert_in_range(done_of(s, i * 2000 + 1, i * 2000 + 2000) - before[i], 160, 240); /* of 600 */
    stage_free(s);
}

/* A few codes, beside whatever flood of another's: the next turn, or the one after it. */
static void few_codes_go_next_beside_any_flood(void **state)
{
    static const enum stream_class floods[] = {STREAM_SECURITY, STREAM_CONFIRMATION, STREAM_DIGEST};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(places); i++)
        for (size_t k = 0; k < COUNT_OF(floods); k++) {
            const struct queue_settings settings = {.per_destination = places[i].few};
            struct stage *s = stage_new(&settings, places[i].domains, places[i].servers);
            s->tracing = false;
            int64_t last = flood(s, 0, "eve", places[i].evil, floods[k], FLOOD);
            last = flood(s, last, "bob", places[i].well, STREAM_DIGEST, 1000);
            stage_run(s, 40000);
            for (size_t n = 0; n < 6; n++) {
                stage_add(s, ++last, "bob", places[i].well, STREAM_SECURITY);
                int64_t took_ms = stage_run_until(s, last, last, 600000);
                int64_t most_ms = 3 * places[i].servers[0].message_ms + 1000;
                if (took_ms > most_ms)
                    fail_msg("%s, behind class %d: code %zu took %lld ms", places[i].label, (int)floods[k], n,
                             (long long)took_ms);
                stage_run(s, 20 * places[i].servers[0].message_ms);
            }
            stage_free(s);
        }
}

/* Who is alone there loses nothing: codes first, but for one in ten. */
static void who_is_alone_keeps_the_order_of_classes(void **state)
{
    const struct queue_settings settings = {.per_destination = 1};
    static const struct stage_server servers[] = {{.host = "*", .message_ms = 500}, {0}};
    struct stage *s = stage_new(&settings, one_set_of_hosts, servers);
    (void)state;
    s->tracing = false;
    flood(s, 0, "eve", "a.test", STREAM_SECURITY, 1000);
    flood(s, 1000, "eve", "b.test", STREAM_DIGEST, 1000);
    stage_run(s, 200000);
    assert_in_range(done_of(s, 1001, 2000), 20, 45); /* of 400 */
    assert_in_range(done_of(s, 1, 1000), 350, 380);
    stage_free(s);
}

/* ---- 2: many tenants before ---- */

/* So many have a connection each, which leaves one; all want another one, and may not have it. One more has none. */
static void who_could_go_does_so_behind_many_who_could_not(void **state)
{
    enum { BEFORE = 58 };
    static const struct stage_domain domains[] = {{.name = "slow*", .hosts = {"mx.slow.test"}}, {0}};
    static const struct stage_server servers[] = {{.host = "*", .message_ms = 60000}, {0}};
    const struct queue_settings settings = {.connections = 60, .per_destination = 60};
    struct stage *s = stage_new(&settings, domains, servers);
    char tenant[24];
    char domain[30];
    int64_t last = 0;
    (void)state;
    s->tracing = false;
    for (int64_t i = 0; i < BEFORE; i++) {
        snprintf(tenant, sizeof(tenant), "t%d", (int)i);
        snprintf(domain, sizeof(domain), "own%d.test", (int)i);
        stage_add(s, ++last, tenant, domain, STREAM_NOTIFICATION);
    }
    stage_run(s, 3000);
    assert_int_equal(s->open_now, BEFORE);
    for (int64_t i = 0; i < BEFORE; i++) {
        snprintf(tenant, sizeof(tenant), "t%d", (int)i);
        last = flood(s, last, tenant, "slow1.test", STREAM_NOTIFICATION, 3);
    }
    stage_run(s, 300);
    assert_int_equal(s->open_now, BEFORE);
    stage_add(s, ++last, "bob", "slow2.test", STREAM_NOTIFICATION);
    stage_run(s, 3000);
    assert_true(s->begun_ms[last] >= 0);
    stage_free(s);
}

/* ---- 3: what has been used is remembered, and bounded ---- */

/* One message at a time, each for long; the other's are quick. */
static void who_sends_one_by_one_pays_for_its_time(void **state)
{
    static const struct stage_server servers[] = {
        {.host = "*", .message_ms = 100, .slow_domain = "slow.test", .slow_ms = 5000}, {0}};
    const struct queue_settings settings = {.per_destination = 1};
    struct stage *s = stage_new(&settings, one_set_of_hosts, servers);
    (void)state;
    s->tracing = false;
    int64_t bob = flood(s, 0, "bob", "quick.test", STREAM_NOTIFICATION, FLOOD);
    int64_t eve = bob;
    for (size_t i = 0; i < 40; i++) { /* the next one comes when one is done */
        stage_add(s, ++eve, "eve", "slow.test", STREAM_NOTIFICATION);
        stage_run_until(s, eve, eve, 600000);
        if (s->now_ms > 120000)
            break;
    }
    size_t quick = done_of(s, 1, bob); /* half of the time: 10 a second */
    if (quick * 100 < (size_t)(s->now_ms * 35 / 100))
        fail_msg("%zu in %lld ms", quick, (long long)s->now_ms);
    stage_free(s);
}

/* One message that hangs does not shut its tenant out for as long. */
static void one_that_hangs_costs_its_tenant_little(void **state)
{
    static const struct stage_server servers[] = {
        {.host = "*", .message_ms = 200, .slow_domain = "slow.test", .slow_ms = 300000}, {0}};
    const struct queue_settings settings = {.per_destination = 3};
    struct stage *s = stage_new(&settings, one_set_of_hosts, servers);
    (void)state;
    s->tracing = false;
    flood(s, 0, "eve", "slow.test", STREAM_NOTIFICATION, 1);
    int64_t eve = flood(s, 1, "eve", "quick.test", STREAM_NOTIFICATION, 6000);
    flood(s, eve, "bob", "quick.test", STREAM_NOTIFICATION, 6000);
    stage_run_until(s, 1, 1, 400000);
    assert_in_range(s->done_ms[1], 290000, 320000);
    size_t before = done_of(s, 2, eve);
    stage_run(s, 20000);
    size_t after = done_of(s, 2, eve) - before;
    if (after < 40) /* of 200 to 300 */
        fail_msg("%zu", after);
    stage_free(s);
}

/* ---- 4: what two tenants want of one destination ---- */

static const struct stage_server fillers[] = {
    {.host = "mx.soon*", .message_ms = 20000}, {.host = "*", .message_ms = 500000}, {0}};

/* It stands there for who came first; she has had her part elsewhere by the time that there is room. */
static void a_want_is_not_lost_with_the_tenant_that_it_stands_for(void **state)
{
    static const enum stream_class classes[] = {STREAM_CONFIRMATION, STREAM_DIGEST};
    const struct queue_settings settings = {.connections = 20};
    char tenant[24];
    char domain[40];
    (void)state;
    for (size_t k = 0; k < COUNT_OF(classes); k++) {
        struct stage *s = stage_new(&settings, NULL, fillers);
        int64_t last = 0;
        s->tracing = false;
        for (size_t i = 0; i < 19; i++) { /* of as many tenants; two are soon done */
            snprintf(tenant, sizeof(tenant), "t%zu", i);
            snprintf(domain, sizeof(domain), "%s%zu.test", i < 2 ? "soon" : "late", i);
            stage_add(s, ++last, tenant, domain, STREAM_NOTIFICATION);
            stage_run(s, 1000);
        }
        stage_add(s, ++last, "eve", "own.test", classes[k]);
        stage_add(s, ++last, "eve", "shared.test", classes[k]);
        stage_run(s, 100);
        stage_add(s, ++last, "bob", "shared.test", classes[k]);
        stage_run(s, 5000);
        assert_true(s->begun_ms[last - 2] >= 0); /* the first */
        assert_true(s->begun_ms[last] >= 0);     /* the second */
        stage_free(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_beyond_a_fair_part_are_in_turn_with_other_mail),
        cmocka_unit_test(codes_and_confirmations_beyond_it_are_in_turn_too),
        cmocka_unit_test(each_has_its_part_whatever_it_says),
        cmocka_unit_test(few_codes_go_next_beside_any_flood),
        cmocka_unit_test(who_is_alone_keeps_the_order_of_classes),
        cmocka_unit_test(who_could_go_does_so_behind_many_who_could_not),
        cmocka_unit_test(who_sends_one_by_one_pays_for_its_time),
        cmocka_unit_test(one_that_hangs_costs_its_tenant_little),
        cmocka_unit_test(a_want_is_not_lost_with_the_tenant_that_it_stands_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
