// SPDX-License-Identifier: BSD-2-Clause
/* verify_load_test.c - Whose answers cost much has few questions under way. */
#include "table.h"

#include "verify_load.h"

/* Looks each 10 ms for so long, while validating takes so much of each. Returns how many each may have at the end. */
static unsigned go(struct verify_load *l, int64_t *now_ms, int64_t for_ms, unsigned percent, bool waits)
{
    static uint64_t spent_us;
    unsigned each = l->each;
    for (int64_t end_ms = *now_ms + for_ms; *now_ms < end_ms;) {
        *now_ms += 10;
        spent_us += 100 * percent;
        if (l->spent_us == 0)
            verify_load_init(l, spent_us, *now_ms);
        each = verify_load_look(l, spent_us, waits, *now_ms);
    }
    return each;
}

static void silent_names_get_all_soon(void **state)
{
    struct verify_load l = {0};
    int64_t now_ms = 1;
    (void)state;
    assert_int_equal(go(&l, &now_ms, 50, 10, true), VERIFY_LOAD_SOME);
    assert_true(go(&l, &now_ms, 600, 10, true) >= VERIFY_LOAD_ALL);
    assert_int_equal(go(&l, &now_ms, 200, 0, false), VERIFY_LOAD_SOME);
}

static void costly_answers_are_few_at_once(void **state)
{
    struct verify_load l = {0};
    int64_t now_ms = 1;
    (void)state;
    (void)go(&l, &now_ms, 600, 10, true);
    assert_int_equal(go(&l, &now_ms, 200, 90, true), VERIFY_LOAD_FEW);
    assert_int_equal(go(&l, &now_ms, 500, 10, true), VERIFY_LOAD_FEW);
    assert_int_equal(go(&l, &now_ms, 600, 10, true), 2 * VERIFY_LOAD_FEW);
    assert_int_equal(go(&l, &now_ms, 200, 200, true), VERIFY_LOAD_FEW);
    assert_int_equal(go(&l, &now_ms, 50000, 10, true), VERIFY_LOAD_SOME);
    assert_true(go(&l, &now_ms, 12000, 10, true) >= VERIFY_LOAD_ALL);
}

/* What came while nobody looked is of a longer time. */
static void a_look_after_a_pause_is_of_all_of_it(void **state)
{
    struct verify_load l;
    (void)state;
    verify_load_init(&l, 0, 0);
    assert_int_equal(verify_load_look(&l, 400000, false, 1000), VERIFY_LOAD_SOME);
    assert_int_equal(verify_load_look(&l, 420000, false, 1010), VERIFY_LOAD_SOME);
    assert_int_equal(verify_load_look(&l, 450000, false, 1030), VERIFY_LOAD_FEW);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(silent_names_get_all_soon),
        cmocka_unit_test(costly_answers_are_few_at_once),
        cmocka_unit_test(a_look_after_a_pause_is_of_all_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
