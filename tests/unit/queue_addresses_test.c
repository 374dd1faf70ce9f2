// SPDX-License-Identifier: BSD-2-Clause
/* queue_addresses_test.c - Addresses: room, rest, probes, and who waits. */
#include "table.h"

#include "address_book.h"

#include <stdlib.h>

static struct queue_address address(uint8_t last)
{
    return (struct queue_address){.ip = {[10] = 0xff, [11] = 0xff, 192, 0, 2, last}, .port = 25};
}

static const struct queue_address all[3] = {
    {.ip = {[10] = 0xff, [11] = 0xff, 192, 0, 2, 1}, .port = 25},
    {.ip = {[10] = 0xff, [11] = 0xff, 192, 0, 2, 2}, .port = 25},
    {.ip = {[10] = 0xff, [11] = 0xff, 192, 0, 2, 3}, .port = 25},
};

struct party {
    struct address_hold holds[ADDRESS_HOLDS_MAX];
    struct address_waiter waiter;
};

static struct address_book book;

/* Which of the first `count` it gets; -1: none. */
static int take(struct party *p, size_t count, unsigned limit, bool urgent, int64_t now_ms)
{
    struct address_question ask = {
        .candidates = all, .count = count, .limit = limit, .urgent = urgent};
    size_t index = 99;
    int64_t again_ms = 0;
    bool ok = address_book_take(&book, &ask, p->holds, &p->waiter, &index, &again_ms, now_ms);
    assert_true(ok || again_ms > now_ms);
    return ok ? (int)index : -1;
}

static struct address_hold *held(struct party *p, uint8_t last)
{
    struct queue_address a = address(last);
    struct address_hold *hold = address_book_held(p->holds, &a);
    assert_non_null(hold);
    return hold;
}

static int start(void **state)
{
    (void)state;
    address_book_init(&book);
    return 0;
}

static int end(void **state)
{
    (void)state;
    address_book_fini(&book);
    return 0;
}

static void the_first_is_taken_and_one_that_failed_is_passed_over(void **state)
{
    struct party p = {0};
    struct party q = {0};
    (void)state;
    assert_int_equal(take(&p, 3, 5, false, 0), 0);
    address_book_failed(&book, held(&p, 1), 2000);
    assert_int_equal(take(&p, 3, 5, false, 2000), 1);
    address_book_works(held(&p, 2));
    for (int64_t now_ms = 2000; now_ms < 7000; now_ms += 1000) { /* nobody runs into it meanwhile */
        assert_int_equal(take(&q, 3, 5, false, now_ms), 1);
        address_book_release(&book, held(&q, 2), now_ms);
    }
    assert_int_equal(take(&q, 3, 5, true, 7000), 1); /* urgent mail is not risked for it */
    address_book_release(&book, held(&q, 2), 7000);
    assert_int_equal(take(&q, 3, 5, false, 7000), 0); /* its rest is over: one probes it */
    struct party r = {0};
    assert_int_equal(take(&r, 3, 5, false, 7000), 1);
    address_book_works(held(&q, 1));
    struct party s = {0};
    assert_int_equal(take(&s, 3, 5, false, 7000), 0);
    address_book_release(&book, held(&p, 2), 0);
    address_book_release(&book, held(&q, 1), 0);
    address_book_release(&book, held(&r, 2), 0);
    address_book_release(&book, held(&s, 1), 0);
    assert_int_equal(book.all.count, 0); /* what is fine is not remembered */
}

/* Whoever waits for an address does not wait for himself, when it has failed meanwhile and rested. */
static void who_waits_alone_probes_when_the_rest_is_over(void **state)
{
    (void)state;
    for (int urgent = 0; urgent < 2; urgent++) {
        struct party p = {0};
        struct party q = {0};
        assert_int_equal(take(&p, 1, 1, false, 0), 0);
        assert_int_equal(take(&q, 1, 1, false, 1000), -1);
        address_book_failed(&book, held(&p, 1), 2000); /* until 7000 */
        assert_int_equal(take(&q, 1, 1, urgent != 0, 8000), 0);
        address_book_works(held(&q, 1));
        address_book_release(&book, held(&q, 1), 9000);
        assert_int_equal(book.all.count, 0);
    }
}

static void it_rests_longer_each_time(void **state)
{
    static const int64_t rests_s[] = {5, 10, 20, 40, 80, 160, 320, 600, 600};
    int64_t now_ms = 0;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rests_s); i++) {
        struct party p = {0};
        struct party q = {0};
        assert_int_equal(take(&p, 1, 5, false, now_ms), 0);
        address_book_failed(&book, held(&p, 1), now_ms);
        assert_int_equal(take(&q, 2, 5, false, now_ms + rests_s[i] * 1000 - 1), 1);
        address_book_release(&book, held(&q, 2), now_ms);
        now_ms += rests_s[i] * 1000;
    }
}

static void when_all_rest_one_at_a_time_probes_the_one_that_rests_shortest(void **state)
{
    struct party p = {0};
    struct party q = {0};
    (void)state;
    assert_int_equal(take(&p, 3, 5, false, 0), 0);
    assert_int_equal(take(&p, 3, 5, false, 0), 1); /* raced: three at once at most */
    assert_int_equal(take(&p, 3, 5, false, 0), 2);
    assert_int_equal(take(&p, 3, 5, false, 0), -1);
    address_book_failed(&book, held(&p, 2), 1000);
    address_book_failed(&book, held(&p, 1), 2000);
    address_book_failed(&book, held(&p, 3), 3000);
    assert_int_equal(take(&p, 3, 5, false, 4000), 1);
    assert_int_equal(take(&q, 1, 5, false, 4000), 0);
    struct party r = {0};
    assert_int_equal(take(&r, 2, 5, false, 4000), -1); /* both are being probed */
    address_book_resume(&book, &all[1]); /* somebody knows better: no probe is waited for */
    assert_int_equal(take(&r, 2, 5, false, 4000), 1);
    assert_false(held(&r, 2)->probes);
    address_book_release(&book, held(&r, 2), 4000);
    address_book_forget(&book);
    assert_int_equal(take(&r, 2, 5, false, 4000), 0);
    address_book_works(held(&p, 2));
    address_book_release(&book, held(&p, 2), 4000);
    address_book_release(&book, held(&q, 1), 4000);
    address_book_release(&book, held(&r, 1), 4000);
    assert_int_equal(book.all.count, 0);
}

/* The kind: what one destination is told about its own addresses ends what is known of others'. */
static void the_rest_of_one_ends_alone(void **state)
{
    struct party p = {0};
    struct party q = {0};
    (void)state;
    for (uint8_t i = 1; i <= 2; i++) {
        assert_int_equal(take(&p, 3, 5, false, 0), i - 1);
        address_book_failed(&book, held(&p, i), 0);
    }
    address_book_resume(&book, &all[1]);
    address_book_resume(&book, &all[2]); /* nothing is known of it */
    assert_int_equal(take(&q, 3, 5, false, 1), 1);
    address_book_release(&book, held(&q, 2), 1);
    assert_int_equal(book.all.count, 1);
}

/* One that was slower than another goes on by itself: its address is used, and probed, until it ends. */
static void a_probe_goes_on_by_itself(void **state)
{
    struct party p = {0};
    struct party q = {0};
    (void)state;
    for (int ending = 0; ending < 3; ending++) {
        assert_int_equal(take(&p, 1, 1, false, 0), 0);
        assert_false(address_book_detach(held(&p, 1))); /* it is a first try, no probe */
        address_book_failed(&book, held(&p, 1), 0);
        assert_int_equal(take(&p, 1, 1, false, 5000), 0);
        assert_true(address_book_detach(held(&p, 1)));
        assert_null(address_book_held(p.holds, &all[0]));
        assert_int_equal(take(&p, 1, 1, false, 5000), -1); /* it still counts */
        address_book_leave(&book, &p.waiter);
        struct address_hold *detached = address_book_detached(&book, &all[0]);
        assert_non_null(detached);
        if (ending == 0) {
            address_book_works(detached);
            address_book_release(&book, detached, 6000);
            assert_int_equal(book.all.count, 0);
        } else if (ending == 1) {
            address_book_failed(&book, detached, 6000);
            assert_int_equal(take(&q, 2, 1, false, 6000 + 9999), 1); /* that was the second time */
            address_book_release(&book, held(&q, 2), 6000);
        } else {
            address_book_release(&book, detached, 6000);
            assert_int_equal(take(&q, 2, 1, false, 6000), 0);
            assert_true(held(&q, 1)->probes);
            address_book_release(&book, held(&q, 1), 6000);
        }
        assert_null(address_book_detached(&book, &all[0]));
        address_book_forget(&book);
    }
}

/* The kind: a record of long ago, taken for news at the next use. */
static void an_old_failure_is_forgotten(void **state)
{
    static const int64_t forgotten_ms = 5000 + 3600 * 1000;
    struct party p = {0};
    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(take(&p, 1, 5, false, i * forgotten_ms), 0);
        assert_false(held(&p, 1)->probes);
        address_book_failed(&book, held(&p, 1), i * forgotten_ms);
    }
    assert_int_equal(take(&p, 2, 5, false, forgotten_ms + 4999), 1);
    address_book_release(&book, held(&p, 2), 0);
    assert_int_equal(take(&p, 2, 5, false, forgotten_ms + 5000), 0); /* as after the first */
    address_book_release(&book, held(&p, 1), 0);
    address_book_forget(&book);
}

/* Another port, and another address, are somebody else. */
static void addresses_are_apart(void **state)
{
    struct queue_address six = {.ip = {[10] = 0xff, [11] = 0xfe, 192, 0, 2, 1}, .port = 25};
    struct queue_address port = all[0];
    struct party p = {0};
    (void)state;
    port.port = 587;
    const struct queue_address three[] = {all[0], port, six};
    for (size_t i = 0; i < 3; i++) {
        struct address_question ask = {.candidates = &three[i], .count = 1, .limit = 1};
        size_t index = 99;
        int64_t again_ms = 0;
        assert_true(address_book_take(&book, &ask, p.holds, &p.waiter, &index, &again_ms, 0));
    }
    for (size_t i = 0; i < 3; i++)
        address_book_release(&book, address_book_held(p.holds, &three[i]), 0);
    assert_int_equal(book.all.count, 0);
}

/* Takers at random: never more than the limit, nobody who waits is forgotten, and what nobody uses is forgotten. */
static void at_random(void **state)
{
    enum { LIMIT = 3, ROUNDS = 20000, PARTIES = 12 };
    static struct party parties[PARTIES];
    int64_t now_ms = 0;
    (void)state;
    srand(7);
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct party *p = &parties[rand() % PARTIES];
        struct address_hold *hold = &p->holds[rand() % ADDRESS_HOLDS_MAX];
        struct address_hold *detached = address_book_detached(&book, &all[rand() % 3]);
        struct address_waiter *called = address_book_next_called(&book);
        unsigned in_use[3] = {0};
        now_ms += rand() % 500;
        if (called)
            address_book_leave(&book, called);
        switch (rand() % 6) {
        case 0:
        case 1:
            (void)take(p, 3, LIMIT, rand() % 4 == 0, now_ms);
            break;
        case 2:
            if (hold->address)
                address_book_works(hold);
            break;
        case 3:
            if (hold->address)
                address_book_failed(&book, hold, now_ms);
            break;
        case 4:
            address_book_release(&book, hold, now_ms);
            break;
        case 5:
            if (detached && rand() % 2)
                address_book_release(&book, detached, now_ms);
            else if (!address_book_detach(hold) && rand() % 100 == 0)
                address_book_forget(&book);
            break;
        }
        for (size_t k = 0; k < 3; k++) {
            for (size_t i = 0; i < PARTIES; i++)
                in_use[k] += address_book_held(parties[i].holds, &all[k]) != NULL;
            in_use[k] += address_book_detached(&book, &all[k]) != NULL;
            assert_in_range(in_use[k], 0, LIMIT);
        }
    }
    for (size_t i = 0; i < PARTIES; i++) {
        address_book_leave(&book, &parties[i].waiter);
        for (size_t k = 0; k < ADDRESS_HOLDS_MAX; k++)
            address_book_release(&book, &parties[i].holds[k], now_ms);
    }
    for (size_t k = 0; k < 3; k++)
        if (address_book_detached(&book, &all[k]))
            address_book_release(&book, address_book_detached(&book, &all[k]), now_ms);
    address_book_forget(&book);
    assert_int_equal(book.all.count, 0);
}

static void one_on_which_others_work_does_not_rest(void **state)
{
    struct party p = {0};
    struct party q = {0};
    struct party r = {0};
    (void)state;
    assert_int_equal(take(&p, 1, 5, false, 0), 0);
    address_book_works(held(&p, 1));
    assert_int_equal(take(&q, 1, 5, false, 0), 0);
    address_book_failed(&book, held(&q, 1), 0);
    assert_int_equal(take(&r, 2, 5, false, 1), 0);
    address_book_release(&book, held(&p, 1), 0);
    address_book_release(&book, held(&r, 1), 0);
}

static void who_waits_is_called_in_order_and_urgent_ones_first(void **state)
{
    struct party p[5] = {0};
    (void)state;
    assert_int_equal(take(&p[0], 1, 1, false, 0), 0);
    assert_int_equal(take(&p[1], 1, 1, false, 0), -1);
    assert_int_equal(take(&p[2], 1, 1, false, 0), -1);
    assert_int_equal(take(&p[3], 1, 1, true, 0), -1);
    assert_true(address_book_is_wanted(&p[0].holds[0], true));
    assert_null(address_book_next_called(&book));
    address_book_release(&book, held(&p[0], 1), 0);
    assert_ptr_equal(address_book_next_called(&book), &p[3].waiter);
    assert_int_equal(take(&p[4], 1, 1, false, 0), -1); /* it may not push in */
    assert_int_equal(take(&p[3], 1, 1, true, 0), 0);
    address_book_release(&book, held(&p[3], 1), 0);
    assert_ptr_equal(address_book_next_called(&book), &p[1].waiter);
    address_book_leave(&book, &p[1].waiter); /* it has nothing left to send: the next one's turn */
    assert_ptr_equal(address_book_next_called(&book), &p[2].waiter);
    assert_int_equal(take(&p[2], 1, 1, false, 0), 0);
    assert_false(address_book_is_wanted(&p[2].holds[0], true));
    address_book_leave(&book, &p[4].waiter);
    address_book_release(&book, held(&p[2], 1), 0);
    assert_int_equal(book.all.count, 0);
}

static int take_of(struct party *p, uint64_t tenant)
{
    const struct address_question ask = {.candidates = all, .count = 1, .limit = 3, .urgent = true, .tenant = tenant};
    size_t index = 99;
    int64_t again_ms = 0;
    return address_book_take(&book, &ask, p->holds, &p->waiter, &index, &again_ms, 0) ? (int)index : -1;
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
    address_book_release(&book, held(&p[0], 1), 0);
    assert_ptr_equal(address_book_next_called(&book), &p[3].waiter);
    address_book_leave(&book, &p[3].waiter);
    address_book_leave(&book, &p[4].waiter);
    for (size_t i = 1; i < 3; i++)
        address_book_release(&book, held(&p[i], 1), 0);
}

static void a_part_is_kept_for_what_is_urgent(void **state)
{
    struct party p[10] = {0};
    struct party urgent[3] = {0};
    (void)state;
    assert_int_equal(take(&urgent[0], 1, 10, true, 0), 0); /* there is some */
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(take(&p[i], 1, 10, false, 0), 0);
    assert_int_equal(take(&p[8], 1, 10, false, 0), -1);
    assert_false(address_book_may_carry(&urgent[0].holds[0], 10));
    assert_int_equal(take(&urgent[1], 1, 10, true, 0), 0);
    assert_int_equal(take(&urgent[2], 1, 10, true, 0), -1);
    address_book_release(&book, held(&p[0], 1), 0);
    assert_ptr_equal(address_book_next_called(&book), &urgent[2].waiter);
    address_book_leave(&book, &urgent[2].waiter);
    assert_true(address_book_may_carry(&urgent[0].holds[0], 10));
    address_book_carries(&urgent[0].holds[0], false, 0, 0);
    assert_false(address_book_may_carry(&urgent[1].holds[0], 10));
    address_book_leave(&book, &p[8].waiter);
    for (size_t i = 1; i < 8; i++)
        address_book_release(&book, held(&p[i], 1), 0);
    address_book_release(&book, held(&urgent[0], 1), 0);
    address_book_release(&book, held(&urgent[1], 1), 0);
    assert_int_equal(book.all.count, 0);
}

/* Whoever is refused where others work is not told that the address fails, and nobody else runs into it. */
static void what_refuses_some_bears_the_others(void **state)
{
    struct party p[6] = {0};
    (void)state;
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(take(&p[i], 1, 20, true, 0), 0);
    for (size_t i = 0; i < 4; i++)
        address_book_opened(held(&p[i], 1), 0);
    assert_int_equal(address_book_refused(&book, held(&p[4], 1), 0), 4);
    assert_int_equal(take(&p[5], 1, 20, true, 0), -1);
    address_book_release(&book, held(&p[0], 1), 100);
    assert_ptr_equal(address_book_next_called(&book), &p[5].waiter);
    assert_int_equal(take(&p[5], 1, 20, true, 100), 0);
    assert_false(held(&p[5], 1)->probes);
    assert_int_equal(take(&p[0], 1, 20, true, 59999), -1);
    assert_int_equal(take(&p[0], 1, 20, true, 60000), 0); /* whether it bears more now */
    assert_int_equal(address_book_refused(&book, held(&p[0], 1), 60000), 3);
    assert_int_equal(take(&p[0], 1, 20, true, 60000 + 119999), -1);
    address_book_leave(&book, &p[0].waiter);
    for (size_t i = 1; i < 4; i++)
        address_book_release(&book, held(&p[i], 1), 61000);
    address_book_release(&book, held(&p[5], 1), 61000);
    assert_int_equal(book.all.count, 1); /* it is remembered */
    assert_int_equal(take(&p[0], 1, 20, true, 61000), 0);
    assert_int_equal(address_book_refused(&book, held(&p[0], 1), 61000), 0); /* alone: it fails */
    assert_int_equal(take(&p[0], 2, 20, true, 61000), 1);
    address_book_release(&book, held(&p[0], 2), 61000);
    address_book_forget(&book);
    assert_int_equal(book.all.count, 0);
}

/* What it bears is forgotten when a person says so, also while it is used. */
static void what_it_bears_is_asked_anew_by_a_person(void **state)
{
    struct party p[3] = {0};
    (void)state;
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(take(&p[i], 1, 20, true, 0), 0);
    address_book_opened(held(&p[0], 1), 0);
    assert_int_equal(address_book_refused(&book, held(&p[2], 1), 0), 1);
    assert_int_equal(take(&p[2], 1, 20, true, 0), -1);
    address_book_leave(&book, &p[2].waiter);
    address_book_resume(&book, &all[0]);
    assert_int_equal(take(&p[2], 1, 20, true, 0), 0);
    for (size_t i = 0; i < 3; i++)
        address_book_release(&book, held(&p[i], 1), 0);
    assert_int_equal(book.all.count, 0);
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
                .candidates = all, .count = 1, .limit = 3, .urgent = urgent, .tenant = tenants[i]};
            size_t index = 99;
            int64_t again_ms = 0;
            bool taken =
                address_book_take(&book, &ask, p[i].holds, &p[i].waiter, &index, &again_ms, 0);
            assert_int_equal(taken, i < (urgent ? 3 : 2));
        }
        assert_int_equal(address_book_is_wanted_by_less(&p[0].holds[0], eve, 1), urgent);
        assert_false(address_book_is_wanted_by_less(&p[0].holds[0], bob, 0));
        address_book_release(&book, held(&p[0], 1), 0);
        assert_ptr_equal(address_book_next_called(&book), &p[4].waiter);
        for (size_t i = 0; i < COUNT_OF(p); i++) {
            address_book_leave(&book, &p[i].waiter);
            address_book_release(&book, &p[i].holds[0], 0);
        }
        assert_int_equal(book.all.count + book.parties.count, 0);
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
        assert_int_equal(take(&p[i], 1, 10, false, 0), 0);
    assert_int_equal(take(&p[9], 1, 10, false, 0), -1);
    assert_int_equal(take(&urgent, 1, 10, true, 0), 0);
    address_book_leave(&book, &p[9].waiter);
    address_book_release(&book, held(&p[0], 1), 0);
    assert_int_equal(take(&p[0], 1, 10, false, 3599999), -1); /* from now on more is */
    address_book_leave(&book, &p[0].waiter);
    assert_int_equal(take(&p[0], 1, 10, false, 3600000), 0);
    for (size_t i = 0; i < 9; i++)
        address_book_release(&book, held(&p[i], 1), 0);
    address_book_release(&book, held(&urgent, 1), 0);
}

static void the_reserve(void **state)
{
    static const unsigned rows[][2] = {{0, 0}, {1, 0}, {2, 1},  {3, 1},
                                       {5, 1}, {9, 1}, {10, 2}, {400, 80}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(reserve_of(rows[i][0]), rows[i][1]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)

/* It speaks, and then says nothing: its words alone do not make it one that works. */
static void who_stalls_rests_until_a_message_goes_through(void **state)
{
    struct party p = {0};
    struct party q = {0};
    struct party r = {0};
    int64_t now_ms = 1000;
    (void)state;
    for (int64_t rest_ms = 60 * 1000; rest_ms <= 120 * 1000; rest_ms *= 2) {
        assert_int_equal(take(&p, 2, 5, false, now_ms), 0);
        address_book_works(held(&p, 1));
        address_book_stalled(&book, held(&p, 1), now_ms);
        assert_int_equal(take(&q, 2, 5, false, now_ms + rest_ms - 1), 1);
        address_book_release(&book, held(&q, 2), now_ms);
        now_ms += rest_ms;
    }
    assert_int_equal(take(&p, 2, 5, false, now_ms), 0);
    address_book_works(held(&p, 1)); /* it speaks: others still leave it alone */
    assert_int_equal(take(&q, 2, 5, false, now_ms), 1);
    address_book_serves(held(&p, 1), now_ms);
    assert_int_equal(take(&r, 2, 5, false, now_ms), 0);
    address_book_works(held(&r, 1));
    address_book_stalled(&book, held(&r, 1), now_ms); /* of a message, where others go through */
    assert_int_equal(take(&r, 2, 5, false, now_ms), 0);
    struct party *all_of_them[] = {&p, &q, &r};
    for (size_t i = 0; i < 3; i++)
        for (size_t k = 0; k < ADDRESS_HOLDS_MAX; k++)
            address_book_release(&book, &all_of_them[i]->holds[k], now_ms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_first_is_taken_and_one_that_failed_is_passed_over),
        TEST(who_waits_alone_probes_when_the_rest_is_over),
        TEST(it_rests_longer_each_time),
        TEST(when_all_rest_one_at_a_time_probes_the_one_that_rests_shortest),
        TEST(the_rest_of_one_ends_alone),
        TEST(a_probe_goes_on_by_itself),
        TEST(an_old_failure_is_forgotten),
        TEST(addresses_are_apart),
        TEST(at_random),
        TEST(one_on_which_others_work_does_not_rest),
        TEST(who_stalls_rests_until_a_message_goes_through),
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
