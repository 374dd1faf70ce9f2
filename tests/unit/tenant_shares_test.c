// SPDX-License-Identifier: BSD-2-Clause
/* tenant_shares_test.c - What each tenant has of what all share: as it is added, taken back, and, of events, forgotten with its day.
 */
#include "table.h"

#include "db.h"

static const int64_t day = INT64_C(24) * 3600 * 1000;

static int64_t of(struct shares *sh, enum database_share kind, const char *tenant)
{
    return shares_find(sh, tenant)->bytes[kind];
}

static void what_is_undone_was_never_there(void **state)
{
    struct shares sh = {0};
    (void)state;
    shares_add(&sh, DATABASE_STORAGE, "a", 100);
    shares_add(&sh, DATABASE_WAITING, "a", 10);
    shares_keep(&sh);
    shares_add(&sh, DATABASE_STORAGE, "a", -30);
    size_t mark = sh.change_count;
    shares_add(&sh, DATABASE_WAITING, "b", 7);
    shares_add_event(&sh, "a", 1000, 5 * day);
    shares_undo(&sh, mark);
    assert_int_equal(of(&sh, DATABASE_STORAGE, "a"), 70);
    assert_int_equal(of(&sh, DATABASE_WAITING, "b"), 0);
    assert_int_equal(of(&sh, DATABASE_EVENTS, "a"), 0);
    shares_undo(&sh, 0);
    assert_int_equal(of(&sh, DATABASE_STORAGE, "a"), 100);
    assert_int_equal(sh.bytes[DATABASE_STORAGE], 100);
    assert_int_equal(sh.bytes[DATABASE_WAITING], 10);
    shares_fini(&sh);
}

/* A batch that is undone is run again, or its clients are told to come again. */
static void what_an_undone_batch_refused_is_not_counted(void **state)
{
    static const enum database_share kinds[] = {DATABASE_STORAGE, DATABASE_WAITING, DATABASE_EVENTS};
    struct shares sh = {0};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        const struct share_refusals *r = &shares_find(&sh, "a")->refused[kinds[i]];
        for (int run = 0; run < 2; run++) {
            shares_undo(&sh, 0);
            shares_refuse(&sh, kinds[i], "a", 3, 1000, 900);
            size_t mark = sh.change_count;
            shares_refuse(&sh, kinds[i], "a", 1, 1000, 900);
            shares_undo(&sh, mark);
        }
        assert_int_equal(r->count, 3);
        shares_keep(&sh);
        shares_refuse(&sh, kinds[i], "a", 1, 1000, 900);
        shares_undo(&sh, 0);
        assert_int_equal(r->count, 3);
        assert_int_equal(sh.bytes[kinds[i]], 0);
    }
    shares_fini(&sh);
}

/* Each day 10 bytes: after a week and a day it is as many as ever. */
static void events_go_with_their_day(void **state)
{
    struct shares sh = {0};
    (void)state;
    for (int64_t d = 20000; d < 20030; d++) {
        for (int i = 0; i < 10; i++)
            shares_add_event(&sh, "a", 1, d * day + i * day / 10);
        shares_keep(&sh);
        int64_t days = d - 20000 + 1;
        assert_int_equal(of(&sh, DATABASE_EVENTS, "a"), 10 * (days < SHARES_DAYS ? days : SHARES_DAYS));
        assert_int_equal(sh.bytes[DATABASE_EVENTS], of(&sh, DATABASE_EVENTS, "a"));
    }
    shares_turn(&sh, INT64_C(20029) * day + 3 * day);
    assert_int_equal(of(&sh, DATABASE_EVENTS, "a"), 10 * (SHARES_DAYS - 3));
    shares_turn(&sh, INT64_C(20029) * day + 90 * day);
    assert_int_equal(of(&sh, DATABASE_EVENTS, "a"), 0);
    shares_fini(&sh);
}

static void an_event_of_a_day_that_is_forgotten_is_not_taken_back_twice(void **state)
{
    struct shares sh = {0};
    (void)state;
    shares_add_event(&sh, "a", 50, 100 * day);
    shares_turn(&sh, 300 * day);
    shares_undo(&sh, 0);
    assert_int_equal(of(&sh, DATABASE_EVENTS, "a"), 0);
    shares_fini(&sh);
}

/* A clock that is wrong for a while neither keeps what there is for ever nor makes it negative. */
static void a_clock_that_jumps(void **state)
{
    struct shares sh = {0};
    (void)state;
    shares_add_event(&sh, "a", 50, 20000 * day);
    shares_add_event(&sh, "a", 1, 19998 * day); /* an old one of today's */
    assert_int_equal(of(&sh, DATABASE_EVENTS, "a"), 51);
    shares_add_event(&sh, "a", 7, 90000 * day);
    assert_int_equal(of(&sh, DATABASE_EVENTS, "a"), 7);
    shares_add_event(&sh, "a", 5, 20001 * day);
    assert_int_equal(of(&sh, DATABASE_EVENTS, "a"), 5);
    shares_turn(&sh, -5);
    assert_int_equal(of(&sh, DATABASE_EVENTS, "a"), 0);
    shares_turn(&sh, 20002 * day);
    shares_keep(&sh);
    shares_fini(&sh);
}

static void what_was_written_down_counts_if_it_is_of_this_week(void **state)
{
    struct shares sh = {0};
    (void)state;
    shares_turn(&sh, 20000 * day);
    shares_load_events(&sh, "a", 3, 20000);
    shares_load_events(&sh, "a", 4, 20000 - SHARES_DAYS + 1);
    assert_false(shares_find(&sh, "a")->unsaved);
    shares_load_events(&sh, "b", 6, 20001);
    shares_load_events(&sh, "c", 7, -1);
    assert_int_equal(sh.bytes[DATABASE_EVENTS], 7);
    shares_turn(&sh, 20001 * day);
    assert_int_equal(of(&sh, DATABASE_EVENTS, "a"), 3);
    assert_true(shares_find(&sh, "a")->unsaved);
    shares_fini(&sh);
}

/* Else its row would stay for ever when its tenant is gone. */
static void what_was_written_down_of_an_earlier_week_is_written_anew(void **state)
{
    struct shares sh = {0};
    (void)state;
    shares_turn(&sh, 20000 * day);
    shares_load_events(&sh, "gone", 5, 20000 - SHARES_DAYS);
    assert_int_equal(of(&sh, DATABASE_EVENTS, "gone"), 0);
    assert_true(shares_find(&sh, "gone")->unsaved);
    shares_load_events(&sh, "stays", 5, 20000 - SHARES_DAYS);
    shares_load_events(&sh, "stays", 3, 20000);
    assert_int_equal(of(&sh, DATABASE_EVENTS, "stays"), 3);
    assert_true(shares_find(&sh, "stays")->unsaved);
    shares_fini(&sh);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_undone_was_never_there),
        cmocka_unit_test(what_an_undone_batch_refused_is_not_counted),
        cmocka_unit_test(events_go_with_their_day),
        cmocka_unit_test(an_event_of_a_day_that_is_forgotten_is_not_taken_back_twice),
        cmocka_unit_test(a_clock_that_jumps),
        cmocka_unit_test(what_was_written_down_counts_if_it_is_of_this_week),
        cmocka_unit_test(what_was_written_down_of_an_earlier_week_is_written_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
