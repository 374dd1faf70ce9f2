// SPDX-License-Identifier: BSD-2-Clause
/* suppress_brake_test.c - A receiver's accident suppresses nobody. The kinds: a provider whose directory has failed says of everybody
 * that there is no such mailbox; a list of addresses that is bad is one tenant's own; and what is remembered of all that is bounded. */
#include "table.h"

#include "suppress_brake.h"

#include <stdio.h>
#include <stdlib.h>

enum { SECOND = 1000, MINUTE = 60 * SECOND };
static const int64_t start = INT64_C(1700000000000);

static struct suppress_brake *b;
static int64_t now_ms;

static int set_up(void **state)
{
    (void)state;
    b = suppress_brake_new();
    now_ms = start;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    suppress_brake_free(b);
    return 0;
}

/* As the store does. Returns how many of `count` were put on the list, of which `*taken_r` came off again. */
static unsigned answers_of(const char *tenant, const char *site, const char *domain, unsigned count, bool unknown, unsigned *taken_r)
{
    static unsigned number;
    const struct brake_heard heard = {tenant, site, domain, unknown};
    unsigned put = 0;
    for (unsigned i = 0; i < count; i++, now_ms += 100) {
        char address[40];
        enum brake brake = suppress_brake_answer(b, &heard, now_ms);
        if (unknown && (brake == BRAKE_OFF || brake == BRAKE_ENDS)) {
            snprintf(address, sizeof(address), "u%u@dest.test", number++);
            suppress_brake_note(b, tenant, site, address, now_ms);
            put++;
        }
        char *taken;
        while (brake == BRAKE_BEGINS && (taken = suppress_brake_take(b, tenant, site, now_ms))) {
            free(taken);
            (*taken_r)++;
        }
    }
    return put;
}

static unsigned answers(const char *tenant, const char *site, unsigned count, bool unknown, unsigned *taken_r)
{
    return answers_of(tenant, site, "dest.test", count, unknown, taken_r);
}

static void an_accident_suppresses_nobody(void **state)
{
    static const unsigned before[] = {0, 1, 10, 19, 20, 100, 1000, 5000};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(before); i++) {
        char site[20];
        unsigned taken = 0;
        snprintf(site, sizeof(site), "site%zu", i);
        assert_int_equal(answers("club", site, before[i], false, &taken), 0);
        unsigned put = answers("club", site, 500, true, &taken);
        EXPECT(put == taken && put < 20, site);
        now_ms += 20 * MINUTE; /* it is over */
        unsigned well = answers("club", site, 30, false, &taken);
        EXPECT(well == 0 && answers("club", site, 1, true, &taken) == 1, site);
    }
}

/* Few unknown ones among many, and any at a site with little mail, are what a list is for. */
static void what_is_usual_is_suppressed(void **state)
{
    unsigned taken = 0;
    (void)state;
    for (unsigned i = 0; i < 50; i++) {
        answers("club", "big", 19, false, &taken);
        assert_int_equal(answers("club", "big", 1, true, &taken), 1);
    }
    for (unsigned i = 0; i < 50; i++, now_ms += MINUTE) /* ten in ten minutes: all of them */
        assert_int_equal(answers("club", "small", 1, true, &taken), 1);
    assert_int_equal(taken, 0);
}

static void a_tenants_bad_list_is_its_own(void **state)
{
    unsigned taken = 0;
    (void)state;
    answers("eve", "big", 1000, true, &taken);
    assert_int_equal(answers("bob", "big", 1, true, &taken), 1);
    assert_int_equal(answers("eve", "other", 1, true, &taken), 1);
}

/* Who has little mail there is helped by what two others meet. */
static void what_two_meet_is_the_sites(void **state)
{
    unsigned taken = 0;
    (void)state;
    answers("eve", "big", 40, true, &taken);
    assert_int_equal(answers("bob", "big", 3, true, &taken), 3);
    answers("amy", "big", 40, true, &taken);
    taken = 0;
    assert_int_equal(answers("bob", "big", 2, true, &taken), 0);
    assert_int_equal(taken, 3);
    assert_int_equal(answers("bob", "other", 1, true, &taken), 1);
    now_ms += 20 * MINUTE; /* neither has written there since: what was heard then is over */
    assert_int_equal(answers("carl", "big", 1, true, &taken), 1);
    assert_int_equal(answers("bob", "big", 1, true, &taken), 1);
}

/* A domain whose MX is the host of a receiver that does not know it: what is said of its recipients stops nothing for others there,
 * however many names are made below it, and though two tenants have written to them. */
static void a_domain_that_names_anothers_host_speaks_for_itself(void **state)
{
    static const char *const domains[] = {"evil.test", "a.evil.test", "b.evil.test", "c.d.evil.test", "e1.test", "e2.test"};
    unsigned taken = 0;
    (void)state;
    for (unsigned i = 0; i < 40; i++) {
        answers_of("eve", "big", domains[i % COUNT_OF(domains)], 1, true, &taken);
        answers_of("amy", "big", domains[(i + 1) % COUNT_OF(domains)], 1, true, &taken);
    }
    assert_int_equal(answers_of("bob", "big", "dest.test", 3, true, &taken), 3);
    taken = 0;
    for (unsigned i = 0; i < 40; i++) {
        char name[40];
        snprintf(name, sizeof(name), "w%u.wild.evil.test", i);
        answers_of("eve", "big", name, 1, true, &taken);
        answers_of("amy", "big", name, 1, true, &taken);
    }
    assert_int_equal(answers_of("bob", "big", "dest.test", 3, true, &taken), 3);
    assert_int_equal(taken, 0);
    /* of its own recipients it is true, and so nobody is the worse for it */
    for (unsigned i = 0; i < 20; i++) {
        answers_of("eve", "big", "evil.test", 1, true, &taken);
        answers_of("amy", "big", "evil.test", 1, true, &taken);
    }
    assert_int_equal(answers_of("carl", "big", "evil.test", 1, true, &taken), 0);
    assert_int_equal(answers_of("dora", "big", "dest.test", 1, true, &taken), 1);
}

/* The same, though mail to others that is taken comes between, as much as there is room for and more. */
static void what_comes_between_hides_nobody(void **state)
{
    static const unsigned between[] = {2, 4, 8};
    static const char *const tenants[] = {"eve", "amy"};
    unsigned taken = 0;
    (void)state;
    for (unsigned row = 0; row < COUNT_OF(between); row++) {
        char site[20];
        snprintf(site, sizeof(site), "site%u", row);
        for (unsigned i = 0; i < 40 * (between[row] + 1); i++)
            for (unsigned t = 0; t < COUNT_OF(tenants); t++) {
                char name[40];
                bool evil = i % (between[row] + 1) == 0;
                snprintf(name, sizeof(name), evil ? "evil.test" : "good%u.test", i % 97);
                answers_of(tenants[t], site, name, 1, evil, &taken);
                now_ms -= 100 - 1;
            }
        EXPECT(answers_of("bob", site, "dest.test", 3, true, &taken) == 3, site);
    }
}

/* A provider's directory has failed, and with it all its customers' domains. */
static void what_is_said_of_many_domains_is_said_of_all(void **state)
{
    unsigned taken = 0;
    (void)state;
    for (unsigned i = 0; i < 60; i++) {
        char name[40];
        snprintf(name, sizeof(name), "c%u.test", i % 30);
        answers_of("eve", "big", name, 1, true, &taken);
        answers_of("amy", "big", name, 1, true, &taken);
    }
    assert_int_equal(answers_of("bob", "big", "dest.test", 3, true, &taken), 0);
}

/* Told once when it begins and once when it ends, however often it is asked. */
static void it_begins_and_ends_once(void **state)
{
    unsigned began = 0;
    unsigned ended = 0;
    (void)state;
    for (unsigned i = 0; i < 2000; i++, now_ms += SECOND) {
        const struct brake_heard heard = {"club", "big", "dest.test", i >= 300 && i < 500};
        enum brake brake = suppress_brake_answer(b, &heard, now_ms);
        began += brake == BRAKE_BEGINS;
        ended += brake == BRAKE_ENDS;
        assert_true(began - ended == (brake == BRAKE_ON || brake == BRAKE_BEGINS));
    }
    assert_int_equal(began, 1);
    assert_int_equal(ended, 1);
}

/* Only what was put there within ten minutes is taken back; and a clock that is set back begins anew. */
static void what_is_old_stays(void **state)
{
    unsigned taken = 0;
    (void)state;
    assert_int_equal(answers("club", "big", 5, true, &taken), 5);
    now_ms += 11 * MINUTE;
    unsigned put = answers("club", "big", 100, true, &taken);
    assert_int_equal(taken, put);
    now_ms = start - 5 * MINUTE;
    taken = 0;
    assert_int_equal(answers("club", "big", 1, true, &taken), 1);
    assert_int_equal(taken, 0);
}

/* Of each tenant so many sites, and of each so many addresses: one that has more loses its own oldest ones, and nobody else's. */
static void what_is_remembered_is_bounded(void **state)
{
    unsigned taken = 0;
    unsigned heard = 0;
    unsigned unknown = 0;
    char site[20];
    (void)state;
    answers("bob", "big", 7, true, &taken);
    for (unsigned i = 0; i < 3 * BRAKE_SITES; i++) {
        snprintf(site, sizeof(site), "site%u", i);
        answers("eve", site, 3, true, &taken);
    }
    suppress_brake_counts(b, "bob", "big", now_ms, &heard, &unknown);
    assert_true(heard == 7 && unknown == 7);
    suppress_brake_counts(b, "eve", "site0", now_ms, &heard, &unknown);
    assert_true(heard == 0 && unknown == 0);
    suppress_brake_counts(b, "eve", site, now_ms, &heard, &unknown);
    assert_true(heard == 3);
    answers("amy", "big", 20, false, &taken); /* so that the brake is not on */
    for (unsigned i = 0; i < 3 * BRAKE_KEPT; i++)
        suppress_brake_note(b, "amy", "big", "u@dest.test", now_ms);
    char *address;
    for (taken = 0; (address = suppress_brake_take(b, "amy", "big", now_ms)); taken++)
        free(address);
    assert_int_equal(taken, BRAKE_KEPT);
    assert_null(suppress_brake_take(b, "nobody", "big", now_ms));
}

#ifdef __SANITIZE_ADDRESS__
size_t __sanitizer_get_current_allocated_bytes(void);
#define ALLOCATED() __sanitizer_get_current_allocated_bytes()
#else
#include <malloc.h>
#define ALLOCATED() mallinfo2().uordblks
#endif

/* Each tenant writes to more sites than are kept, and to some once only. */
static void what_is_remembered_is_small_and_ends(void **state)
{
    enum { TENANTS = 20 };
    unsigned taken = 0;
    char site[20];
    char tenant[20];
    (void)state;
    size_t before = ALLOCATED();
    for (unsigned t = 0; t < TENANTS; t++) {
        snprintf(tenant, sizeof(tenant), "tenant%u", t);
        for (unsigned i = 0; i < BRAKE_SITES; i++, now_ms -= 100) {
            snprintf(site, sizeof(site), "site%u", i);
            answers(tenant, site, 1, false, &taken);
        }
    }
    assert_true(ALLOCATED() - before < (size_t)TENANTS * BRAKE_SITES * 900);
    now_ms += 11 * MINUTE;
    for (unsigned i = 0; i < 2 * TENANTS; i++)
        answers("tenant0", "site0", 1, false, &taken);
    assert_true(ALLOCATED() - before < 40 * 1024);
}

/* What was unknown before is told by its domain, and what was not, too. */
static void domains_count_from_the_first_unknown_one_on(void **state)
{
    unsigned taken = 0;
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        char tenant[20];
        snprintf(tenant, sizeof(tenant), "t%u", i);
        answers_of(tenant, "big", "good.test", 300, false, &taken);
        answers_of(tenant, "big", "bad.test", 60, true, &taken);
    }
    /* both have heard it of bad.test only */
    const struct brake_heard bad = {"amy", "big", "bad.test", true};
    const struct brake_heard good = {"bob", "big", "good.test", true};
    assert_int_equal(suppress_brake_answer(b, &good, now_ms), BRAKE_OFF);
    assert_int_equal(suppress_brake_answer(b, &bad, now_ms), BRAKE_BEGINS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_accident_suppresses_nobody, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_usual_is_suppressed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_tenants_bad_list_is_its_own, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_two_meet_is_the_sites, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_domain_that_names_anothers_host_speaks_for_itself, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_comes_between_hides_nobody, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_said_of_many_domains_is_said_of_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_begins_and_ends_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_old_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_remembered_is_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_remembered_is_small_and_ends, set_up, tear_down),
        cmocka_unit_test_setup_teardown(domains_count_from_the_first_unknown_one_on, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
