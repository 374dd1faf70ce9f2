// SPDX-License-Identifier: BSD-2-Clause
/* queue_addresses_test.c - Addresses: room, rest, probes, and who waits. */
#include "address_stage.h"

#include <stdlib.h>

static void the_first_is_taken_and_one_that_failed_is_passed_over(void **state)
{
    struct party p = {0};
    struct party q = {0};
    (void)state;
    assert_int_equal(stage_take(&p, 3, 5, false, 0), 0);
    address_book_failed(&stage_book, stage_held(&p, 1), 2000);
    assert_int_equal(stage_take(&p, 3, 5, false, 2000), 1);
    address_book_works(stage_held(&p, 2));
    for (int64_t now_ms = 2000; now_ms < 7000; now_ms += 1000) { /* nobody runs into it meanwhile */
        assert_int_equal(stage_take(&q, 3, 5, false, now_ms), 1);
        address_book_release(&stage_book, stage_held(&q, 2), now_ms);
    }
    assert_int_equal(stage_take(&q, 3, 5, true, 7000), 1); /* urgent mail is not risked for it */
    address_book_release(&stage_book, stage_held(&q, 2), 7000);
    assert_int_equal(stage_take(&q, 3, 5, false, 7000), 0); /* its rest is over: one probes it */
    struct party r = {0};
    assert_int_equal(stage_take(&r, 3, 5, false, 7000), 1);
    address_book_works(stage_held(&q, 1));
    struct party s = {0};
    assert_int_equal(stage_take(&s, 3, 5, false, 7000), 0);
    address_book_release(&stage_book, stage_held(&p, 2), 0);
    address_book_release(&stage_book, stage_held(&q, 1), 0);
    address_book_release(&stage_book, stage_held(&r, 2), 0);
    address_book_release(&stage_book, stage_held(&s, 1), 0);
    assert_int_equal(stage_book.all.count, 0); /* what is fine is not remembered */
}

/* Whoever waits for an address does not wait for himself, when it has failed meanwhile and rested. */
static void who_waits_alone_probes_when_the_rest_is_over(void **state)
{
    (void)state;
    for (int urgent = 0; urgent < 2; urgent++) {
        struct party p = {0};
        struct party q = {0};
        assert_int_equal(stage_take(&p, 1, 1, false, 0), 0);
        assert_int_equal(stage_take(&q, 1, 1, false, 1000), -1);
        address_book_failed(&stage_book, stage_held(&p, 1), 2000); /* until 7000 */
        assert_int_equal(stage_take(&q, 1, 1, urgent != 0, 8000), 0);
        address_book_works(stage_held(&q, 1));
        address_book_release(&stage_book, stage_held(&q, 1), 9000);
        assert_int_equal(stage_book.all.count, 0);
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
        assert_int_equal(stage_take(&p, 1, 5, false, now_ms), 0);
        address_book_failed(&stage_book, stage_held(&p, 1), now_ms);
        assert_int_equal(stage_take(&q, 2, 5, false, now_ms + rests_s[i] * 1000 - 1), 1);
        address_book_release(&stage_book, stage_held(&q, 2), now_ms);
        now_ms += rests_s[i] * 1000;
    }
}

static void when_all_rest_one_at_a_time_probes_the_one_that_rests_shortest(void **state)
{
    struct party p = {0};
    struct party q = {0};
    (void)state;
    assert_int_equal(stage_take(&p, 3, 5, false, 0), 0);
    assert_int_equal(stage_take(&p, 3, 5, false, 0), 1); /* raced: three at once at most */
    assert_int_equal(stage_take(&p, 3, 5, false, 0), 2);
    assert_int_equal(stage_take(&p, 3, 5, false, 0), -1);
    address_book_failed(&stage_book, stage_held(&p, 2), 1000);
    address_book_failed(&stage_book, stage_held(&p, 1), 2000);
    address_book_failed(&stage_book, stage_held(&p, 3), 3000);
    assert_int_equal(stage_take(&p, 3, 5, false, 4000), 1);
    assert_int_equal(stage_take(&q, 1, 5, false, 4000), 0);
    struct party r = {0};
    assert_int_equal(stage_take(&r, 2, 5, false, 4000), -1); /* both are being probed */
    address_book_resume(&stage_book, &stage_all[1]); /* somebody knows better: no probe is waited for */
    assert_int_equal(stage_take(&r, 2, 5, false, 4000), 1);
    assert_false(stage_held(&r, 2)->probes);
    address_book_release(&stage_book, stage_held(&r, 2), 4000);
    address_book_forget(&stage_book);
    assert_int_equal(stage_take(&r, 2, 5, false, 4000), 0);
    address_book_works(stage_held(&p, 2));
    address_book_release(&stage_book, stage_held(&p, 2), 4000);
    address_book_release(&stage_book, stage_held(&q, 1), 4000);
    address_book_release(&stage_book, stage_held(&r, 1), 4000);
    assert_int_equal(stage_book.all.count, 0);
}

/* The kind: what one destination is told about its own addresses ends what is known of others'. */
static void the_rest_of_one_ends_alone(void **state)
{
    struct party p = {0};
    struct party q = {0};
    (void)state;
    for (uint8_t i = 1; i <= 2; i++) {
        assert_int_equal(stage_take(&p, 3, 5, false, 0), i - 1);
        address_book_failed(&stage_book, stage_held(&p, i), 0);
    }
    address_book_resume(&stage_book, &stage_all[1]);
    address_book_resume(&stage_book, &stage_all[2]); /* nothing is known of it */
    assert_int_equal(stage_take(&q, 3, 5, false, 1), 1);
    address_book_release(&stage_book, stage_held(&q, 2), 1);
    assert_int_equal(stage_book.all.count, 1);
}

/* One that was slower than another goes on by itself: its address is used, and probed, until it ends. */
static void a_probe_goes_on_by_itself(void **state)
{
    struct party p = {0};
    struct party q = {0};
    (void)state;
    for (int ending = 0; ending < 3; ending++) {
        assert_int_equal(stage_take(&p, 1, 1, false, 0), 0);
        assert_false(address_book_detach(stage_held(&p, 1))); /* it is a first try, no probe */
        address_book_failed(&stage_book, stage_held(&p, 1), 0);
        assert_int_equal(stage_take(&p, 1, 1, false, 5000), 0);
        assert_true(address_book_detach(stage_held(&p, 1)));
        assert_null(address_book_held(p.holds, &stage_all[0]));
        assert_int_equal(stage_take(&p, 1, 1, false, 5000), -1); /* it still counts */
        address_book_leave(&stage_book, &p.waiter);
        struct address_hold *detached = address_book_detached(&stage_book, &stage_all[0]);
        assert_non_null(detached);
        if (ending == 0) {
            address_book_works(detached);
            address_book_release(&stage_book, detached, 6000);
            assert_int_equal(stage_book.all.count, 0);
        } else if (ending == 1) {
            address_book_failed(&stage_book, detached, 6000);
            assert_int_equal(stage_take(&q, 2, 1, false, 6000 + 9999), 1); /* that was the second time */
            address_book_release(&stage_book, stage_held(&q, 2), 6000);
        } else {
            address_book_release(&stage_book, detached, 6000);
            assert_int_equal(stage_take(&q, 2, 1, false, 6000), 0);
            assert_true(stage_held(&q, 1)->probes);
            address_book_release(&stage_book, stage_held(&q, 1), 6000);
        }
        assert_null(address_book_detached(&stage_book, &stage_all[0]));
        address_book_forget(&stage_book);
    }
}

/* The kind: a record of long ago, taken for news at the next use. */
static void an_old_failure_is_forgotten(void **state)
{
    static const int64_t forgotten_ms = 5000 + 3600 * 1000;
    struct party p = {0};
    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(stage_take(&p, 1, 5, false, i * forgotten_ms), 0);
        assert_false(stage_held(&p, 1)->probes);
        address_book_failed(&stage_book, stage_held(&p, 1), i * forgotten_ms);
    }
    assert_int_equal(stage_take(&p, 2, 5, false, forgotten_ms + 4999), 1);
    address_book_release(&stage_book, stage_held(&p, 2), 0);
    assert_int_equal(stage_take(&p, 2, 5, false, forgotten_ms + 5000), 0); /* as after the first */
    address_book_release(&stage_book, stage_held(&p, 1), 0);
    address_book_forget(&stage_book);
}

/* Another port, and another address, are somebody else. */
static void addresses_are_apart(void **state)
{
    struct queue_address six = {.ip = {[10] = 0xff, [11] = 0xfe, 192, 0, 2, 1}, .port = 25};
    struct queue_address port = stage_all[0];
    struct party p = {0};
    (void)state;
    port.port = 587;
    const struct queue_address three[] = {stage_all[0], port, six};
    for (size_t i = 0; i < 3; i++) {
        struct address_question ask = {.candidates = &three[i], .count = 1, .limit = 1};
        size_t index = 99;
        int64_t again_ms = 0;
        assert_true(address_book_take(&stage_book, &ask, p.holds, &p.waiter, &index, &again_ms, 0));
    }
    for (size_t i = 0; i < 3; i++)
        address_book_release(&stage_book, address_book_held(p.holds, &three[i]), 0);
    assert_int_equal(stage_book.all.count, 0);
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
        struct address_hold *detached = address_book_detached(&stage_book, &stage_all[rand() % 3]);
        struct address_waiter *called = address_book_next_called(&stage_book);
        unsigned in_use[3] = {0};
        now_ms += rand() % 500;
        if (called)
            address_book_leave(&stage_book, called);
        switch (rand() % 6) {
        case 0:
        case 1:
            (void)stage_take(p, 3, LIMIT, rand() % 4 == 0, now_ms);
            break;
        case 2:
            if (hold->address)
                address_book_works(hold);
            break;
        case 3:
            if (hold->address)
                address_book_failed(&stage_book, hold, now_ms);
            break;
        case 4:
            address_book_release(&stage_book, hold, now_ms);
            break;
        case 5:
            if (detached && rand() % 2)
                address_book_release(&stage_book, detached, now_ms);
            else if (!address_book_detach(hold) && rand() % 100 == 0)
                address_book_forget(&stage_book);
            break;
        }
        for (size_t k = 0; k < 3; k++) {
            for (size_t i = 0; i < PARTIES; i++)
                in_use[k] += address_book_held(parties[i].holds, &stage_all[k]) != NULL;
            in_use[k] += address_book_detached(&stage_book, &stage_all[k]) != NULL;
            assert_in_range(in_use[k], 0, LIMIT);
        }
    }
    for (size_t i = 0; i < PARTIES; i++) {
        address_book_leave(&stage_book, &parties[i].waiter);
        for (size_t k = 0; k < ADDRESS_HOLDS_MAX; k++)
            address_book_release(&stage_book, &parties[i].holds[k], now_ms);
    }
    for (size_t k = 0; k < 3; k++)
        if (address_book_detached(&stage_book, &stage_all[k]))
            address_book_release(&stage_book, address_book_detached(&stage_book, &stage_all[k]), now_ms);
    address_book_forget(&stage_book);
    assert_int_equal(stage_book.all.count, 0);
}

static void one_on_which_others_work_does_not_rest(void **state)
{
    struct party p = {0};
    struct party q = {0};
    struct party r = {0};
    (void)state;
    assert_int_equal(stage_take(&p, 1, 5, false, 0), 0);
    address_book_works(stage_held(&p, 1));
    assert_int_equal(stage_take(&q, 1, 5, false, 0), 0);
    address_book_failed(&stage_book, stage_held(&q, 1), 0);
    assert_int_equal(stage_take(&r, 2, 5, false, 1), 0);
    address_book_release(&stage_book, stage_held(&p, 1), 0);
    address_book_release(&stage_book, stage_held(&r, 1), 0);
}

/* It speaks, and then says nothing: its words alone do not make it one that works. */
static void who_stalls_rests_until_a_message_goes_through(void **state)
{
    struct party p = {0};
    struct party q = {0};
    struct party r = {0};
    int64_t now_ms = 1000;
    (void)state;
    for (int64_t rest_ms = 60 * 1000; rest_ms <= 120 * 1000; rest_ms *= 2) {
        assert_int_equal(stage_take(&p, 2, 5, false, now_ms), 0);
        address_book_works(stage_held(&p, 1));
        address_book_stalled(&stage_book, stage_held(&p, 1), now_ms);
        assert_int_equal(stage_take(&q, 2, 5, false, now_ms + rest_ms - 1), 1);
        address_book_release(&stage_book, stage_held(&q, 2), now_ms);
        now_ms += rest_ms;
    }
    assert_int_equal(stage_take(&p, 2, 5, false, now_ms), 0);
    address_book_works(stage_held(&p, 1)); /* it speaks: others still leave it alone */
    assert_int_equal(stage_take(&q, 2, 5, false, now_ms), 1);
    address_book_serves(stage_held(&p, 1), now_ms);
    assert_int_equal(stage_take(&r, 2, 5, false, now_ms), 0);
    address_book_works(stage_held(&r, 1));
    address_book_stalled(&stage_book, stage_held(&r, 1), now_ms); /* of a message, where others go through */
    assert_int_equal(stage_take(&r, 2, 5, false, now_ms), 0);
    struct party *all_of_them[] = {&p, &q, &r};
    for (size_t i = 0; i < 3; i++)
        for (size_t k = 0; k < ADDRESS_HOLDS_MAX; k++)
            address_book_release(&stage_book, &all_of_them[i]->holds[k], now_ms);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, stage_start, stage_end)

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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
