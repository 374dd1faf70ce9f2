// SPDX-License-Identifier: BSD-2-Clause
/* queue_answers_test.c - What DNS says of domains: the kind of fault is memory whose size somebody's zone decides, and that is
 * charged to nobody, so that all have to do without it. */
#include "table.h"

#include "queue.h"
#include "queue_connection.h"
#include "queue_state.h"
#include "queue_view.h"

#include <stdlib.h>

enum { EVES = 500, BOBS = 20, HOSTS = 30, SHELL_BYTES = 10000, BOB_BYTES = 300, ANSWERS = 1024 * 1024, VALID_MS = 60000 };

struct told {
    struct queue *q;
    int64_t now_ms, message;
    unsigned asked[EVES], bobs; /* for domains eN.test; of bob's own, bN.test */
    unsigned for_bob;           /* eN.test, asked for his mail */
    size_t kept;                /* answers */
    bool same_hosts;            /* bob's domains have those of e0.test */
};

static void forget(void *context, const char *domain)
{
    struct told *t = context;
    assert_int_equal(domain[0] == 'e' || domain[0] == 'b', true);
    t->kept--;
}

static void begin(struct told *t)
{
    const struct queue_settings settings = {
        .connections = 10, .lookups = 20, .answers = ANSWERS, .forgotten = forget, .context = t};
    *t = (struct told){.now_ms = 1000};
    t->q = queue_new(&settings, t->now_ms);
}

static void add(struct told *t, const char *tenant, const char *domain)
{
    const struct queue_entry e = {.message = ++t->message,
                                  .class = STREAM_DIGEST,
                                  .tenant = tenant,
                                  .domain = domain,
                                  .due_ms = t->now_ms,
                                  .expires_ms = INT64_MAX / 2};
    queue_add(t->q, &e, 1, t->now_ms);
}

/* Eve's domains have thirty hosts of 250 octets each, bob's one. */
static void answer(struct told *t, const char *domain)
{
    static char names[HOSTS][256];
    const char *hosts[HOSTS];
    struct queue_domain_view before;
    bool long_list = domain[0] == 'e' || t->same_hosts;
    const char *within = t->same_hosts ? "e0.test" : domain;
    for (unsigned i = 0; i < HOSTS; i++) {
        snprintf(names[i], sizeof(names[i]), "%.*s%u.%s", long_list ? 220 : 1,
                 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                 i, within);
        hosts[i] = names[i];
    }
    const struct queue_answer found = {.hosts = hosts,
                                       .host_count = long_list ? HOSTS : 1,
                                       .port = 25,
                                       .trust = 1,
                                       .valid_ms = VALID_MS,
                                       .bytes = domain[0] == 'e' ? SHELL_BYTES : BOB_BYTES};
    queue_find_domain(t->q, domain, &before, t->now_ms);
    if (queue_resolved(t->q, domain, &found, t->now_ms))
        t->kept += before.state != QUEUE_DOMAIN_LEADS;
}

/* Servers say nothing; names are answered at once. */
static void decide(struct told *t)
{
    struct queue_decision d;
    while (queue_decide(t->q, &d, t->now_ms)) {
        if (d.kind != QUEUE_RESOLVE)
            continue;
        if (d.domain[0] == 'e')
            t->asked[strtoul(d.domain + 1, NULL, 10)]++;
        t->bobs += d.domain[0] == 'b';
        t->for_bob += d.domain[0] == 'e' && strcmp(d.tenant, "bob") == 0;
        answer(t, d.domain);
    }
}

static unsigned count_asked(const struct told *t)
{
    unsigned count = 0;
    for (size_t i = 0; i < EVES; i++)
        count += t->asked[i] > 0;
    return count;
}

static void pass(struct told *t, int64_t for_ms)
{
    for (int64_t end_ms = t->now_ms + for_ms; t->now_ms < end_ms; t->now_ms += 500)
        decide(t);
}

static void flood(struct told *t)
{
    begin(t);
    for (int i = 0; i < EVES; i++) {
        char domain[20];
        snprintf(domain, sizeof(domain), "e%d.test", i);
        add(t, "eve", domain);
        decide(t);
    }
}

static void what_one_tenant_asks_leaves_room_for_others(void **state)
{
    struct told t;
    (void)state;
    flood(&t);
    pass(&t, 5000);
    assert_in_range(count_asked(&t), 5, 60);
    for (int i = 0; i < BOBS; i++) {
        char domain[20];
        snprintf(domain, sizeof(domain), "b%d.test", i);
        add(&t, "bob", domain);
        decide(&t);
    }
    assert_int_equal(t.bobs, BOBS);
    queue_free(t.q);
}

/* It waits for eve, who may have no more: bob's mail does not wait for her. */
static void a_domain_that_waits_goes_over_to_who_may_have_it(void **state)
{
    struct told t;
    (void)state;
    flood(&t);
    assert_int_equal(t.asked[EVES - 1], 0);
    add(&t, "bob", "e499.test");
    decide(&t);
    assert_int_equal(t.asked[EVES - 1], 1);
    assert_int_equal(t.for_bob, 1);
    queue_free(t.q);
}

/* Hers that do not move are forgotten when they are out of date, and come again behind the others. */
static void what_does_not_move_makes_room_in_turn(void **state)
{
    struct told t;
    unsigned most = 0;
    (void)state;
    flood(&t);
    pass(&t, 90 * VALID_MS);
    assert_int_equal(count_asked(&t), EVES);
    for (size_t i = 0; i < EVES; i++)
        most = t.asked[i] > most ? t.asked[i] : most;
    assert_in_range(most, 1, 90); /* not all the time */
    queue_free(t.q);
}

/* The shell hears of each answer that it is not needed any more; what nobody needs has a limit by its size, and who has most
 * gives up first. */
static void unused_answers_have_a_limit_by_their_size(void **state)
{
    struct told t;
    struct queue_domain_view view;
    (void)state;
    begin(&t);
    add(&t, "bob", "b0.test");
    decide(&t);
    queue_drop(t.q, t.message, 0, t.now_ms);
    for (int i = 0; i < EVES; i++) {
        char domain[20];
        snprintf(domain, sizeof(domain), "e%d.test", i);
        add(&t, "eve", domain);
        struct queue_decision d;
        while (queue_decide(t.q, &d, t.now_ms)) {
            if (d.kind == QUEUE_RESOLVE) {
                queue_drop(t.q, t.message, 0, t.now_ms); /* while it is looked up */
                t.asked[i]++;
                answer(&t, d.domain);
            }
        }
    }
    assert_int_equal(count_asked(&t), EVES);
    assert_in_range(t.kept, 2, ANSWERS / 4 / SHELL_BYTES + 1);
    queue_find_domain(t.q, "e0.test", &view, t.now_ms);
    assert_int_equal(view.state, QUEUE_DOMAIN_UNKNOWN);
    queue_find_domain(t.q, "e499.test", &view, t.now_ms);
    assert_int_equal(view.state, QUEUE_DOMAIN_LEADS);
    queue_forget_answers(t.q, NULL, t.now_ms);
    assert_int_equal(t.kept, 0);
    queue_free(t.q);
}

static uint64_t own_bytes(size_t shell)
{
    return sizeof(struct domain) + strlen("e0.test") + shell;
}

static uint64_t copies(const struct queue *q)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < q->slot_count; i++)
        bytes += q->slots[i].connection && q->slots[i].connection->trier ? q->slots[i].connection->copied : 0;
    return bytes;
}

/* Each has the hosts in an order of its own. */
static void what_opens_is_charged_to_whose_it_is(void **state)
{
    struct told t;
    struct queue_decision d;
    (void)state;
    begin(&t);
    add(&t, "eve", "e0.test");
    while (queue_decide(t.q, &d, t.now_ms) && d.kind != QUEUE_OPEN)
        answer(&t, d.domain);
    uint64_t connection = d.connection;
    uint64_t opening = t.q->answer_bytes;
    assert_int_equal(copies(t.q), own_bytes(SHELL_BYTES));
    assert_false(queue_connection_failed(t.q, connection, QUEUE_FAIL_REFUSED, "refused", t.now_ms));
    assert_int_equal(opening - t.q->answer_bytes, own_bytes(SHELL_BYTES));
    queue_free(t.q);
}

/* Bob's domain has the hosts of eve's: when hers is forgotten, what they take is paid for as before. */
static void what_a_lane_takes_is_paid_for_as_long_as_a_domain_leads_there(void **state)
{
    struct told t;
    (void)state;
    begin(&t);
    add(&t, "eve", "e0.test");
    decide(&t);
    int64_t hers = t.message;
    uint64_t lane = t.q->answer_bytes - copies(t.q) - SHELL_BYTES;
    assert_in_range(lane, 2000, 20000); /* with the domain itself */
    t.same_hosts = true;
    add(&t, "bob", "b0.test");
    decide(&t);
    assert_int_equal(t.q->answer_bytes - copies(t.q), lane + SHELL_BYTES + own_bytes(BOB_BYTES));
    queue_drop(t.q, hers, 0, t.now_ms);
    queue_forget_answers(t.q, "e0.test", t.now_ms);
    assert_int_equal(t.kept, 1);
    assert_int_equal(t.q->answer_bytes - copies(t.q), lane + BOB_BYTES);
    add(&t, "eve", "e0.test");
    decide(&t);
    assert_int_equal(t.q->answer_bytes - copies(t.q), lane + BOB_BYTES + own_bytes(SHELL_BYTES));
    queue_free(t.q);
}

struct seen {
    char name[600], hosts[600];
    bool rests;
    size_t count;
};

static void see(void *context, const struct queue_destination_view *v)
{
    struct seen *seen = context;
    snprintf(seen->name, sizeof(seen->name), "%s", v->name);
    snprintf(seen->hosts, sizeof(seen->hosts), "%s", v->hosts);
    seen->rests = v->rest_ms > 0;
    seen->count++;
}

/* Its name is no longer than people read; a host of it that an operator puts to rest is found all the same. */
static void a_long_list_has_a_short_name(void **state)
{
    struct told t;
    struct seen seen = {.count = 0};
    char host[300];
    (void)state;
    begin(&t);
    queue_rest_host(t.q, "mx.other.test", 60000, "it burns", t.now_ms);
    add(&t, "eve", "e1.test");
    decide(&t);
    queue_each_known_destination(t.q, see, &seen, t.now_ms);
    assert_int_equal(seen.count, 1);
    assert_non_null(strstr(seen.name, "0.e1.test+29/"));
    assert_in_range(strlen(seen.name), 200, 330);
    assert_in_range(strlen(seen.hosts), 200, 500);
    assert_false(seen.rests);
    snprintf(host, sizeof(host), "%.*s17.e1.test", (int)(strstr(seen.name, "0.e1.test") - seen.name), seen.name);
    queue_rest_host(t.q, host, 60000, "it burns", t.now_ms);
    seen = (struct seen){.count = 0};
    queue_each_known_destination(t.q, see, &seen, t.now_ms);
    assert_true(seen.rests);
    queue_free(t.q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_one_tenant_asks_leaves_room_for_others),
        cmocka_unit_test(a_domain_that_waits_goes_over_to_who_may_have_it),
        cmocka_unit_test(what_does_not_move_makes_room_in_turn),
        cmocka_unit_test(what_opens_is_charged_to_whose_it_is),
        cmocka_unit_test(what_a_lane_takes_is_paid_for_as_long_as_a_domain_leads_there),
        cmocka_unit_test(unused_answers_have_a_limit_by_their_size),
        cmocka_unit_test(a_long_list_has_a_short_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
