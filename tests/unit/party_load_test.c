// SPDX-License-Identifier: BSD-2-Clause
/* party_load_test.c - Whose answers cost much has few questions under way. */
#include "table.h"

#include "party_load.h"

/* Looks each 100 ms for so long. Returns how many it may have at the end. */
static unsigned go(struct party_load *l, int64_t *now_ms, int64_t for_ms, bool busy, bool waits)
{
    for (int64_t end_ms = *now_ms + for_ms; *now_ms < end_ms;) {
        *now_ms += 100;
        party_load_look(l, busy, waits, *now_ms);
    }
    return l->each;
}

static void silent_names_get_all_soon(void **state)
{
    struct party_load l;
    int64_t now_ms = 1;
    (void)state;
    party_load_init(&l, now_ms);
    assert_int_equal(l.each, PARTY_LOAD_SOME);
    assert_true(go(&l, &now_ms, 1000, false, true) >= PARTY_LOAD_ALL);
    assert_int_equal(go(&l, &now_ms, 200, false, false), PARTY_LOAD_SOME);
    assert_false(party_load_counts(&l, now_ms));
}

static void costly_answers_are_few_at_once(void **state)
{
    struct party_load l;
    int64_t now_ms = 1;
    (void)state;
    party_load_init(&l, now_ms);
    (void)go(&l, &now_ms, 600, false, true);
    assert_int_equal(go(&l, &now_ms, 200, true, true), PARTY_LOAD_FEW);
    assert_int_equal(go(&l, &now_ms, 500, false, true), PARTY_LOAD_FEW);
    assert_int_equal(go(&l, &now_ms, 600, false, true), 2 * PARTY_LOAD_FEW);
    assert_int_equal(go(&l, &now_ms, 200, true, true), PARTY_LOAD_FEW);
    assert_int_equal(go(&l, &now_ms, 50000, false, true), PARTY_LOAD_SOME);
    assert_true(party_load_counts(&l, now_ms));
    assert_true(go(&l, &now_ms, 12000, false, true) >= PARTY_LOAD_ALL);
    assert_false(party_load_counts(&l, now_ms));
}

static void half_of_the_time_is_busy(void **state)
{
    (void)state;
    assert_false(party_load_is_busy(20000, 10));
    assert_true(party_load_is_busy(30000, 20));
    assert_false(party_load_is_busy(400000, 1000));
    assert_true(party_load_is_busy(500000, 1000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(silent_names_get_all_soon),
        cmocka_unit_test(costly_answers_are_few_at_once),
        cmocka_unit_test(half_of_the_time_is_busy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
