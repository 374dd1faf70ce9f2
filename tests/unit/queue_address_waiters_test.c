// SPDX-License-Identifier: BSD-2-Clause
/* queue_address_waiters_test.c - Who waits for an address, whose turn it is, and what an address bears. */
#include "address_stage.h"

static void who_waits_is_called_in_order_and_urgent_ones_first(void **state)
{
    struct party p[5] = {0};
    (void)state;
    assert_int_equal(stage_take(&p[0], 1, 1, false, 0), 0);
    assert_int_equal(stage_take(&p[1], 1, 1, false, 0), -1);
    assert_int_equal(stage_take(&p[2], 1, 1, false, 0), -1);
    assert_int_equal(stage_take(&p[3], 1, 1, true, 0), -1);
    assert_true(address_book_is_wanted(&p[0].holds[0], true));
    assert_null(address_book_next_called(&stage_book));
    address_book_release(&stage_book, stage_held(&p[0], 1), 0);
    assert_ptr_equal(address_book_next_called(&stage_book), &p[3].waiter);
    assert_int_equal(stage_take(&p[4], 1, 1, false, 0), -1); /* it may not push in */
    assert_int_equal(stage_take(&p[3], 1, 1, true, 0), 0);
    address_book_release(&stage_book, stage_held(&p[3], 1), 0);
    assert_ptr_equal(address_book_next_called(&stage_book), &p[1].waiter);
    address_book_leave(&stage_book, &p[1].waiter); /* it has nothing left to send: the next one's turn */
    assert_ptr_equal(address_book_next_called(&stage_book), &p[2].waiter);
    assert_int_equal(stage_take(&p[2], 1, 1, false, 0), 0);
    assert_false(address_book_is_wanted(&p[2].holds[0], true));
    address_book_leave(&stage_book, &p[4].waiter);
    address_book_release(&stage_book, stage_held(&p[2], 1), 0);
    assert_int_equal(stage_book.all.count, 0);
}

static int take_of(struct party *p, uint64_t tenant)
{
    const struct address_question ask = {.candidates = stage_all, .count = 1, .limit = 3, .urgent = true, .tenant = tenant};
    size_t index = 99;
    int64_t again_ms = 0;
    return address_book_take(&stage_book, &ask, p->holds, &p->waiter, &index, &again_ms, 0) ? (int)index : -1;
}

/* One tenant has two places, another one: before both goes who has none, also where it takes over from one that waits. */
static void who_takes_over_may_stand_better(void **state)
{
    struct party p[5] = {0};
    (void)state;
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(take_of(&p[i], i < 2 ? 1 : 2), 0);
    assert_int_equal(take_of(&p[3], 1), -1);
    assert_int_equal(take_of(&p[4], 2), -1);
    uint64_t since = p[4].waiter.since;
    assert_int_equal(take_of(&p[4], 1), -1); /* it goes no sooner: the place is kept */
    assert_true(p[4].waiter.since == since && p[4].waiter.tenant == 2);
    assert_int_equal(take_of(&p[3], 3), -1);
    assert_true(p[3].waiter.tenant == 3);
    address_book_release(&stage_book, stage_held(&p[0], 1), 0);
    assert_ptr_equal(address_book_next_called(&stage_book), &p[3].waiter);
    address_book_leave(&stage_book, &p[3].waiter);
    address_book_leave(&stage_book, &p[4].waiter);
    for (size_t i = 1; i < 3; i++)
        address_book_release(&stage_book, stage_held(&p[i], 1), 0);
}

static void a_part_is_kept_for_what_is_urgent(void **state)
{
    struct party p[10] = {0};
    struct party urgent[3] = {0};
    (void)state;
    assert_int_equal(stage_take(&urgent[0], 1, 10, true, 0), 0); /* there is some */
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(stage_take(&p[i], 1, 10, false, 0), 0);
    assert_int_equal(stage_take(&p[8], 1, 10, false, 0), -1);
    assert_false(address_book_may_carry(&urgent[0].holds[0], 10));
    assert_int_equal(stage_take(&urgent[1], 1, 10, true, 0), 0);
    assert_int_equal(stage_take(&urgent[2], 1, 10, true, 0), -1);
    address_book_release(&stage_book, stage_held(&p[0], 1), 0);
    assert_ptr_equal(address_book_next_called(&stage_book), &urgent[2].waiter);
    address_book_leave(&stage_book, &urgent[2].waiter);
    assert_true(address_book_may_carry(&urgent[0].holds[0], 10));
    address_book_carries(&urgent[0].holds[0], false, 0, 0);
    assert_false(address_book_may_carry(&urgent[1].holds[0], 10));
    address_book_leave(&stage_book, &p[8].waiter);
    for (size_t i = 1; i < 8; i++)
        address_book_release(&stage_book, stage_held(&p[i], 1), 0);
    address_book_release(&stage_book, stage_held(&urgent[0], 1), 0);
    address_book_release(&stage_book, stage_held(&urgent[1], 1), 0);
    assert_int_equal(stage_book.all.count, 0);
}

/* Whoever is refused where others work is not told that the address fails, and nobody else runs into it. */
static void what_refuses_some_bears_the_others(void **state)
{
    struct party p[6] = {0};
    (void)state;
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(stage_take(&p[i], 1, 20, true, 0), 0);
    for (size_t i = 0; i < 4; i++)
        address_book_opened(stage_held(&p[i], 1), 0);
    assert_int_equal(address_book_refused(&stage_book, stage_held(&p[4], 1), 0), 4);
    assert_int_equal(stage_take(&p[5], 1, 20, true, 0), -1);
    address_book_release(&stage_book, stage_held(&p[0], 1), 100);
    assert_ptr_equal(address_book_next_called(&stage_book), &p[5].waiter);
    assert_int_equal(stage_take(&p[5], 1, 20, true, 100), 0);
    assert_false(stage_held(&p[5], 1)->probes);
    assert_int_equal(stage_take(&p[0], 1, 20, true, 59999), -1);
    assert_int_equal(stage_take(&p[0], 1, 20, true, 60000), 0); /* whether it bears more now */
    assert_int_equal(address_book_refused(&stage_book, stage_held(&p[0], 1), 60000), 3);
    assert_int_equal(stage_take(&p[0], 1, 20, true, 60000 + 119999), -1);
    address_book_leave(&stage_book, &p[0].waiter);
    for (size_t i = 1; i < 4; i++)
        address_book_release(&stage_book, stage_held(&p[i], 1), 61000);
    address_book_release(&stage_book, stage_held(&p[5], 1), 61000);
    assert_int_equal(stage_book.all.count, 1); /* it is remembered */
    assert_int_equal(stage_take(&p[0], 1, 20, true, 61000), 0);
    assert_int_equal(address_book_refused(&stage_book, stage_held(&p[0], 1), 61000), 0); /* alone: it fails */
    assert_int_equal(stage_take(&p[0], 2, 20, true, 61000), 1);
    address_book_release(&stage_book, stage_held(&p[0], 2), 61000);
    address_book_forget(&stage_book);
    assert_int_equal(stage_book.all.count, 0);
}

/* What it bears is forgotten when a person says so, also while it is used. */
static void what_it_bears_is_asked_anew_by_a_person(void **state)
{
    struct party p[3] = {0};
    (void)state;
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(stage_take(&p[i], 1, 20, true, 0), 0);
    address_book_opened(stage_held(&p[0], 1), 0);
    assert_int_equal(address_book_refused(&stage_book, stage_held(&p[2], 1), 0), 1);
    assert_int_equal(stage_take(&p[2], 1, 20, true, 0), -1);
    address_book_leave(&stage_book, &p[2].waiter);
    address_book_resume(&stage_book, &stage_all[0]);
    assert_int_equal(stage_take(&p[2], 1, 20, true, 0), 0);
    for (size_t i = 0; i < 3; i++)
        address_book_release(&stage_book, stage_held(&p[i], 1), 0);
    assert_int_equal(stage_book.all.count, 0);
}

static void who_holds_least_there_is_next(void **state)
{
    enum { eve = 1, bob = 2 };
    static const uint64_t tenants[] = {eve, eve, eve, eve, bob};
    struct party p[5] = {0};
    (void)state;
    for (int urgent = 0; urgent < 2; urgent++) {
        for (size_t i = 0; i < COUNT_OF(p); i++) {
            struct address_question ask = {
                .candidates = stage_all, .count = 1, .limit = 3, .urgent = urgent, .tenant = tenants[i]};
            size_t index = 99;
            int64_t again_ms = 0;
            bool taken =
                address_book_take(&stage_book, &ask, p[i].holds, &p[i].waiter, &index, &again_ms, 0);
            assert_int_equal(taken, i < (urgent ? 3 : 2));
        }
        assert_int_equal(address_book_is_wanted_by_less(&p[0].holds[0], eve, 1), urgent);
        assert_false(address_book_is_wanted_by_less(&p[0].holds[0], bob, 0));
        address_book_release(&stage_book, stage_held(&p[0], 1), 0);
        assert_ptr_equal(address_book_next_called(&stage_book), &p[4].waiter);
        for (size_t i = 0; i < COUNT_OF(p); i++) {
            address_book_leave(&stage_book, &p[i].waiter);
            address_book_release(&stage_book, &p[i].holds[0], 0);
        }
        assert_int_equal(stage_book.all.count + stage_book.parties.count, 0);
    }
}

static void where_nothing_was_urgent_for_an_hour_little_is_kept(void **state)
{
    static const struct {
        int64_t urgent_ms, now_ms;
        unsigned all, kept;
    } rows[] = {{NEVER_MS, 0, 20, 1}, {NEVER_MS, 0, 1, 0}, {NEVER_MS, 0, 400, 5}, {0, 0, 20, 4},
                {0, 3599999, 20, 4},  {0, 3600000, 20, 1}, {5, 3600000, 400, 80}, {0, 1, 1, 0}};
    struct party p[10] = {0};
    struct party urgent = {0};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(reserve_at(rows[i].all, rows[i].urgent_ms, rows[i].now_ms), rows[i].kept);
    for (size_t i = 0; i < 9; i++)
        assert_int_equal(stage_take(&p[i], 1, 10, false, 0), 0);
    assert_int_equal(stage_take(&p[9], 1, 10, false, 0), -1);
    assert_int_equal(stage_take(&urgent, 1, 10, true, 0), 0);
    address_book_leave(&stage_book, &p[9].waiter);
    address_book_release(&stage_book, stage_held(&p[0], 1), 0);
    assert_int_equal(stage_take(&p[0], 1, 10, false, 3599999), -1); /* from now on more is */
    address_book_leave(&stage_book, &p[0].waiter);
    assert_int_equal(stage_take(&p[0], 1, 10, false, 3600000), 0);
    for (size_t i = 0; i < 9; i++)
        address_book_release(&stage_book, stage_held(&p[i], 1), 0);
    address_book_release(&stage_book, stage_held(&urgent, 1), 0);
}

static void the_reserve(void **state)
{
    static const unsigned rows[][2] = {{0, 0}, {1, 0}, {2, 1},  {3, 1},
                                       {5, 1}, {9, 1}, {10, 2}, {400, 80}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(reserve_of(rows[i][0]), rows[i][1]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, stage_start, stage_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_waits_is_called_in_order_and_urgent_ones_first),
        TEST(who_takes_over_may_stand_better),
        TEST(a_part_is_kept_for_what_is_urgent),
        TEST(what_refuses_some_bears_the_others),
        TEST(what_it_bears_is_asked_anew_by_a_person),
        TEST(who_holds_least_there_is_next),
        TEST(the_reserve),
        TEST(where_nothing_was_urgent_for_an_hour_little_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
