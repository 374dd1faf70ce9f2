// SPDX-License-Identifier: BSD-2-Clause
/* party_turns_test.c - Who asks without end leaves turns to others. */
#include "table.h"

#include "party_turns.h"

enum { MOST = 100 };

static struct party_turn *turns[1000];
static size_t count;

static void wait_for(struct party_turns *t, const char *tenant, bool urgent, unsigned rank)
{
    turns[count] = party_turns_wait(t, tenant, urgent, rank, &turns[count]);
    count++;
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

static void each_has_no_more_than_are_allowed(void **state)
{
    struct party_turns *t = party_turns_new(MOST);
    (void)state;
    party_turns_allow_each(t, 4);
    for (size_t i = 0; i < 10; i++)
        wait_for(t, "eve", true, 0);
    assert_int_equal(begin_all(t), 4);
    assert_true(party_turns_wait_there(t));
    wait_for(t, "bob", true, 0);
    wait_for(t, "eve", false, 0);
    assert_int_equal(begin_all(t), 2);
    party_turns_allow_each(t, 2);
    assert_int_equal(begin_all(t), 0);
    party_turns_allow_each(t, 100);
    assert_int_equal(begin_all(t), 6);
    assert_false(party_turns_wait_there(t));
    end_all(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_flood_leaves_turns_to_others),
                                       cmocka_unit_test(the_first_hosts_come_first),
                                       cmocka_unit_test(nobody_has_more_turns_than_there_are),
                                       cmocka_unit_test(of_two_turns_each_kind_has_one),
                                       cmocka_unit_test(who_gives_up_waits_no_more),
                                       cmocka_unit_test(each_has_no_more_than_are_allowed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
