// SPDX-License-Identifier: BSD-2-Clause
/* leases_test.c - Counts that are ahead on the disk: as they are, as others see them, what is undone, who gives up its place; and
 * against a model that crashes at any moment: never more than the limit, at most a lease less.
 */
#include "table.h"

#include "leases.h"
#include "throttle.h"

#include <string.h>

enum { PLACES = 256, IDLE_MS = 10 * 1000 };

static struct span name_of(unsigned number, unsigned char name[14])
{
    for (size_t i = 0; i < 14; i++) {
        number = number * 1103515245U + 12345U;
        name[i] = (unsigned char)(number >> 16);
    }
    return (struct span){(const char *)name, 14};
}

static struct leases_left set(struct leases *l, unsigned number, int64_t exact, int64_t stored, int64_t now_ms, bool want)
{
    unsigned char name[14];
    struct leases_left left;
    const struct sent_row a = {exact, 0};
    const struct sent_row b = {stored, 0};
    assert_int_equal(leases_set(l, name_of(number, name), &a, &b, now_ms, &left), want);
    return left;
}

static int64_t find(struct leases *l, unsigned number)
{
    unsigned char name[14];
    struct sent_row exact = {0};
    struct sent_row stored = {0};
    return leases_find(l, name_of(number, name), &exact, &stored) ? exact.until : -1;
}

static int64_t look(struct leases *l, unsigned number)
{
    unsigned char name[14];
    struct sent_row exact = {0};
    return leases_look(l, name_of(number, name), &exact) ? exact.until : -1;
}

static void drop(struct leases *l, unsigned number)
{
    unsigned char name[14];
    leases_drop(l, name_of(number, name));
}

static void others_see_what_is_committed(void **state)
{
    struct leases *l = leases_new();
    (void)state;
    set(l, 1, 100, 200, 0, true);
    assert_int_equal(find(l, 1), 100);
    assert_int_equal(look(l, 1), -1);
    leases_keep(l);
    assert_int_equal(look(l, 1), 100);
    set(l, 1, 110, 200, 0, true);
    assert_int_equal(find(l, 1), 110);
    assert_int_equal(look(l, 1), 100);
    leases_keep(l);
    assert_int_equal(look(l, 1), 110);
    drop(l, 1);
    leases_keep(l);
    assert_int_equal(find(l, 1), -1);
    assert_int_equal(look(l, 1), -1);
    leases_free(l);
}

static void what_is_undone_is_as_before(void **state)
{
    struct leases *l = leases_new();
    (void)state;
    set(l, 1, 100, 200, 0, true);
    leases_keep(l);
    set(l, 1, 110, 200, 0, true);
    size_t mark = leases_changes(l);
    set(l, 1, 120, 300, 0, true);
    set(l, 2, 50, 60, 0, true);
    drop(l, 1);
    leases_undo(l, mark);
    assert_int_equal(find(l, 1), 110);
    assert_int_equal(find(l, 2), -1);
    assert_int_equal(look(l, 1), 100);
    leases_undo(l, 0);
    assert_int_equal(find(l, 1), 100);
    assert_int_equal(leases_changes(l), 0);
    leases_free(l);
}

/* However many come: who is in use stays, and who is not is written as it is. */
static void there_are_few_places(void **state)
{
    struct leases *l = leases_new();
    size_t taken = 0;
    size_t left = 0;
    struct leases_left other;
    unsigned char name[14];
    (void)state;
    for (unsigned i = 0; i < 10 * PLACES; i++) {
        struct sent_row row = {1000 + i, 0};
        taken += leases_set(l, name_of(i, name), &row, &row, 0, &other);
        assert_int_equal(other.len, 0);
    }
    assert_int_equal(taken, PLACES);
    leases_keep(l);
    assert_int_equal(find(l, 0), 1000);
    for (unsigned i = 0; i < 10 * PLACES; i++) {
        struct sent_row row = {5, 0};
        if (leases_set(l, name_of(100000 + i, name), &row, &row, IDLE_MS, &other) && other.len > 0) {
            left++;
            assert_in_range(other.exact.until, 1000, 1000 + 10 * PLACES);
        }
    }
    assert_int_equal(left, PLACES);
    assert_int_equal(find(l, 0), -1);
    leases_undo(l, 0);
    assert_int_equal(find(l, 0), 1000);
    for (taken = 0; leases_take(l, &other); taken++)
        assert_int_equal(other.len, 14);
    assert_int_equal(taken, PLACES);
    assert_int_equal(find(l, 0), -1);
    leases_free(l);
}

static void none_of_a_store_that_only_a_command_has_open(void **state)
{
    unsigned char name[14];
    struct leases_left left;
    struct sent_row row = {1, 1};
    (void)state;
    assert_false(leases_set(NULL, name_of(1, name), &row, &row, 0, &left));
    assert_int_equal(left.len, 0);
    assert_false(leases_find(NULL, name_of(1, name), &row, &row));
    assert_false(leases_look(NULL, name_of(1, name), &row));
    leases_drop(NULL, name_of(1, name));
    leases_keep(NULL);
    leases_undo(NULL, leases_changes(NULL));
    assert_false(leases_take(NULL, &left));
}

static void a_small_limit_has_no_lease(void **state)
{
    static const struct {
        const char *label;
        struct throttle_limit limit;
        uint32_t lease;
    } rows[] = {
        {"no limit", {0, 1, 0, 0, 0}, 0},
        {"three at once", {1000, 3, 0, 0, 0}, 0},
        {"a quarter of what may come at once", {1000, 20, 0, 0, 0}, 5},
        {"sixteen at most", {1000, 60, 0, 0, 0}, 15},
        {"sixteen at most of many", {1000, 100000, 0, 0, 0}, 16},
        {"of a day, half of which may come at once", {0, 1, 40, 0, 0}, 5},
        {"the smaller of two", {1000, 1000, 40, 0, 0}, 5},
        {"the smaller of two, the other way", {1000, 8, 100000, 0, 0}, 2},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (throttle_lease(&rows[i].limit) != rows[i].lease)
            fail_msg("%s: %u", rows[i].label, throttle_lease(&rows[i].limit));
}

/* What the disk has is what counts after a crash. */
static void a_crash_gives_nothing_away(void **state)
{
    static const struct throttle_limit limits[] = {
        {2000, 60, 0, 0, 0}, {100, 64, 0, 0, 0}, {0, 1, 500, 0, 0}, {1000, 200, 4000, 0, 0}};
    (void)state;
    for (size_t n = 0; n < COUNT_OF(limits); n++)
        for (unsigned before = 0; before < 100; before++) {
            const struct throttle_limit *l = &limits[n];
            struct throttle_bucket exact = {0};
            struct throttle_bucket stored = {0};
            int64_t now_ms = 1000000;
            for (unsigned i = 0; i < before && throttle_wait_ms(&exact, l, true, now_ms) == 0; i++, now_ms += 7) {
                throttle_take(&exact, l, now_ms);
                if (exact.tat_ms > stored.tat_ms || exact.day_ms > stored.day_ms)
                    stored = throttle_ahead(&exact, l, throttle_lease(l));
            }
            uint32_t left = throttle_left(&exact, l, true, now_ms);
            uint32_t after = throttle_left(&stored, l, true, now_ms);
            if (after > left || after + throttle_lease(l) < left)
                fail_msg("limit %zu, %u before: %u left, %u after a crash", n, before, left, after);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(others_see_what_is_committed),
        cmocka_unit_test(what_is_undone_is_as_before),
        cmocka_unit_test(there_are_few_places),
        cmocka_unit_test(none_of_a_store_that_only_a_command_has_open),
        cmocka_unit_test(a_small_limit_has_no_lease),
        cmocka_unit_test(a_crash_gives_nothing_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
