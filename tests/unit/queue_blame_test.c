// SPDX-License-Identifier: BSD-2-Clause
/* queue_blame_test.c - What fails while one tenant's message is spoken of holds up that tenant's mail there and nobody
 * else's; what fails before, or for several, holds up all. The kind of fault is one tenant's mail that decides for others. */
#include "queue_blame_stage.h"

static const struct {
    const char *label;
    enum queue_failure how;
    unsigned times; /* until it shows something */
    const char *domain;
} kinds[] = {
    {"closed after the final dot, or a recipient", QUEUE_FAIL_BROKE, 10, "d.test"},
    {"421 at MAIL", QUEUE_FAIL_REFUSED, 1, "d.test"},
    {"closed, at a provider's", QUEUE_FAIL_BROKE, 10, "a.big.test"},
    {"421 at MAIL, at a provider's", QUEUE_FAIL_REFUSED, 1, "a.big.test"},
};

/* One of it waits all the time, or it comes one by one, so that its tenant is forgotten meanwhile. */
static void what_fails_for_one_holds_up_that_one(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(kinds) * 2; i++) {
        unsigned k = (unsigned)(i / 2);
        struct stage s;
        stage_begin(&s);
        if (kinds[k].domain[0] == 'a') /* the provider has other hosts */
            stage_add(&s, "carl", "b.big.test"), stage_goes_through(&s);
        for (unsigned n = 0; n < kinds[k].times; n++) {
            for (unsigned more = 0; i % 2 == 0 ? more == 0 : n == 0 && more < kinds[k].times;
                 more++)
                stage_add(&s, "eve", kinds[k].domain);
            EXPECT(stage_carries(&s, "eve"), kinds[k].label);
            stage_fails(&s, kinds[k].how);
        }
        EXPECT(s.rests == 0 && s.rests_of_one == 1, kinds[k].label);
        stage_add(&s, "eve", kinds[k].domain);
        EXPECT(!s.attempt, "it waits itself");
        for (unsigned n = 0; n < 30; n++) {
            stage_add(&s, "bob", kinds[k].domain);
            EXPECT(stage_carries(&s, "bob"), kinds[k].label);
            stage_goes_through(&s);
            EXPECT(!s.attempt, "it still waits");
            s.now_ms += 100;
        }
        s.now_ms += 2000;
        stage_go_on(&s);
        EXPECT(stage_carries(&s, "eve"), "its time is over");
        stage_goes_through(&s);
        queue_free(s.queue);
    }
}

static void what_fails_for_several_holds_up_all(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT_OF(kinds); k++) {
        static const char *const names[] = {"eve", "bob"};
        struct stage s;
        stage_begin(&s);
        if (kinds[k].domain[0] == 'a')
            stage_add(&s, "carl", "b.big.test"), stage_goes_through(&s);
        for (unsigned n = 0; n < kinds[k].times || (kinds[k].times == 1 && n < 2); n++) {
            stage_add(&s, names[n % 2], kinds[k].domain);
            EXPECT(stage_carries(&s, names[n % 2]), kinds[k].label);
            stage_fails(&s, kinds[k].how);
        }
        stage_add(&s, "carl", kinds[k].domain);
        EXPECT(!s.attempt, kinds[k].label);
        s.now_ms += 5000;
        stage_go_on(&s);
        EXPECT(stage_carries(&s, "carl"), "its time is over");
        stage_goes_through(&s);
        queue_free(s.queue);
    }
}

static void what_fails_before_any_message_holds_up_all(void **state)
{
    static const enum queue_failure hows[] = {QUEUE_FAIL_CONNECT, QUEUE_FAIL_REFUSED};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(hows); i++) {
        struct stage s;
        stage_begin(&s);
        s.greets = false;
        stage_add(&s, "eve", "d.test");
        stage_fails(&s, hows[i]);
        assert_int_equal(s.rests, 1);
        stage_add(&s, "bob", "d.test");
        assert_null(s.attempt);
        queue_free(s.queue);
    }
}

/* Nor is it the number of connections that was refused, where another's mail is spoken of. */
static void what_is_refused_to_one_caps_nobody(void **state)
{
    struct queue_destination_view view;
    struct stage s;
    (void)state;
    stage_begin(&s);
    s.limit = 20;
    stage_add(&s, "carl", "d.test"); /* so that it is known to work */
    stage_goes_through(&s);
    stage_add(&s, "bob", "d.test");
    assert_true(stage_carries(&s, "bob"));
    uint64_t bobs = s.connection;
    const struct queue_attempt *his = s.attempt;
    s.attempt = NULL;
    stage_add(&s, "eve", "d.test");
    assert_true(stage_carries(&s, "eve"));
    stage_fails(&s, QUEUE_FAIL_REFUSED);
    assert_null(s.attempt);
    assert_true(queue_find_destination(s.queue, "mx.d.test:25", &view, s.now_ms));
    assert_int_equal(view.no_growth_ms, 0);
    assert_int_equal(view.rest_ms, 0);
    s.connection = bobs;
    s.attempt = his;
    stage_goes_through(&s);
    queue_free(s.queue);
}

/* Nor, where it is alone, for others that come: it has too many of its own, until another one's is refused, too, and
 * nobody's is taken between. */
static void what_is_refused_to_one_that_is_alone_caps_that_one(void **state)
{
    (void)state;
    for (unsigned both = 0; both < 2; both++) {
        struct queue_destination_view view;
        struct stage s;
        stage_begin(&s);
        s.limit = 20;
        stage_add(&s, "carl", "d.test"); /* so that it is known to work */
        stage_goes_through(&s);
        stage_add(&s, "eve", "d.test");
        assert_true(stage_carries(&s, "eve"));
        uint64_t hers = s.connection;
        const struct queue_attempt *first = s.attempt;
        s.attempt = NULL;
        stage_add(&s, "eve", "d.test");
        assert_true(stage_carries(&s, "eve"));
        stage_fails(&s, QUEUE_FAIL_REFUSED);
        EXPECT(!s.attempt, "she has as many as she may");
        assert_true(queue_find_destination(s.queue, "mx.d.test:25", &view, s.now_ms));
        EXPECT(view.no_growth_ms == 0 && view.rest_ms == 0, "nobody else is capped");
        for (unsigned n = 0; n < 3; n++) {
            s.now_ms += 10000;
            stage_go_on(&s);
            EXPECT(!s.attempt, "she is, for a minute");
            stage_add(&s, "bob", "d.test");
            EXPECT(stage_carries(&s, "bob"), "his place is not hers");
            if (both == 0) {
                stage_goes_through(&s);
                continue;
            }
            stage_fails(&s, QUEUE_FAIL_REFUSED);
            break;
        }
        assert_true(queue_find_destination(s.queue, "mx.d.test:25", &view, s.now_ms));
        EXPECT((view.no_growth_ms > 0) == (both == 1), "when two are refused all are capped");
        s.connection = hers;
        s.attempt = first;
        stage_goes_through(&s);
        EXPECT(s.attempt, "the place that she had is free for her");
        stage_goes_through(&s);
        queue_free(s.queue);
    }
}

/* Nobody else's mail may go there meanwhile: its tenant has connections enough elsewhere, and has what stands first. */
static void what_rests_for_one_is_tried_again_in_time(void **state)
{
    static const char *const domains[] = {"d.test", "e.test", "a.big.test"};
    (void)state;
    for (unsigned order = 0; order < 2; order++) {
        struct stage s;
        stage_begin_with(&s, 10);
        for (unsigned n = 0; n < 10; n++) {
            char domain[20];
            snprintf(domain, sizeof(domain), "x%u.test", n);
            stage_add(&s, "bob", domain);
            s.attempt = NULL; /* it is never over */
        }
        for (unsigned k = 0; k < COUNT_OF(domains); k++, s.now_ms += 1000) {
            stage_add(&s, "eve", domains[k]);
            EXPECT(stage_carries(&s, "eve"), domains[k]);
            stage_add(&s, order == 0 ? "bob" : "eve", domains[k]);
            stage_add(&s, order == 0 ? "eve" : "bob", domains[k]);
            stage_fails(&s, QUEUE_FAIL_REFUSED);
            EXPECT(!s.attempt && s.rests_of_one == k + 1, domains[k]);
        }
        for (unsigned k = 0; k < COUNT_OF(domains); k++) {
            s.now_ms = 1000 + 1000 * k + 4999;
            stage_go_on(&s);
            EXPECT(!s.attempt, "its time is not over");
            s.now_ms++;
            EXPECT(queue_wake_ms(s.queue) <= s.now_ms, "it is looked at then");
            stage_go_on(&s);
            EXPECT(stage_carries(&s, "eve"), domains[k]);
            stage_goes_through(&s);
        }
        queue_free(s.queue);
    }
}

/* An operator who ends all rests ends these, too. */
static void what_rests_for_one_is_resumed_with_all(void **state)
{
    struct stage s;
    (void)state;
    stage_begin(&s);
    stage_add(&s, "eve", "d.test");
    stage_fails(&s, QUEUE_FAIL_REFUSED);
    stage_add(&s, "eve", "d.test");
    assert_null(s.attempt);
    assert_true(queue_resume(s.queue, NULL, s.now_ms));
    stage_go_on(&s);
    assert_true(stage_carries(&s, "eve"));
    stage_goes_through(&s);
    queue_free(s.queue);
}

/* Her mail rests at one set of a provider's hosts, for which hers waits first; and other hosts take it. */
static void a_rest_at_some_hosts_hides_nothing_for_others(void **state)
{
    struct stage s;
    (void)state;
    for (size_t before = 1; before <= 3; before++) {
        stage_begin(&s);
        stage_add(&s, "bob", "good.big.test");
        assert_true(stage_carries(&s, "bob"));
        stage_goes_through(&s);
        stage_add(&s, "eve", "bad.big.test");
        assert_true(stage_carries(&s, "eve"));
        stage_fails(&s, QUEUE_FAIL_REFUSED);
        assert_int_equal(s.rests_of_one, 1);
        for (size_t i = 0; i < before; i++)
            stage_add(&s, "eve", "bad.big.test");
        assert_null(s.attempt);
        stage_add(&s, "eve", "good.big.test");
        EXPECT(stage_carries(&s, "eve") && strcmp(s.attempt->domain, "good.big.test") == 0, "other hosts");
        stage_goes_through(&s);
        assert_null(s.attempt);
        s.now_ms += 6000; /* the rest is over */
        stage_go_on(&s);
        for (size_t i = 0; i < before; i++) {
            EXPECT(stage_carries(&s, "eve") && strcmp(s.attempt->domain, "bad.big.test") == 0, "when it is over");
            stage_goes_through(&s);
        }
        queue_free(s.queue);
    }
}

/* What a server took long for counts there, not where its domain leads by then. */
static void what_takes_long_at_one_costs_no_turns_at_another(void **state)
{
    struct stage s;
    uint64_t old[2];
    const struct queue_attempt *slow[2];
    (void)state;
    stage_begin(&s);
    s.limit = 20;
    for (size_t i = 0; i < 2; i++) {
        stage_add(&s, "eve", "d.test");
        assert_true(stage_carries(&s, "eve"));
        old[i] = s.connection;
        slow[i] = s.attempt;
        s.attempt = NULL;
        s.limit = 1;
        s.moved_to = "mx.other.test"; /* when it is looked up again, for the second */
        s.now_ms += 70000;
    }
    stage_add(&s, "eve", "d.test");
    assert_true(stage_carries(&s, "eve"));
    uint64_t fresh = s.connection;
    const struct queue_attempt *quick = s.attempt;
    stage_add(&s, "bob", "d.test");
    for (size_t i = 0; i < 2; i++) {
        s.connection = old[i];
        s.attempt = slow[i];
        stage_goes_through(&s);
    }
    s.connection = fresh;
    s.attempt = quick;
    stage_goes_through(&s);
    EXPECT(stage_carries(&s, "bob"), "he has had nothing there");
    stage_add(&s, "eve", "d.test");
    stage_add(&s, "bob", "d.test");
    stage_goes_through(&s);
    EXPECT(stage_carries(&s, "eve"), "both have had one, and she was there first");
    stage_goes_through(&s);
    EXPECT(stage_carries(&s, "bob"), "then he");
    stage_goes_through(&s);
    queue_free(s.queue);
}

/* What comes back untried is given back where it was counted, not where its domain leads by then. */
static void what_comes_back_costs_no_less_at_another(void **state)
{
    (void)state;
    for (unsigned how = 0; how < 3; how++) {
        struct stage s;
        uint64_t old[2];
        const struct queue_attempt *slow[2];
        stage_begin(&s);
        s.limit = 20;
        for (size_t i = 0; i < 2; i++) {
            stage_add(&s, "eve", "d.test");
            assert_true(stage_carries(&s, "eve"));
            old[i] = s.connection;
            slow[i] = s.attempt;
            s.attempt = NULL;
            s.limit = 1;
            s.moved_to = "mx.other.test"; /* when it is looked up again, for the second */
            s.now_ms += 70000;
        }
        for (unsigned n = 0; n < 20; n++)
            stage_add(&s, n % 2 == 0 ? "eve" : "bob", "d.test");
        for (unsigned n = 0; n < 6; n++) {
            EXPECT(stage_carries(&s, n % 2 == 0 ? "eve" : "bob"), "in turn");
            stage_goes_through(&s);
        }
        uint64_t now = s.connection;
        const struct queue_attempt *current = s.attempt;
        for (size_t i = 0; i < 2; i++) {
            s.connection = old[i];
            s.attempt = slow[i];
            if (how == 0)
                stage_fails(&s, QUEUE_FAIL_STALE);
            else if (how == 1)
                queue_connection_closed(s.queue, old[i], s.now_ms);
            else
                stage_goes_through(&s); /* it never came back */
        }
        s.connection = now;
        s.attempt = current;
        stage_goes_through(&s);
        unsigned his = 0;
        for (unsigned n = 0; n < 6; n++) {
            his += stage_carries(&s, "bob");
            stage_goes_through(&s);
        }
        EXPECT(his == 3, "still in turn");
        s.attempt = NULL; /* it is under way */
        queue_free(s.queue);
    }
}

/* What was too old or too large to be spoken of does not end a row of connections that broke: with it between two of
 * them they are as many as without. */
static void what_is_not_spoken_of_shows_nothing(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct stage s;
        stage_begin(&s);
        for (unsigned n = 0; n < 10; n++) {
            stage_add(&s, "eve", "d.test");
            stage_fails(&s, QUEUE_FAIL_BROKE);
            if (n == 9)
                break;
            stage_add(&s, "bob", "d.test");
            stage_is_done(&s, i == 0 ? QUEUE_NOT_SPOKEN : QUEUE_SPOKEN);
        }
        EXPECT(s.rests_of_one == (i == 0), i == 0 ? "not spoken of" : "spoken of");
        queue_free(s.queue);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_fails_for_one_holds_up_that_one),
        cmocka_unit_test(what_fails_for_several_holds_up_all),
        cmocka_unit_test(what_fails_before_any_message_holds_up_all),
        cmocka_unit_test(what_is_refused_to_one_caps_nobody),
        cmocka_unit_test(what_is_refused_to_one_that_is_alone_caps_that_one),
        cmocka_unit_test(what_rests_for_one_is_tried_again_in_time),
        cmocka_unit_test(what_rests_for_one_is_resumed_with_all),
        cmocka_unit_test(what_is_not_spoken_of_shows_nothing),
        cmocka_unit_test(a_rest_at_some_hosts_hides_nothing_for_others),
        cmocka_unit_test(what_takes_long_at_one_costs_no_turns_at_another),
        cmocka_unit_test(what_comes_back_costs_no_less_at_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
