// SPDX-License-Identifier: BSD-2-Clause
/* party_turns_test.c - Who asks without end leaves turns to others, and each of a tenant's domains to its other ones. */
#include "table.h"

#include "party_turns.h"

enum { MOST = 100 };

static struct party_turn *turns[20000];
static size_t count;

static void wait_of(struct party_turns *t, struct party_ask ask)
{
    ask.what = &turns[count];
    turns[count++] = party_turns_wait(t, &ask);
}

static void wait_about(struct party_turns *t, const char *tenant, const char *domain, bool urgent, unsigned rank)
{
    wait_of(t, (struct party_ask){.tenant = tenant, .domain = domain, .urgent = urgent, .rank = rank});
}

static void wait_for(struct party_turns *t, const char *tenant, bool urgent, unsigned rank)
{
    wait_about(t, tenant, NULL, urgent, rank);
}

static size_t begin_all(struct party_turns *t)
{
    size_t begun = 0;
    while (party_turns_next(t))
        begun++;
    return begun;
}

static void end_all(struct party_turns *t)
{
    for (size_t i = 0; i < count; i++)
        party_turns_end(t, turns[i]);
    count = 0;
    party_turns_free(t);
}

static void a_flood_leaves_turns_to_others(void **state)
{
    (void)state;
    for (unsigned urgent = 0; urgent <= 1; urgent++) {
        struct party_turns *t = party_turns_new(MOST);
        for (size_t i = 0; i < 300; i++)
            wait_for(t, "eve", urgent, 0);
        size_t first = begin_all(t);
        EXPECT(first > MOST / 2 && first < MOST * 3 / 4, "most of them are used");
        static const char *const others[] = {"bob", "carl", "dora"};
        for (size_t k = 0; k < COUNT_OF(others); k++) {
            wait_for(t, others[k], false, 0);
            wait_for(t, others[k], true, 0);
            EXPECT(begin_all(t) == 2, others[k]);
        }
        wait_for(t, "eve", !urgent, 0);
        EXPECT(begin_all(t) == 1, "the other class of the same tenant");
        end_all(t);
    }
}

static void the_first_hosts_come_first(void **state)
{
    struct party_turns *t = party_turns_new(2);
    (void)state;
    for (unsigned i = 0; i < 10; i++)
        wait_for(t, "bob", true, i < 5 ? 9 - i : i - 5);
    static const size_t order[] = {5, 6, 7, 8, 9, 4, 3, 2, 1, 0};
    for (size_t i = 0; i < COUNT_OF(order); i++) {
        struct party_turn **next = party_turns_next(t);
        assert_non_null(next);
        EXPECT(next == &turns[order[i]], "in the order of their ranks");
        party_turns_end(t, *next);
        *next = NULL;
    }
    assert_null(party_turns_next(t));
    end_all(t);
}

/* Of many tenants each has its first; whichever kind has come first, the other one finds a part of its own. */
static void nobody_has_more_turns_than_there_are(void **state)
{
    char tenant[16];
    (void)state;
    for (unsigned urgent = 0; urgent <= 1; urgent++) {
        struct party_turns *t = party_turns_new(10);
        for (unsigned i = 0; i < 20; i++) {
            snprintf(tenant, sizeof(tenant), "t%u", i);
            wait_for(t, tenant, urgent, 0);
        }
        assert_int_equal(begin_all(t), 8); /* a part is kept */
        wait_for(t, "other", !urgent, 0);
        wait_for(t, "more", !urgent, 0);
        wait_for(t, "too many", !urgent, 0);
        assert_int_equal(begin_all(t), 2);
        end_all(t);
    }
}

/* As for large copies. */
static void of_two_turns_each_kind_has_one(void **state)
{
    struct party_turns *t = party_turns_new(2);
    (void)state;
    wait_for(t, "ann", true, 0);
    wait_for(t, "bob", true, 0);
    assert_int_equal(begin_all(t), 1);
    wait_for(t, "carl", false, 0);
    wait_for(t, "dora", false, 0);
    assert_int_equal(begin_all(t), 1);
    for (size_t i = 0; i < 2; i++) { /* ann and carl have had theirs */
        party_turns_end(t, turns[2 * i]);
        turns[2 * i] = NULL;
    }
    assert_int_equal(begin_all(t), 2);
    end_all(t);
}

static void who_gives_up_waits_no_more(void **state)
{
    struct party_turns *t = party_turns_new(1);
    (void)state;
    for (unsigned i = 0; i < 3; i++)
        wait_for(t, "bob", true, 0);
    assert_int_equal(begin_all(t), 1);
    for (unsigned i = 0; i < 2; i++) {
        party_turns_end(t, turns[i]);
        turns[i] = NULL;
    }
    assert_ptr_equal(party_turns_next(t), &turns[2]);
    end_all(t);
}

/* ---- costly answers ---- */

enum { LOOK_MS = 100, BUSY_US = 90 * 1000 };

static void ask_for(struct party_turns *t, const char *tenant, const char *name, size_t times)
{
    for (size_t i = 0; i < times; i++)
        wait_of(t, (struct party_ask){.tenant = tenant, .domain = name, .name = name});
}

static size_t begun_by(struct party_turns *t, size_t from)
{
    size_t begun = 0;
    while (party_turns_next(t))
        continue;
    for (size_t i = from; i < count; i++)
        begun += turns[i] && party_turn_has_begun(turns[i]);
    return begun;
}

static void end_from(struct party_turns *t, size_t from)
{
    for (size_t i = from; i < count; i++)
        party_turns_end(t, turns[i]);
    count = from;
}

/* Whose names they are has few under way, and so for a while; others have what they had. */
static void who_asks_what_is_costly_has_few_under_way(void **state)
{
    struct party_turns *t = party_turns_new(MOST);
    (void)state;
    party_turns_meter(t);
    party_turns_look(t, LOOK_MS);
    ask_for(t, "eve", "a.evil.test", 300);
    assert_int_equal(begun_by(t, 0), 4);
    ask_for(t, "bob", "good.test", 3);
    assert_int_equal(begun_by(t, 300), 3);
    party_turns_charge(t, "evil.test", BUSY_US);
    party_turns_look(t, 2 * LOOK_MS);
    end_from(t, 0);
    ask_for(t, "eve", "b.evil.test", 30);
    assert_int_equal(begun_by(t, 0), 2);
    ask_for(t, "bob", "good.test", 30);
    assert_int_equal(begun_by(t, 30), 4);
    party_turns_look(t, 30 * LOOK_MS);
    assert_int_equal(begun_by(t, 0), 4 + 8); /* hers grow slowly */
    end_all(t);
}

/* What is nobody's by name is paid by whose answer shows that his name was an alias into that zone: not by who has most under way. */
static void who_hides_behind_an_alias_pays_when_it_is_known(void **state)
{
    struct party_turns *t = party_turns_new(MOST);
    (void)state;
    party_turns_meter(t);
    ask_for(t, "bob", "good.test", 30);
    ask_for(t, "eve", "alias.test", 2);
    assert_int_equal(begun_by(t, 0), 4 + 2);
    party_turns_charge(t, "costly.example", BUSY_US);
    party_turn_leads_to(t, turns[30], "a.costly.example");
    party_turn_leads_to(t, turns[0], NULL);
    party_turns_look(t, LOOK_MS);
    end_from(t, 0);
    ask_for(t, "bob", "good.test", 30);
    assert_int_equal(begun_by(t, 0), 4);
    ask_for(t, "eve", "alias.test", 30);
    assert_int_equal(begun_by(t, 30), 2);
    end_all(t);
}

/* And where that is never known, or there was no room to note it, all pay alike. */
static void what_stays_nobodys_is_paid_by_all_alike(void **state)
{
    for (int root = 0; root < 2; root++) {
        struct party_turns *t = party_turns_new(MOST);
        (void)state;
        party_turns_meter(t);
        ask_for(t, "bob", "good.test", 30);
        ask_for(t, "eve", "alias.test", 2);
        assert_int_equal(begun_by(t, 0), 4 + 2);
        party_turns_charge(t, root ? "" : "costly.example", 5 * BUSY_US);
        party_turn_leads_to(t, turns[0], "x.other.example");
        party_turns_look(t, LOOK_MS);
        party_turns_look(t, 6 * LOOK_MS);
        end_from(t, 0);
        ask_for(t, "bob", "good.test", 30);
        assert_int_equal(begun_by(t, 0), 2);
        ask_for(t, "eve", "alias.test", 30);
        assert_int_equal(begun_by(t, 30), 2);
        end_all(t);
    }
}

/* Nobody hides behind another one who costs as much; and a name is no zone's that only ends alike. */
static void all_who_cost_much_have_few(void **state)
{
    struct party_turns *t = party_turns_new(MOST);
    (void)state;
    party_turns_meter(t);
    ask_for(t, "eve", "evil.test", 10);
    ask_for(t, "mallory", "x.bad.test", 10);
    ask_for(t, "bob", "notevil.test", 10);
    assert_int_equal(begun_by(t, 0), 12);
    party_turns_charge(t, "evil.test", BUSY_US / 2);
    party_turns_charge(t, "bad.test", BUSY_US / 3);
    party_turns_look(t, LOOK_MS);
    end_from(t, 0);
    ask_for(t, "eve", "evil.test", 10);
    ask_for(t, "mallory", "x.bad.test", 10);
    assert_int_equal(begun_by(t, 0), 4);
    ask_for(t, "bob", "notevil.test", 10);
    assert_int_equal(begun_by(t, 20), 4);
    end_all(t);
}

/* ---- one tenant's domains ---- */

static void end_one(struct party_turns *t, size_t at)
{
    party_turns_end(t, turns[at]);
    turns[at] = NULL;
}

/* One with many hosts has as many turns as one with few. */
static void domains_have_turns_alike(void **state)
{
    size_t begun[2] = {0};
    struct party_turns *t = party_turns_new(MOST);
    (void)state;
    for (size_t i = 0; i < 200; i++)
        wait_about(t, "bob", "many.test", false, 0);
    for (size_t i = 0; i < 100; i++)
        wait_about(t, "bob", i % 2 ? "other.test" : "one.test", false, 0);
    begin_all(t);
    for (size_t i = 0; i < count; i++)
        begun[i >= 200] += party_turn_has_begun(turns[i]);
    assert_true(begun[1] > 30 && begun[0] <= begun[1] / 2 + 1);
    end_all(t);
}

/* What has hosts left to ask about goes behind what has not been asked about at all, and nothing waits for ever behind what comes. */
static void most_turns_go_to_the_newest(void **state)
{
    static const size_t order[] = {0, 9, 8, 7, 1, 6, 5, 4, 2, 3};
    char domain[16];
    struct party_turns *t = party_turns_new(2);
    (void)state;
    for (unsigned i = 0; i < COUNT_OF(order); i++) {
        snprintf(domain, sizeof(domain), "d%u.test", i);
        wait_about(t, "bob", domain, true, 0);
    }
    wait_about(t, "bob", "d0.test", true, 1);
    for (size_t i = 0; i < COUNT_OF(order); i++) {
        struct party_turn **next = party_turns_next(t);
        assert_ptr_equal(next, &turns[order[i]]);
        end_one(t, order[i]);
    }
    assert_ptr_equal(party_turns_next(t), &turns[COUNT_OF(order)]);
    end_all(t);
}

/* Whoever asks knows more of a domain than when its questions come here. */
static void merit_counts_more_than_who_came_last(void **state)
{
    static const uint64_t merits[] = {1, 4, PARTY_MERIT_MOST, 3, 0, 2};
    static const size_t order[] = {0, 2, 1, 3, 4, 5};
    char domain[16];
    struct party_turns *t = party_turns_new(2);
    (void)state;
    for (unsigned i = 0; i < COUNT_OF(merits); i++) {
        snprintf(domain, sizeof(domain), "d%u.test", i);
        wait_of(t, (struct party_ask){.tenant = "bob", .domain = domain, .merit = merits[i]});
    }
    for (size_t i = 0; i < COUNT_OF(order); i++) {
        struct party_turn **next = party_turns_next(t);
        assert_ptr_equal(next, &turns[order[i]]);
        end_one(t, order[i]);
    }
    end_all(t);
}

/* The kind: many domains of one tenant, each with many names that are answered late, or never. In virtual time: a step is TICK_MS, a name
 * of theirs takes SLOW_MS, one of the others a step. */
enum { TICK_MS = 20, SLOW_MS = 11 * 1000, SLOW_DOMAINS = 500, NAMES = 30, LOOKUPS = 4, LATE_MS = 5 * 1000 };

static int64_t ends_ms[COUNT_OF(turns)]; /* 0: it has not begun */

static void go_on(struct party_turns *t, int64_t now_ms, size_t slow)
{
    struct party_turn **next;
    for (size_t i = 0; i < count; i++)
        if (turns[i] && ends_ms[i] != 0 && ends_ms[i] <= now_ms)
            end_one(t, i);
    party_turns_look(t, now_ms);
    while ((next = party_turns_next(t))) {
        size_t at = (size_t)(next - turns);
        ends_ms[at] = now_ms + (at < slow ? SLOW_MS : TICK_MS);
    }
}

/* MX, addresses, and what TLS must show: one after the other, of which each begins when the last one has ended. */
static int64_t look_up(struct party_turns *t, const char *domain, bool urgent, int64_t *now_ms, size_t slow)
{
    int64_t began_ms = *now_ms;
    for (unsigned i = 0; i < LOOKUPS; i++) {
        size_t at = count;
        wait_about(t, "bob", domain, urgent, 0);
        for (; turns[at] && *now_ms < began_ms + SLOW_MS; *now_ms += TICK_MS)
            go_on(t, *now_ms, slow);
    }
    return *now_ms - began_ms;
}

static void slow_domains_hold_up_no_others(void **state)
{
    char domain[16];
    (void)state;
    for (unsigned urgent = 0; urgent <= 1; urgent++) {
        struct party_turns *t = party_turns_new(MOST);
        int64_t now_ms = 1;
        party_turns_spread(t, SLOW_MS);
        memset(ends_ms, 0, sizeof(ends_ms));
        for (size_t i = 0; i < SLOW_DOMAINS * (size_t)NAMES; i++) {
            snprintf(domain, sizeof(domain), "e%zu.test", i / NAMES);
            wait_about(t, "bob", domain, urgent, (unsigned)(i % NAMES) / 2);
        }
        size_t slow = count;
        for (; now_ms < SLOW_MS / 2; now_ms += TICK_MS)
            go_on(t, now_ms, slow);
        for (unsigned i = 0; i < 10; i++) {
            snprintf(domain, sizeof(domain), "good%u.test", i);
            int64_t took_ms = look_up(t, domain, urgent, &now_ms, slow);
            if (took_ms > LATE_MS)
                fail_msg("%s took %lld ms", domain, (long long)took_ms);
        }
        end_all(t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_flood_leaves_turns_to_others),
                                       cmocka_unit_test(the_first_hosts_come_first),
                                       cmocka_unit_test(nobody_has_more_turns_than_there_are),
                                       cmocka_unit_test(of_two_turns_each_kind_has_one),
                                       cmocka_unit_test(who_gives_up_waits_no_more),
                                       cmocka_unit_test(who_asks_what_is_costly_has_few_under_way),
                                       cmocka_unit_test(who_hides_behind_an_alias_pays_when_it_is_known),
                                       cmocka_unit_test(what_stays_nobodys_is_paid_by_all_alike),
                                       cmocka_unit_test(all_who_cost_much_have_few),
                                       cmocka_unit_test(domains_have_turns_alike),
                                       cmocka_unit_test(most_turns_go_to_the_newest),
                                       cmocka_unit_test(merit_counts_more_than_who_came_last),
                                       cmocka_unit_test(slow_domains_hold_up_no_others)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
