// SPDX-License-Identifier: BSD-2-Clause
/* handshakes_test.c - Servers that make handshakes dear take their tenant's time, and half of the loop's at most. */
#include "table.h"

#include "handshakes.h"

#include <string.h>
#include <time.h>

enum { MOST = 40 };

int __real_clock_gettime(clockid_t id, struct timespec *t);
uint64_t __real_uv_hrtime(void);
int __wrap_clock_gettime(clockid_t id, struct timespec *t);
uint64_t __wrap_uv_hrtime(void);

static uint64_t burnt_us; /* by handshakes: no other time of the thread counts */

int __wrap_clock_gettime(clockid_t id, struct timespec *t)
{
    if (id != CLOCK_THREAD_CPUTIME_ID)
        return __real_clock_gettime(id, t);
    *t = (struct timespec){(time_t)(burnt_us / 1000000), (long)(burnt_us % 1000000) * 1000};
    return 0;
}

uint64_t __wrap_uv_hrtime(void)
{
    return __real_uv_hrtime() + burnt_us * 1000;
}

static struct one {
    struct handshake s;
    uint64_t costs_us;
    bool urgent;
} all[MOST];
static size_t count, order[MOST], run;
static uv_loop_t loop;
static struct handshakes *h;

static void on_run(struct handshake *s)
{
    struct one *one = (struct one *)s;
    burnt_us += one->costs_us;
    order[run++] = (size_t)(one - all);
}

static size_t add(const char *tenant, uint64_t costs_us)
{
    struct one *one = &all[count];
    *one = (struct one){.s = {.run = on_run, .urgent = one->urgent}, .costs_us = costs_us};
    snprintf(one->s.tenant, sizeof(one->s.tenant), "%s", tenant);
    handshakes_add(h, &one->s);
    return count++;
}

static void begin_with(const struct handshakes_bounds *bounds)
{
    count = run = 0;
    memset(all, 0, sizeof(all));
    assert_int_equal(uv_loop_init(&loop), 0);
    h = handshakes_new(&loop, bounds);
}

static void begin(void)
{
    begin_with(&handshakes_with_servers);
}

static void end(void)
{
    while (uv_run(&loop, UV_RUN_ONCE))
        ;
    assert_int_equal(uv_loop_close(&loop), 0); /* nothing is left there */
    handshakes_free(h);
    assert_int_equal(run, count);
    for (size_t i = 0; i < count; i++)
        assert_null(all[i].s.party);
}

static void who_pays_little_is_served_at_once(void **state)
{
    (void)state;
    begin();
    for (size_t i = 0; i < 10; i++)
        add(i % 2 ? "bob" : "eve", 300);
    assert_int_equal(run, 10);
    assert_int_equal(uv_loop_alive(&loop), 0);
    end();
}

static void a_turn_of_the_loop_is_soon_over(void **state)
{
    (void)state;
    begin();
    for (size_t i = 0; i < 20; i++)
        add("eve", 1000);
    assert_in_range(run, 4, 6);
    uv_run(&loop, UV_RUN_ONCE); /* on a busy machine the timer is due, too: then it is two turns */
    assert_in_range(run, 8, 18);
    end();
}

static void dear_ones_leave_half_of_the_time(void **state)
{
    uint64_t began_us = __wrap_uv_hrtime() / 1000;
    uint64_t burnt_before_us = burnt_us;
    (void)state;
    begin();
    for (size_t i = 0; i < 10; i++)
        add("eve", 30000);
    assert_int_equal(run, 1);
    end();
    uint64_t took_us = __wrap_uv_hrtime() / 1000 - began_us;
    EXPECT(took_us >= 19 * UINT64_C(30000) && burnt_us - burnt_before_us == 300000, "nine times it rests for as long");
}

static void others_wait_for_one_at_most(void **state)
{
    (void)state;
    begin();
    for (size_t i = 0; i < 10; i++)
        add("eve", 30000);
    size_t bob = add("bob", 300);
    size_t carl = add("carl", 300);
    while (all[bob].s.party || all[carl].s.party)
        uv_run(&loop, UV_RUN_ONCE);
    assert_in_range(run, 3, 4);
    end();
}

static void security_mail_goes_before_others_of_its_tenant(void **state)
{
    static const size_t expected[] = {0, 3, 5, 1, 2, 4};
    (void)state;
    begin();
    for (size_t i = 0; i < COUNT_OF(expected); i++) {
        all[count].urgent = i == 3 || i == 5;
        add("eve", 3000);
    }
    end();
    for (size_t i = 0; i < COUNT_OF(expected); i++)
        assert_int_equal(order[i], expected[i]);
}

static void who_leaves_is_not_run(void **state)
{
    (void)state;
    begin();
    for (size_t i = 0; i < 4; i++)
        add("eve", 30000);
    for (size_t i = 1; i < 4; i++)
        handshakes_drop(h, &all[i].s);
    handshakes_drop(h, &all[0].s); /* it has been */
    count = 1;
    end();
}

static void strangers_have_a_tenth_of_the_time_together(void **state)
{
    (void)state;
    begin_with(&handshakes_for_strangers);
    uint64_t began_us = __wrap_uv_hrtime() / 1000;
    for (size_t i = 0; i < 12; i++)
        add(i % 2 ? "10.0.1.0/24" : "10.0.2.0/24", 4000);
    assert_int_equal(run, 1); /* a turn of the loop is over */
    end();
    uint64_t took_us = __wrap_uv_hrtime() / 1000 - began_us;
    EXPECT(took_us >= 11 * UINT64_C(4000) * 10 - UINT64_C(20000) * 10, "beyond what they may use at once");
}

static void of_strangers_who_has_had_least_is_the_next(void **state)
{
    (void)state;
    begin_with(&handshakes_for_strangers);
    for (size_t i = 0; i < 9; i++)
        add("10.0.1.0/24", 4000);
    size_t other = add("10.0.2.0/24", 4000);
    size_t third = add("2001:db8::/48", 4000);
    end();
    assert_true(order[1] == other && order[2] == third);
}

static void a_network_is_short_when_it_and_all_have_used_much(void **state)
{
    (void)state;
    begin_with(&handshakes_for_strangers);
    assert_false(handshakes_are_short(h, "10.0.1.0/24"));
    for (size_t i = 0; i < 4; i++) {
        handshakes_begin(h);
        burnt_us += 4000;
        handshakes_end(h, "10.0.1.0/24", 0);
    }
    assert_true(handshakes_are_short(h, "10.0.1.0/24") && !handshakes_are_short(h, "10.0.2.0/24"));
    assert_int_equal(handshakes_wait_ms(h), 0);
    handshakes_begin(h);
    handshakes_end(h, "10.0.2.0/24", 10000);
    assert_in_range(handshakes_wait_ms(h), 1, 60);
    assert_false(handshakes_are_short(h, "10.0.3.0/24"));
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_pays_little_is_served_at_once), cmocka_unit_test(a_turn_of_the_loop_is_soon_over),
        cmocka_unit_test(dear_ones_leave_half_of_the_time),  cmocka_unit_test(others_wait_for_one_at_most),
        cmocka_unit_test(security_mail_goes_before_others_of_its_tenant),
        cmocka_unit_test(who_leaves_is_not_run),
        cmocka_unit_test(strangers_have_a_tenth_of_the_time_together),
        cmocka_unit_test(of_strangers_who_has_had_least_is_the_next),
        cmocka_unit_test(a_network_is_short_when_it_and_all_have_used_much),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
