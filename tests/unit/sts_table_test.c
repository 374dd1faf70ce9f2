// SPDX-License-Identifier: BSD-2-Clause
/* sts_table_test.c - What is known of domains for MTA-STS is bounded, and no tenant's domains push out those of one that has fewer. */
#include "table.h"

#include "sts_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 100, NOW = 500000 };

static char gone[64];

static bool may_go(const struct sts_entry *e)
{
    return strncmp(e->domain, "busy", 4) != 0;
}

static void on_going(void *context, struct sts_entry *e)
{
    (void)context;
    snprintf(gone, sizeof(gone), "%s", e->domain);
}

static struct sts_entry *add(struct sts_table *t, const char *tenant, const char *kind, int number)
{
    char domain[64];
    snprintf(domain, sizeof(domain), "%s%d.test", kind, number);
    return sts_table_need(t, domain, tenant);
}

static void keep(struct sts_entry *e, size_t bytes)
{
    e->kept.there = true;
    e->kept.policy.mode = MTA_STS_MODE_ENFORCE;
    e->kept.policy.max_age_s = 86400;
    for (size_t i = 0; i < bytes; i++)
        buf_add_char(&e->kept.policy.mx, 'x');
    sts_table_weigh(e);
}

static void begin(struct sts_table *t)
{
    sts_table_init(t, MOST);
    t->may_go = may_go;
    t->going = on_going;
    gone[0] = '\0';
}

static void who_has_most_loses_its_own(void **state)
{
    struct sts_table t;
    (void)state;
    begin(&t);
    for (int i = 0; i < 10; i++)
        keep(add(&t, "small", "small", i), 10);
    for (int i = 0; i < 1000; i++) {
        add(&t, "large", "large", i);
        sts_table_make_room(&t, NOW);
        assert_true(t.weight <= MOST);
    }
    for (int i = 0; i < 10; i++)
        assert_true(sts_table_find(&t, add(&t, "small", "small", i)->domain)->kept.there);
    assert_null(sts_table_find(&t, "large0.test"));
    assert_non_null(sts_table_find(&t, "large999.test"));
    sts_table_fini(&t);
}

static void what_has_a_policy_goes_last_and_what_was_used_stays(void **state)
{
    struct sts_table t;
    (void)state;
    begin(&t);
    keep(add(&t, "one", "kept", 0), 10);
    for (int i = 0; i < MOST - 1; i++)
        add(&t, "one", "light", i);
    sts_table_used(sts_table_find(&t, "light0.test"), "one");
    add(&t, "one", "new", 0);
    sts_table_make_room(&t, NOW);
    assert_string_equal(gone, "light1.test");
    for (int i = 0; i < MOST; i++)
        keep(add(&t, "one", "kept", i), 10);
    sts_table_make_room(&t, NOW);
    assert_int_equal(t.weight, MOST);
    assert_non_null(sts_table_find(&t, "kept99.test"));
    keep(add(&t, "one", "kept", MOST), 10);
    sts_table_make_room(&t, NOW);
    assert_memory_equal(gone, "kept", 4);
    sts_table_fini(&t);
}

/* A tenant's policies leave room for what is noted of domains that have none: it is not gone before the next question about them. */
static void policies_leave_room_for_what_has_none(void **state)
{
    struct sts_table t;
    (void)state;
    begin(&t);
    for (int i = 0; i < MOST; i++)
        keep(add(&t, "one", "kept", i), 10);
    for (int i = 0; i < 10; i++) {
        struct sts_entry *e = add(&t, "one", i % 2 ? "failed" : "light", i);
        e->kept.failed_id[0] = i % 2 ? '1' : '\0';
        sts_table_silence(e, "one", NOW + 60);
        sts_table_make_room(&t, NOW);
    }
    for (int i = 0; i < 10; i++) {
        assert_int_equal(sts_table_silent_ms(add(&t, "one", i % 2 ? "failed" : "light", i), "one"), NOW + 60);
        assert_true(t.weight <= MOST);
    }
    for (int i = 0; i < 1000; i++) { /* but no more than that */
        add(&t, "one", "new", i);
        sts_table_make_room(&t, NOW);
    }
    assert_int_equal(t.weight, MOST);
    assert_true(sts_table_find(&t, "new999.test") && sts_table_find(&t, "kept99.test"));
    size_t policies = 0;
    for (int i = 0; i < MOST; i++)
        policies += sts_table_find(&t, add(&t, "one", "kept", i)->domain)->kept.there;
    assert_in_range(policies, MOST * 7 / 8 - 1, MOST * 7 / 8 + 1);
    sts_table_fini(&t);
}

/* A policy with many names counts for more, and what becomes smaller gives its room back. */
static void large_policies_weigh_more(void **state)
{
    struct sts_table t;
    (void)state;
    begin(&t);
    struct sts_entry *e = add(&t, "one", "kept", 0);
    keep(e, 40 * 1024);
    assert_int_equal(t.weight, 41);
    mta_sts_policy_fini(&e->kept.policy);
    e->kept.there = false;
    sts_table_weigh(e);
    assert_int_equal(t.weight, 1);
    for (int i = 0; i < 2 * MOST; i++) /* all are being found out: that is bounded elsewhere */
        add(&t, "one", "busy", i);
    sts_table_make_room(&t, NOW);
    assert_int_equal(t.weight, 2 * MOST);
    assert_string_equal(gone, "kept0.test");
    sts_table_fini(&t);
}

/* One tenant has asked for it first, another one has mail for it, too: it is not lost for what else the first one has. */
static void what_another_one_uses_does_not_go_for_ones_sake(void **state)
{
    static const struct {
        const char *label, *first, *second;
    } rows[] = {{"eve has asked first", "eve", "bob"}, {"bob has asked first", "bob", "eve"}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct sts_table t;
        begin(&t);
        for (int k = 0; k < 10; k++)
            keep(add(&t, "bob", "own", k), 10); /* eve has less at first, and pays */
        keep(add(&t, rows[i].first, "wanted", 0), 10);
        sts_table_used(sts_table_find(&t, "wanted0.test"), rows[i].second);
        for (int k = 0; k < 100; k++) {
            keep(add(&t, "eve", "large", k), 30 * 1024);
            sts_table_make_room(&t, NOW);
            EXPECT(t.weight <= MOST, rows[i].label);
        }
        for (int k = 0; k < 300; k++) {
            keep(add(&t, "eve", "small", k), 10);
            sts_table_make_room(&t, NOW);
        }
        EXPECT(sts_table_find(&t, "wanted0.test"), rows[i].label);
        assert_string_equal(sts_table_tenant(sts_table_find(&t, "wanted0.test")), STS_SEVERAL);
        assert_string_equal(sts_table_tenant(sts_table_find(&t, "own0.test")), "bob");
        sts_table_fini(&t);
        assert_true(!t.parties && !t.uses && t.weight == 0);
    }
}

/* Two tenants that have mail for the same domains do not keep a third one's out by that. */
static void what_two_share_has_no_more_room(void **state)
{
    struct sts_table t;
    (void)state;
    begin(&t);
    keep(add(&t, "bob", "own", 0), 10);
    for (int k = 0; k < 300; k++) {
        keep(add(&t, "eve", "shared", k), 10);
        add(&t, "mal", "shared", k);
        sts_table_make_room(&t, NOW);
        assert_true(t.weight <= MOST);
    }
    assert_non_null(sts_table_find(&t, "own0.test"));
    assert_non_null(sts_table_find(&t, "shared299.test"));
    sts_table_fini(&t);
}

/* By what a tenant has mail for, it loses what counts last, and of that large policies first. */
static void what_counts_goes_last(void **state)
{
    struct sts_table t;
    (void)state;
    begin(&t);
    keep(add(&t, "one", "small", 0), 10);
    keep(add(&t, "one", "large", 0), 4 * 1024);
    keep(add(&t, "one", "none", 0), 10);
    sts_table_find(&t, "none0.test")->kept.policy.mode = MTA_STS_MODE_NONE;
    keep(add(&t, "one", "old", 0), 10);
    sts_table_find(&t, "old0.test")->kept.policy.max_age_s = 1;
    add(&t, "one", "failed", 0)->kept.failed_id[0] = '1';
    add(&t, "one", "light", 0);
    static const char *const order[] = {"light0.test", "none0.test", "old0.test", "failed0.test", "large0.test", "small0.test"};
    for (size_t i = 0; i < COUNT_OF(order); i++) {
        t.most = t.weight - 1;
        sts_table_make_room(&t, NOW);
        assert_string_equal(gone, order[i]);
    }
    sts_table_fini(&t);
}

/* Whose domains are many, and slow: it has no more refreshes under way than it leaves to others, and nobody waits for it. */
static void tenants_have_their_turns_at_refreshes(void **state)
{
    struct sts_table t;
    struct sts_entry *e;
    unsigned under_way = 0;
    (void)state;
    begin(&t);
    for (int i = 0; i < 50; i++) {
        e = add(&t, "large", "large", i);
        e->refresh_ms = 1000 - i;
    }
    while ((e = sts_upkeep_take(&t, under_way, 2000))) {
        assert_int_equal(e->refresh_ms, INT64_MAX);
        assert_int_equal(strtol(e->domain + strlen("large"), NULL, 10), 49 - under_way); /* due first */
        under_way++;
    }
    assert_in_range(under_way, 4, 12);
    for (int i = 0; i < 20; i++)
        add(&t, i % 2 ? "odd" : "even", "small", i)->refresh_ms = 1500;
    const char *first = sts_table_tenant(sts_upkeep_take(&t, under_way++, 2000));
    const char *second = sts_table_tenant(sts_upkeep_take(&t, under_way++, 2000));
    assert_true(strcmp(first, "large") != 0 && strcmp(second, "large") != 0 && strcmp(first, second) != 0);
    while (sts_upkeep_take(&t, under_way, 2000))
        under_way++;
    assert_true(under_way < 16);
    assert_null(sts_upkeep_take(&t, 0, 900)); /* nothing is due */
    add(&t, "late", "late", 0)->refresh_ms = 2001;
    assert_string_equal(sts_table_tenant(sts_upkeep_take(&t, under_way, 3000)), "late"); /* who has none */
    struct sts_party *odd = sts_table_find(&t, "small1.test")->party;
    struct sts_party *even = sts_table_find(&t, "small0.test")->party;
    for (int round = 0; round < 4; round++) { /* in turn, whenever one of theirs ends */
        odd->refreshes = even->refreshes = 0;
        bool odds = odd->served < even->served;
        assert_ptr_equal(sts_upkeep_take(&t, 15, 3000)->party, odds ? odd : even);
    }
    sts_table_fini(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_has_most_loses_its_own),
        cmocka_unit_test(what_has_a_policy_goes_last_and_what_was_used_stays),
        cmocka_unit_test(policies_leave_room_for_what_has_none),
        cmocka_unit_test(large_policies_weigh_more),
        cmocka_unit_test(what_another_one_uses_does_not_go_for_ones_sake),
        cmocka_unit_test(what_two_share_has_no_more_room),
        cmocka_unit_test(what_counts_goes_last),
        cmocka_unit_test(tenants_have_their_turns_at_refreshes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
