// SPDX-License-Identifier: BSD-2-Clause
/* queue_blame_test.c - What fails while one tenant's message is spoken of holds up that tenant's mail there and nobody
 * else's; what fails before, or for several, holds up all. The kind of fault is one tenant's mail that decides for others. */
#include "table.h"

#include "queue.h"
#include "queue_connection.h"
#include "queue_view.h"

/* Each domain leads to the host of its name; those of "big.test" to hosts of a provider. */
struct stage {
    struct queue *queue;
    int64_t now_ms, message;
    uint64_t connection; /* that was opened last */
    const struct queue_attempt *attempt;
    unsigned rests, rests_of_one;
    bool greets;
    unsigned limit;       /* connections */
    const char *moved_to; /* a host; NULL: nowhere */
};

static void resolve(struct stage *s, const char *domain)
{
    char host[80];
    const char *hosts[] = {host};
    snprintf(host, sizeof(host),
             strstr(domain, "big.test") ? "%s.mail.protection.outlook.com" : "mx.%s", domain);
    if (s->moved_to)
        snprintf(host, sizeof(host), "%s", s->moved_to);
    const struct queue_answer answer = {.hosts = hosts,
                                        .host_count = 1,
                                        .port = 25,
                                        .route = "",
                                        .trust = 1,
                                        .connections = s->limit,
                                        .valid_ms = 60000};
    queue_resolved(s->queue, domain, &answer, s->now_ms);
}

static void go_on(struct stage *s)
{
    struct queue_decision d;
    const struct queue_address a = {.port = 25};
    while (queue_decide(s->queue, &d, s->now_ms)) {
        if (d.kind == QUEUE_RESOLVE)
            resolve(s, d.domain);
        if (d.kind == QUEUE_EVENT && d.rest_ms > 0) {
            bool of_one = strcmp(d.text, "mail of tenant eve only: 421 4.7.0 not you") == 0;
            s->rests += !of_one;
            s->rests_of_one += of_one;
        }
        if (d.kind != QUEUE_OPEN)
            continue;
        assert_null(s->attempt);
        s->connection = d.connection;
        s->attempt = d.attempt;
        if (s->greets)
            assert_true(queue_opened(s->queue, d.connection, &a, s->now_ms));
    }
}

static void begin_with(struct stage *s, unsigned connections)
{
    const struct queue_settings settings = {.idle_ms = 1, .connections = connections};
    *s = (struct stage){.now_ms = 1000, .greets = true, .limit = 1};
    s->queue = queue_new(&settings, s->now_ms);
}

static void begin(struct stage *s)
{
    begin_with(s, 0);
}

static void add(struct stage *s, const char *tenant, const char *domain)
{
    const struct queue_entry e = {.message = ++s->message,
                                  .class = STREAM_NOTIFICATION,
                                  .tenant = tenant,
                                  .domain = domain,
                                  .due_ms = s->now_ms,
                                  .expires_ms = INT64_C(1) << 40};
    queue_add(s->queue, &e, 1, s->now_ms);
    go_on(s);
}

/* The connection fails with what it carries; the next try of that is far away. */
static void fails(struct stage *s, enum queue_failure how)
{
    const struct queue_attempt *a = s->attempt;
    int64_t due_ms[1] = {s->now_ms + 3600000};
    assert_non_null(a);
    s->attempt = NULL;
    if (!queue_connection_failed(s->queue, s->connection, how, "421 4.7.0 not you", s->now_ms))
        queue_settled(s->queue, a, due_ms, s->now_ms);
    go_on(s);
}

static void is_done(struct stage *s, enum queue_spoken spoken)
{
    const struct queue_attempt *next = NULL;
    const struct queue_attempt *a = s->attempt;
    assert_non_null(a);
    s->attempt = NULL;
    assert_int_equal(queue_message_done(s->queue, s->connection, spoken, false, &next, s->now_ms),
                     QUEUE_NEXT_CLOSE);
    queue_settled(s->queue, a, NULL, s->now_ms);
    queue_connection_closed(s->queue, s->connection, s->now_ms);
    go_on(s);
}

static void goes_through(struct stage *s)
{
    is_done(s, QUEUE_SPOKEN);
}

static bool carries(const struct stage *s, const char *tenant)
{
    return s->attempt && strcmp(s->attempt->tenant, tenant) == 0;
}

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
        begin(&s);
        if (kinds[k].domain[0] == 'a') /* the provider has other hosts */
            add(&s, "carl", "b.big.test"), goes_through(&s);
        for (unsigned n = 0; n < kinds[k].times; n++) {
            for (unsigned more = 0; i % 2 == 0 ? more == 0 : n == 0 && more < kinds[k].times;
                 more++)
                add(&s, "eve", kinds[k].domain);
            EXPECT(carries(&s, "eve"), kinds[k].label);
            fails(&s, kinds[k].how);
        }
        EXPECT(s.rests == 0 && s.rests_of_one == 1, kinds[k].label);
        add(&s, "eve", kinds[k].domain);
        EXPECT(!s.attempt, "it waits itself");
        for (unsigned n = 0; n < 30; n++) {
            add(&s, "bob", kinds[k].domain);
            EXPECT(carries(&s, "bob"), kinds[k].label);
            goes_through(&s);
            EXPECT(!s.attempt, "it still waits");
            s.now_ms += 100;
        }
        s.now_ms += 2000;
        go_on(&s);
        EXPECT(carries(&s, "eve"), "its time is over");
        goes_through(&s);
        queue_free(s.queue);
    }
}

static void what_fails_for_several_holds_up_all(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT_OF(kinds); k++) {
        static const char *const names[] = {"eve", "bob"};
        struct stage s;
        begin(&s);
        if (kinds[k].domain[0] == 'a')
            add(&s, "carl", "b.big.test"), goes_through(&s);
        for (unsigned n = 0; n < kinds[k].times || (kinds[k].times == 1 && n < 2); n++) {
            add(&s, names[n % 2], kinds[k].domain);
            EXPECT(carries(&s, names[n % 2]), kinds[k].label);
            fails(&s, kinds[k].how);
        }
        add(&s, "carl", kinds[k].domain);
        EXPECT(!s.attempt, kinds[k].label);
        s.now_ms += 5000;
        go_on(&s);
        EXPECT(carries(&s, "carl"), "its time is over");
        goes_through(&s);
        queue_free(s.queue);
    }
}

static void what_fails_before_any_message_holds_up_all(void **state)
{
    static const enum queue_failure hows[] = {QUEUE_FAIL_CONNECT, QUEUE_FAIL_REFUSED};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(hows); i++) {
        struct stage s;
        begin(&s);
        s.greets = false;
        add(&s, "eve", "d.test");
        fails(&s, hows[i]);
        assert_int_equal(s.rests, 1);
        add(&s, "bob", "d.test");
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
    begin(&s);
    s.limit = 20;
    add(&s, "carl", "d.test"); /* so that it is known to work */
    goes_through(&s);
    add(&s, "bob", "d.test");
    assert_true(carries(&s, "bob"));
    uint64_t bobs = s.connection;
    const struct queue_attempt *his = s.attempt;
    s.attempt = NULL;
    add(&s, "eve", "d.test");
    assert_true(carries(&s, "eve"));
    fails(&s, QUEUE_FAIL_REFUSED);
    assert_null(s.attempt);
    assert_true(queue_find_destination(s.queue, "mx.d.test:25", &view, s.now_ms));
    assert_int_equal(view.no_growth_ms, 0);
    assert_int_equal(view.rest_ms, 0);
    s.connection = bobs;
    s.attempt = his;
    goes_through(&s);
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
        begin(&s);
        s.limit = 20;
        add(&s, "carl", "d.test"); /* so that it is known to work */
        goes_through(&s);
        add(&s, "eve", "d.test");
        assert_true(carries(&s, "eve"));
        uint64_t hers = s.connection;
        const struct queue_attempt *first = s.attempt;
        s.attempt = NULL;
        add(&s, "eve", "d.test");
        assert_true(carries(&s, "eve"));
        fails(&s, QUEUE_FAIL_REFUSED);
        EXPECT(!s.attempt, "she has as many as she may");
        assert_true(queue_find_destination(s.queue, "mx.d.test:25", &view, s.now_ms));
        EXPECT(view.no_growth_ms == 0 && view.rest_ms == 0, "nobody else is capped");
        for (unsigned n = 0; n < 3; n++) {
            s.now_ms += 10000;
            go_on(&s);
            EXPECT(!s.attempt, "she is, for a minute");
            add(&s, "bob", "d.test");
            EXPECT(carries(&s, "bob"), "his place is not hers");
            if (both == 0) {
                goes_through(&s);
                continue;
            }
            fails(&s, QUEUE_FAIL_REFUSED);
            break;
        }
        assert_true(queue_find_destination(s.queue, "mx.d.test:25", &view, s.now_ms));
        EXPECT((view.no_growth_ms > 0) == (both == 1), "when two are refused all are capped");
        s.connection = hers;
        s.attempt = first;
        goes_through(&s);
        EXPECT(s.attempt, "the place that she had is free for her");
        goes_through(&s);
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
        begin_with(&s, 10);
        for (unsigned n = 0; n < 10; n++) {
            char domain[20];
            snprintf(domain, sizeof(domain), "x%u.test", n);
            add(&s, "bob", domain);
            s.attempt = NULL; /* it is never over */
        }
        for (unsigned k = 0; k < COUNT_OF(domains); k++, s.now_ms += 1000) {
            add(&s, "eve", domains[k]);
            EXPECT(carries(&s, "eve"), domains[k]);
            add(&s, order == 0 ? "bob" : "eve", domains[k]);
            add(&s, order == 0 ? "eve" : "bob", domains[k]);
            fails(&s, QUEUE_FAIL_REFUSED);
            EXPECT(!s.attempt && s.rests_of_one == k + 1, domains[k]);
        }
        for (unsigned k = 0; k < COUNT_OF(domains); k++) {
            s.now_ms = 1000 + 1000 * k + 4999;
            go_on(&s);
            EXPECT(!s.attempt, "its time is not over");
            s.now_ms++;
            EXPECT(queue_wake_ms(s.queue) <= s.now_ms, "it is looked at then");
            go_on(&s);
            EXPECT(carries(&s, "eve"), domains[k]);
            goes_through(&s);
        }
        queue_free(s.queue);
    }
}

/* An operator who ends all rests ends these, too. */
static void what_rests_for_one_is_resumed_with_all(void **state)
{
    struct stage s;
    (void)state;
    begin(&s);
    add(&s, "eve", "d.test");
    fails(&s, QUEUE_FAIL_REFUSED);
    add(&s, "eve", "d.test");
    assert_null(s.attempt);
    assert_true(queue_resume(s.queue, NULL, s.now_ms));
    go_on(&s);
    assert_true(carries(&s, "eve"));
    goes_through(&s);
    queue_free(s.queue);
}

/* Her mail rests at one set of a provider's hosts, for which hers waits first; and other hosts take it. */
static void a_rest_at_some_hosts_hides_nothing_for_others(void **state)
{
    struct stage s;
    (void)state;
    for (size_t before = 1; before <= 3; before++) {
        begin(&s);
        add(&s, "bob", "good.big.test");
        assert_true(carries(&s, "bob"));
        goes_through(&s);
        add(&s, "eve", "bad.big.test");
        assert_true(carries(&s, "eve"));
        fails(&s, QUEUE_FAIL_REFUSED);
        assert_int_equal(s.rests_of_one, 1);
        for (size_t i = 0; i < before; i++)
            add(&s, "eve", "bad.big.test");
        assert_null(s.attempt);
        add(&s, "eve", "good.big.test");
        EXPECT(carries(&s, "eve") && strcmp(s.attempt->domain, "good.big.test") == 0, "other hosts");
        goes_through(&s);
        assert_null(s.attempt);
        s.now_ms += 6000; /* the rest is over */
        go_on(&s);
        for (size_t i = 0; i < before; i++) {
            EXPECT(carries(&s, "eve") && strcmp(s.attempt->domain, "bad.big.test") == 0, "when it is over");
            goes_through(&s);
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
    begin(&s);
    s.limit = 20;
    for (size_t i = 0; i < 2; i++) {
        add(&s, "eve", "d.test");
        assert_true(carries(&s, "eve"));
        old[i] = s.connection;
        slow[i] = s.attempt;
        s.attempt = NULL;
        s.limit = 1;
        s.moved_to = "mx.other.test"; /* when it is looked up again, for the second */
        s.now_ms += 70000;
    }
    add(&s, "eve", "d.test");
    assert_true(carries(&s, "eve"));
    uint64_t fresh = s.connection;
    const struct queue_attempt *quick = s.attempt;
    add(&s, "bob", "d.test");
    for (size_t i = 0; i < 2; i++) {
        s.connection = old[i];
        s.attempt = slow[i];
        goes_through(&s);
    }
    s.connection = fresh;
    s.attempt = quick;
    goes_through(&s);
    EXPECT(carries(&s, "bob"), "he has had nothing there");
    add(&s, "eve", "d.test");
    add(&s, "bob", "d.test");
    goes_through(&s);
    EXPECT(carries(&s, "eve"), "both have had one, and she was there first");
    goes_through(&s);
    EXPECT(carries(&s, "bob"), "then he");
    goes_through(&s);
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
        begin(&s);
        s.limit = 20;
        for (size_t i = 0; i < 2; i++) {
            add(&s, "eve", "d.test");
            assert_true(carries(&s, "eve"));
            old[i] = s.connection;
            slow[i] = s.attempt;
            s.attempt = NULL;
            s.limit = 1;
            s.moved_to = "mx.other.test"; /* when it is looked up again, for the second */
            s.now_ms += 70000;
        }
        for (unsigned n = 0; n < 20; n++)
            add(&s, n % 2 == 0 ? "eve" : "bob", "d.test");
        for (unsigned n = 0; n < 6; n++) {
            EXPECT(carries(&s, n % 2 == 0 ? "eve" : "bob"), "in turn");
            goes_through(&s);
        }
        uint64_t now = s.connection;
        const struct queue_attempt *current = s.attempt;
        for (size_t i = 0; i < 2; i++) {
            s.connection = old[i];
            s.attempt = slow[i];
            if (how == 0)
                fails(&s, QUEUE_FAIL_STALE);
            else if (how == 1)
                queue_connection_closed(s.queue, old[i], s.now_ms);
            else
                goes_through(&s); /* it never came back */
        }
        s.connection = now;
        s.attempt = current;
        goes_through(&s);
        unsigned his = 0;
        for (unsigned n = 0; n < 6; n++) {
            his += carries(&s, "bob");
            goes_through(&s);
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
        begin(&s);
        for (unsigned n = 0; n < 10; n++) {
            add(&s, "eve", "d.test");
            fails(&s, QUEUE_FAIL_BROKE);
            if (n == 9)
                break;
            add(&s, "bob", "d.test");
            is_done(&s, i == 0 ? QUEUE_NOT_SPOKEN : QUEUE_SPOKEN);
        }
        EXPECT(s.rests_of_one == (i == 0), i == 0 ? "not spoken of" : "spoken of");
        queue_free(s.queue);
    }
}

/* ---- over the mail of some domains ---- */

static void add_evil(struct stage *s, const char *tenant, unsigned n)
{
    char domain[24];
    snprintf(domain, sizeof(domain), "evil%u.test", n);
    add(s, tenant, domain);
}

/* All lead to one host, which takes mail of so many domains. */
static void begin_shared(struct stage *s, unsigned good)
{
    begin(s);
    s->moved_to = "mx.victim.test";
    for (unsigned n = 0; n < good; n++) {
        char domain[24];
        snprintf(domain, sizeof(domain), "good%u.test", n);
        add(s, "carl", domain);
        goes_through(s);
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
            fails(&s, QUEUE_FAIL_BROKE);
        }
        EXPECT(!s.attempt && s.rests == 1 && s.rests_of_one == 0, "what it breaks over rests");
        for (unsigned n = 0; n < 40; n++) {
            add(&s, names[n % 2], n % 4 < 2 ? "good0.test" : "good1.test");
            EXPECT(s.attempt && strncmp(s.attempt->domain, "good", 4) == 0, "it takes this");
            goes_through(&s);
            EXPECT(!s.attempt, "the rest still waits");
            s.now_ms += 100;
        }
        add_evil(&s, "eve", 20);
        EXPECT(!s.attempt, "nor does what comes then go");
        s.now_ms += 1000;
        go_on(&s);
        EXPECT(s.attempt && strncmp(s.attempt->domain, "evil", 4) == 0, "its time is over");
        while (s.attempt)
            goes_through(&s);
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
            fails(&s, QUEUE_FAIL_BROKE);
        }
        for (unsigned n = 0; n < 3; n++) {
            char domain[24];
            snprintf(domain, sizeof(domain), "good%u.test", n);
            add(&s, tenants == 2 && n == 1 ? "bob" : "eve", domain);
            EXPECT(s.attempt, domain);
            fails(&s, QUEUE_FAIL_BROKE);
        }
        add(&s, "eve", "good4.test");
        EXPECT(!s.attempt, "all of hers rests");
        EXPECT(s.rests == tenants && s.rests_of_one == 2 - tenants, "as for one host");
        add(&s, "bob", "good4.test");
        EXPECT(!s.attempt == (tenants == 2), "and his, if it was his, too");
        while (s.attempt)
            goes_through(&s);
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
        fails(&s, QUEUE_FAIL_BROKE);
    }
    add_evil(&s, "bob", 20);
    add_evil(&s, "eve", 21);
    add_evil(&s, "carl", 22);
    EXPECT(!s.attempt, "it is known");
    add(&s, "bob", "good0.test");
    assert_true(carries(&s, "bob"));
    goes_through(&s);
    assert_true(queue_resume(s.queue, NULL, s.now_ms));
    go_on(&s);
    for (unsigned n = 0; n < 3; n++)
        goes_through(&s);
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
            add(&s, "bob", "good0.test");
        else
            add_evil(&s, "eve", n);
        fails(&s, QUEUE_FAIL_BROKE);
    }
    add(&s, "carl", "good0.test");
    assert_null(s.attempt);
    assert_int_equal(s.rests, 1);
    queue_free(s.queue);
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
        cmocka_unit_test(what_breaks_over_some_domains_holds_up_those),
        cmocka_unit_test(what_breaks_over_all_domains_holds_up_all),
        cmocka_unit_test(what_breaks_over_some_domains_of_each_holds_up_those_of_all),
        cmocka_unit_test(what_breaks_over_the_last_good_domain_holds_up_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
