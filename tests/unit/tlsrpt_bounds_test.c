// SPDX-License-Identifier: BSD-2-Clause
/* tlsrpt_bounds_test.c - Who is named in others' records gets so much of their reports a day, and what it asks for itself besides. */
#include "table.h"

#include "tlsrpt_bounds.h"
#include "tlsrpt_gather.h"

#include <stdio.h>

static const int64_t now = 20000 * TLSRPT_DAY_MS + 5000;
static const struct tlsrpt_target ann = {TLSRPT_MAILBOX, "ann@victim.test", true, "t"};

/* How many reports there may be, each of that cost. */
static unsigned count(struct tlsrpt_bounds *b, const struct tlsrpt_target *t, int cost, int64_t now_ms)
{
    unsigned n = 0;
    while (n < 10000 && tlsrpt_bounds_ask(b, t, now_ms) == TLSRPT_FREE) {
        tlsrpt_bounds_charge(b, t, cost, now_ms);
        n++;
    }
    return n;
}

static void others_have_a_small_part_and_ones_own_domains_theirs(void **state)
{
    static const struct {
        const char *label;
        enum tlsrpt_whom whom;
        int cost;
        unsigned foreign, own;
    } rows[] = {
        {"mails to a mailbox", TLSRPT_MAILBOX, TLSRPT_COST, 10, 50},
        {"mails to a domain", TLSRPT_MAIL_DOMAIN, TLSRPT_COST, 50, 500},
        {"mails that a domain refuses", TLSRPT_MAIL_DOMAIN, TLSRPT_COST_RETURNED, 5, 50},
        {"posts that a host takes", TLSRPT_HOST, TLSRPT_COST, 500, 2000},
        {"posts that a host refuses", TLSRPT_HOST, TLSRPT_COST_REFUSED, 25, 100},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct tlsrpt_bounds *b = tlsrpt_bounds_new();
        const struct tlsrpt_target foreign = {rows[i].whom, "victim.test", true, "t"};
        const struct tlsrpt_target own = {rows[i].whom, "victim.test", false, "t"};
        EXPECT(count(b, &foreign, rows[i].cost, now) == rows[i].foreign, rows[i].label);
        EXPECT(tlsrpt_bounds_ask(b, &foreign, now) == TLSRPT_SPENT, rows[i].label);
        EXPECT(count(b, &own, rows[i].cost, now) == rows[i].own, rows[i].label);
        EXPECT(count(b, &foreign, rows[i].cost, now + TLSRPT_DAY_MS) == rows[i].foreign, "the next day");
        tlsrpt_bounds_free(b);
    }
}

/* Whoever lets names lead to somebody's address spends one budget, and what is beyond it is later. */
static void an_address_has_one_budget_and_puts_off_what_is_beyond(void **state)
{
    struct tlsrpt_bounds *b = tlsrpt_bounds_new();
    const struct tlsrpt_target foreign = {TLSRPT_IP, "192.0.2.1", true, "t"};
    const struct tlsrpt_target own = {TLSRPT_IP, "192.0.2.1", false, "t"};
    (void)state;
    assert_int_equal(count(b, &foreign, TLSRPT_COST_REFUSED, now), 50);
    assert_int_equal(tlsrpt_bounds_ask(b, &foreign, now), TLSRPT_FAILED);
    assert_int_equal(tlsrpt_bounds_ask(b, &own, now), TLSRPT_FAILED);
    tlsrpt_bounds_charge(b, &own, -TLSRPT_COST_REFUSED, now);
    assert_int_equal(tlsrpt_bounds_ask(b, &foreign, now), TLSRPT_FREE);
    assert_int_equal(count(b, &own, TLSRPT_COST_REFUSED, now + TLSRPT_DAY_MS), 50);
    tlsrpt_bounds_free(b);
}

static void a_host_has_proven_itself_while_its_last_post_was_taken(void **state)
{
    struct tlsrpt_bounds *b = tlsrpt_bounds_new();
    const struct tlsrpt_target host = {TLSRPT_HOST, "victim.test", true, "t"};
    const struct tlsrpt_target other = {TLSRPT_HOST, "evil.test", true, "t"};
    (void)state;
    assert_false(tlsrpt_bounds_proven(b, &host, now));
    tlsrpt_bounds_prove(b, &host, true, now);
    assert_true(tlsrpt_bounds_proven(b, &host, now + 1) && !tlsrpt_bounds_proven(b, &other, now + 1));
    tlsrpt_bounds_close(b, &host, now);
    assert_true(tlsrpt_bounds_proven(b, &host, now + TLSRPT_DAY_MS)); /* all else is of the day */
    assert_int_equal(count(b, &host, TLSRPT_COST_REFUSED, now + TLSRPT_DAY_MS), 25);
    assert_false(tlsrpt_bounds_proven(b, &host, now + 2 * TLSRPT_DAY_MS));
    tlsrpt_bounds_prove(b, &host, true, now + 2 * TLSRPT_DAY_MS);
    tlsrpt_bounds_prove(b, &host, false, now + 2 * TLSRPT_DAY_MS);
    assert_false(tlsrpt_bounds_proven(b, &host, now + 2 * TLSRPT_DAY_MS));
    tlsrpt_bounds_free(b);
}

static void what_has_refused_or_asked_for_rest_is_left_alone(void **state)
{
    struct tlsrpt_bounds *b = tlsrpt_bounds_new();
    const struct tlsrpt_target host = {TLSRPT_HOST, "victim.test", true, "t"};
    (void)state;
    tlsrpt_bounds_close(b, &ann, now);
    assert_int_equal(tlsrpt_bounds_ask(b, &ann, now + TLSRPT_DAY_MS - 6000), TLSRPT_CLOSED);
    tlsrpt_bounds_rest(b, &host, now + 1000, now);
    tlsrpt_bounds_rest(b, &host, now + 500, now);
    assert_int_equal(tlsrpt_bounds_ask(b, &host, now + 999), TLSRPT_RESTS);
    assert_int_equal(tlsrpt_bounds_ask(b, &host, now + 1000), TLSRPT_FREE);
    tlsrpt_bounds_rest(b, &host, now + 9 * TLSRPT_DAY_MS, now);
    assert_int_equal(tlsrpt_bounds_ask(b, &host, now + TLSRPT_DAY_MS), TLSRPT_FREE);
    assert_int_equal(tlsrpt_bounds_ask(b, &ann, now + TLSRPT_DAY_MS), TLSRPT_FREE);
    tlsrpt_bounds_charge(b, &ann, -5, now + TLSRPT_DAY_MS);
    assert_int_equal(count(b, &ann, 1, now + TLSRPT_DAY_MS), 10);
    tlsrpt_bounds_free(b);
}

/* Who has a foreign report refused, as anybody can who names the mailbox, or one that is counted as it, takes none of its own away. */
static void a_refused_foreign_report_leaves_ones_own(void **state)
{
    const struct tlsrpt_target own = {TLSRPT_MAILBOX, "ann@victim.test", false, "t"};
    struct tlsrpt_bounds *b = tlsrpt_bounds_new();
    (void)state;
    tlsrpt_bounds_close(b, &ann, now);
    assert_int_equal(tlsrpt_bounds_ask(b, &ann, now), TLSRPT_CLOSED);
    assert_int_equal(tlsrpt_bounds_ask(b, &own, now), TLSRPT_FREE);
    tlsrpt_bounds_close(b, &own, now);
    assert_int_equal(tlsrpt_bounds_ask(b, &own, now), TLSRPT_CLOSED);
    tlsrpt_bounds_free(b);
}

/* As many as there is room for; of that tenant. */
static unsigned fill(struct tlsrpt_bounds *b, const char *tenant)
{
    unsigned n = 0;
    for (; n < 200000; n++) {
        char name[40];
        const struct tlsrpt_target t = {TLSRPT_MAILBOX, name, true, tenant};
        snprintf(name, sizeof(name), "%s%u@victim.test", tenant, n);
        if (tlsrpt_bounds_ask(b, &t, now) != TLSRPT_FREE)
            break;
        tlsrpt_bounds_charge(b, &t, 1, now);
    }
    return n;
}

static void what_cannot_be_counted_is_for_later(void **state)
{
    struct tlsrpt_bounds *b = tlsrpt_bounds_new();
    (void)state;
    assert_int_equal(fill(b, "t"), 50000);
    assert_int_equal(tlsrpt_bounds_ask(b, &(struct tlsrpt_target){TLSRPT_MAILBOX, "t0@victim.test", true, "t"}, now), TLSRPT_FREE);
    tlsrpt_bounds_close(b, &ann, now);
    tlsrpt_bounds_rest(b, &ann, now + 1, now);
    tlsrpt_bounds_prove(b, &ann, true, now);
    assert_int_equal(tlsrpt_bounds_ask(b, &ann, now), TLSRPT_FULL);
    assert_false(tlsrpt_bounds_proven(b, &ann, now));
    assert_int_equal(fill(b, "u"), 25000); /* whoever comes next has room */
    assert_int_equal(fill(b, "v"), 12500);
    assert_int_equal(tlsrpt_bounds_ask(b, &(struct tlsrpt_target){TLSRPT_MAILBOX, "w@victim.test", true, "t"}, now), TLSRPT_FULL);
    assert_int_equal(tlsrpt_bounds_ask(b, &(struct tlsrpt_target){TLSRPT_MAILBOX, "w@victim.test", true, "t"}, now + TLSRPT_DAY_MS), TLSRPT_FREE);
    assert_string_equal(tlsrpt_bound_text(TLSRPT_SPENT), "has had as many reports today as it may");
    tlsrpt_bounds_free(b);
    tlsrpt_bounds_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(others_have_a_small_part_and_ones_own_domains_theirs),
                                       cmocka_unit_test(what_has_refused_or_asked_for_rest_is_left_alone),
                                       cmocka_unit_test(an_address_has_one_budget_and_puts_off_what_is_beyond),
                                       cmocka_unit_test(a_host_has_proven_itself_while_its_last_post_was_taken),
                                       cmocka_unit_test(a_refused_foreign_report_leaves_ones_own),
                                       cmocka_unit_test(what_cannot_be_counted_is_for_later)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
