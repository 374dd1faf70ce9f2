// SPDX-License-Identifier: BSD-2-Clause
/* queue_partial_blame_test.c - What breaks connections over the mail of some domains holds up that mail, and none of what the same host
 * answers for. The kind of fault is a domain that names others' hosts, and decides for them. */
#include "queue_blame_stage.h"

#include <stdio.h>

static void add_evil(struct stage *s, const char *tenant, unsigned n)
{
    char domain[24];
    snprintf(domain, sizeof(domain), "evil%u.test", n);
    stage_add(s, tenant, domain);
}

/* All lead to one host, which takes mail of so many domains. */
static void begin_shared(struct stage *s, unsigned good)
{
    stage_begin(s);
    s->moved_to = "mx.victim.test";
    for (unsigned n = 0; n < good; n++) {
        char domain[24];
        snprintf(domain, sizeof(domain), "good%u.test", n);
        stage_add(s, "carl", domain);
        stage_goes_through(s);
    }
}

/* A zone names another one's host as its MX; what that breaks over, of one tenant or of several, rests, and none of what
 * it answers for: of the same tenants and class neither, and though it came later. */
static void what_breaks_over_some_domains_holds_up_those(void **state)
{
    static const char *const names[] = {"eve", "bob"};
    (void)state;
    for (unsigned tenants = 1; tenants <= 2; tenants++) {
        struct stage s;
        begin_shared(&s, 2);
        for (unsigned n = 0; n < 14; n++)
            add_evil(&s, names[n % tenants], n);
        for (unsigned n = 0; n < 10; n++) {
            EXPECT(s.attempt && strncmp(s.attempt->domain, "evil", 4) == 0, "not yet");
            stage_fails(&s, QUEUE_FAIL_BROKE);
        }
        EXPECT(!s.attempt && s.rests == 1 && s.rests_of_one == 0, "what it breaks over rests");
        for (unsigned n = 0; n < 40; n++) {
            stage_add(&s, names[n % 2], n % 4 < 2 ? "good0.test" : "good1.test");
            EXPECT(s.attempt && strncmp(s.attempt->domain, "good", 4) == 0, "it takes this");
            stage_goes_through(&s);
            EXPECT(!s.attempt, "the rest still waits");
            s.now_ms += 100;
        }
        add_evil(&s, "eve", 20);
        EXPECT(!s.attempt, "nor does what comes then go");
        s.now_ms += 1000;
        stage_go_on(&s);
        EXPECT(s.attempt && strncmp(s.attempt->domain, "evil", 4) == 0, "its time is over");
        while (s.attempt)
            stage_goes_through(&s);
        queue_free(s.queue);
    }
}

/* While that rests, three of what is spared are enough to show that all breaks; or ten of another tenant's that others'
 * mail rests, too. */
static void what_breaks_over_all_domains_holds_up_all(void **state)
{
    (void)state;
    for (unsigned tenants = 1; tenants <= 2; tenants++) {
        struct stage s;
        begin_shared(&s, 5);
        for (unsigned n = 0; n < 10; n++) {
            add_evil(&s, "eve", n);
            stage_fails(&s, QUEUE_FAIL_BROKE);
        }
        for (unsigned n = 0; n < 3; n++) {
            char domain[24];
            snprintf(domain, sizeof(domain), "good%u.test", n);
            stage_add(&s, tenants == 2 && n == 1 ? "bob" : "eve", domain);
            EXPECT(s.attempt, domain);
            stage_fails(&s, QUEUE_FAIL_BROKE);
        }
        stage_add(&s, "eve", "good4.test");
        EXPECT(!s.attempt, "all of hers rests");
        EXPECT(s.rests == tenants && s.rests_of_one == 2 - tenants, "as for one host");
        stage_add(&s, "bob", "good4.test");
        EXPECT(!s.attempt == (tenants == 2), "and his, if it was his, too");
        while (s.attempt)
            stage_goes_through(&s);
        queue_free(s.queue);
    }
}

static void what_breaks_over_some_domains_of_each_holds_up_those_of_all(void **state)
{
    struct stage s;
    (void)state;
    begin_shared(&s, 1);
    for (unsigned n = 0; n < 20; n++) {
        add_evil(&s, n < 10 ? "eve" : "bob", n);
        EXPECT(s.attempt, "it is not known of this tenant yet");
        stage_fails(&s, QUEUE_FAIL_BROKE);
    }
    add_evil(&s, "bob", 20);
    add_evil(&s, "eve", 21);
    add_evil(&s, "carl", 22);
    EXPECT(!s.attempt, "it is known");
    stage_add(&s, "bob", "good0.test");
    assert_true(stage_carries(&s, "bob"));
    stage_goes_through(&s);
    assert_true(queue_resume(s.queue, NULL, s.now_ms));
    stage_go_on(&s);
    for (unsigned n = 0; n < 3; n++)
        stage_goes_through(&s);
    assert_null(s.attempt);
    queue_free(s.queue);
}

/* The only domain that it took: then it takes nothing any more. */
static void what_breaks_over_the_last_good_domain_holds_up_all(void **state)
{
    struct stage s;
    (void)state;
    begin_shared(&s, 1);
    for (unsigned n = 0; n < 10; n++) {
        if (n == 4)
            stage_add(&s, "bob", "good0.test");
        else
            add_evil(&s, "eve", n);
        stage_fails(&s, QUEUE_FAIL_BROKE);
    }
    stage_add(&s, "carl", "good0.test");
    assert_null(s.attempt);
    assert_int_equal(s.rests, 1);
    queue_free(s.queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_breaks_over_some_domains_holds_up_those),
        cmocka_unit_test(what_breaks_over_all_domains_holds_up_all),
        cmocka_unit_test(what_breaks_over_some_domains_of_each_holds_up_those_of_all),
        cmocka_unit_test(what_breaks_over_the_last_good_domain_holds_up_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
