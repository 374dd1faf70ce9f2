// SPDX-License-Identifier: BSD-2-Clause
/* queue_scenarios_test.c - What one receiver, tenant, domain or policy does to another's mail: nothing. In virtual time,
 * each named by what must hold. */
#include "queue_stage.h"

#include "shares.h"

static const struct queue_settings settings = {.connections = 400, .shards = 4, .per_destination = 10};

static void name_of(char *name, size_t size, const char *prefix, size_t number)
{
    snprintf(name, size, "%s%zu.test", prefix, number);
}

static void two_hundred_hung_servers_leave_the_others_what_they_had(void **state)
{
    static const struct stage_server servers[] = {{.host = "mx.hung*", .kind = SERVER_HANGS}, {0}};
    struct stage *s = stage_new(&settings, NULL, servers);
    int64_t message = 0;
    char name[40];
    (void)state;
    for (size_t i = 0; i < 200 * 40; i++) {
        name_of(name, sizeof(name), "hung", i % 200);
        stage_add(s, ++message, "a", name, STREAM_NOTIFICATION);
    }
    stage_run(s, 7000);
    assert_true(s->open_most <= 200);
    for (size_t i = 0; i < 100; i++) {
        name_of(name, sizeof(name), "well", i);
        stage_add(s, ++message, "b", name, i % 2 ? STREAM_SECURITY : STREAM_DIGEST);
    }
    assert_true(stage_run_until(s, message - 99, message, 60000) < 1000);
    stage_free(s);
}

/* There are more of them than places. */
static void more_hung_servers_than_places_are_given_up(void **state)
{
    static const struct stage_server servers[] = {{.host = "mx.hung*", .kind = SERVER_HANGS}, {0}};
    struct queue_settings small = {.connections = 40, .shards = 2};
    struct stage *s = stage_new(&small, NULL, servers);
    int64_t message = 0;
    char name[40];
    (void)state;
    for (size_t i = 0; i < 250 * 4; i++) {
        name_of(name, sizeof(name), "hung", i % 250);
        stage_add(s, ++message, "a", name, STREAM_NOTIFICATION);
    }
    stage_run(s, 1000);
    for (size_t i = 0; i < 40; i++) {
        name_of(name, sizeof(name), "well", i);
        stage_add(s, ++message, "a", name, i % 2 ? STREAM_SECURITY : STREAM_NOTIFICATION);
        name_of(name, sizeof(name), "fine", i);
        stage_add(s, ++message, "b", name, STREAM_DIGEST);
    }
    int64_t took_ms = stage_run_until(s, message - 79, message, 600000);
    for (int64_t m = message - 79; m <= message; m++) {
        bool of_a = (m - message) % 2 != 0;
        bool urgent = of_a && (message - m) / 2 % 2 == 0;
        assert_true(s->done_ms[m] >= 0);
        if (urgent || !of_a)
            assert_true(s->begun_ms[m] < 1000 + 2000);
    }
    assert_true(took_ms < 90000); /* tenant a's own, behind its own */
    stage_free(s);
}

static void a_provider_with_three_hundred_domains_that_hangs_holds_three_connections(void **state)
{
    static const struct stage_domain domains[] = {{.name = "hung*", .hosts = {".mail.protection.outlook.com"}}, {0}};
    static const struct stage_server servers[] = {{.host = "hung*", .kind = SERVER_HANGS}, {0}};
    struct stage *s = stage_new(&settings, domains, servers);
    int64_t message = 0;
    char name[40];
    (void)state;
    for (size_t i = 0; i < 6000; i++) {
        name_of(name, sizeof(name), "hung", i % 300);
        stage_add(s, ++message, "a", name, STREAM_DIGEST);
    }
    stage_run(s, 2000);
    assert_true(s->open_most <= 3);
    for (size_t i = 0; i < 100; i++) {
        name_of(name, sizeof(name), "well", i);
        stage_add(s, ++message, "a", name, STREAM_SECURITY);
    }
    assert_true(stage_run_until(s, message - 99, message, 60000) < 1000);
    stage_free(s);
}

/* The hosts of one domain at a provider are dead: that says nothing of the provider's others. */
static void dead_hosts_of_a_provider_leave_its_others_alone(void **state)
{
    static const struct stage_domain domains[] = {{.name = "*", .hosts = {".mail.protection.outlook.com"}}, {0}};
    static const struct stage_server servers[] = {{.host = "dead*", .kind = SERVER_REFUSES},
                                                  {.host = "hung*", .kind = SERVER_HANGS},
                                                  {0}};
    char name[40];
    (void)state;
    for (size_t round = 0; round < 2; round++) {
        struct stage *s = stage_new(&settings, domains, servers);
        for (int64_t m = 1; m <= 200; m++)
            stage_add(s, m, "a", round ? "hung.test" : "dead.test", STREAM_CONFIRMATION);
        stage_run(s, 100);
        for (int64_t m = 201; m <= 300; m++) {
            name_of(name, sizeof(name), "well", (size_t)m);
            stage_add(s, m, "a", name, STREAM_CONFIRMATION);
        }
        assert_true(stage_run_until(s, 201, 300, 60000) < 3000);
        struct queue_destination_view view;
        assert_true(queue_find_destination(s->queue, "microsoft365:25", &view, s->now_ms));
        assert_int_equal(view.rest_ms, 0);
        assert_int_equal(view.no_growth_ms, 0);
        assert_string_equal(view.provider, "microsoft365");
        stage_free(s);
    }
}

/* All places are taken by a tenant who has more; another one's mail has one at the next message. */
static void places_go_to_who_has_fewest_at_the_next_message(void **state)
{
    struct queue_settings small = {.connections = 10, .shards = 2};
    struct stage *s = stage_new(&small, NULL, NULL);
    char name[40];
    (void)state;
    for (int64_t m = 1; m <= 10000; m++) {
        name_of(name, sizeof(name), "big", (size_t)m % 4);
        stage_add(s, m, "big", name, STREAM_CONFIRMATION);
    }
    stage_run(s, 3000);
    stage_add(s, 10001, "small", "other.test", STREAM_DIGEST);
    assert_true(stage_run_until(s, 10001, 10001, 60000) < 500);
    stage_add(s, 10002, "big", "fifth.test", STREAM_CONFIRMATION); /* a destination with none yet */
    assert_true(stage_run_until(s, 10002, 10002, 60000) < 500);
    for (int64_t m = 10003; m <= 10010; m++) { /* and who has the same, after a run of messages */
        name_of(name, sizeof(name), "more", (size_t)m);
        stage_add(s, m, "big", name, STREAM_CONFIRMATION);
    }
    assert_true(stage_run_until(s, 10003, 10010, 60000) < 3000);
    stage_free(s);
}

/* A provider's connections are all at work for hosts with endless mail: others come after a run of messages. */
static void hosts_of_one_provider_take_turns(void **state)
{
    static const struct stage_domain domains[] = {{.name = "mx*", .hosts = {".free.fr"}}, {0}};
    struct stage *s = stage_new(&settings, domains, NULL);
    (void)state;
    for (int64_t m = 1; m <= 5000; m++)
        stage_add(s, m, "a", "mx-endless", STREAM_CONFIRMATION);
    stage_run(s, 2000);
    stage_add(s, 5001, "b", "mx-second", STREAM_CONFIRMATION);
    assert_true(stage_run_until(s, 5001, 5001, 60000) < 2000);
    stage_add(s, 5002, "a", "mx-third", STREAM_SECURITY);
    assert_true(stage_run_until(s, 5002, 5002, 60000) < 300);
    stage_free(s);
}

static void what_is_added_again_while_it_is_under_way_is_looked_at_again(void **state)
{
    static const char *const lines[] = {"0.0  1 goes to club.test", "0.1  SEND mx.club.test:25",
                                        "0.1  1 goes to club.test"};
    struct stage *s = stage_new(&settings, NULL, NULL);
    struct queue_counts n;
    (void)state;
    stage_add(s, 1, "a", "club.test", STREAM_NOTIFICATION);
    stage_run(s, 40);
    stage_add(s, 1, "a", "club.test", STREAM_NOTIFICATION);
    stage_run(s, 1000);
    stage_expect(s, lines, COUNT_OF(lines));
    assert_int_equal(s->begun, 2);
    stage_add(s, 2, "a", "club.test", STREAM_NOTIFICATION);
    stage_run(s, 10);
    queue_drop(s->queue, 2, 0, s->now_ms); /* somebody has deleted it */
    stage_run(s, 1000);
    queue_forget_answers(s->queue, NULL, s->now_ms); /* for which tenants pay */
    queue_count(s->queue, &n, s->now_ms);
    assert_int_equal(n.waiting + n.ready + n.under_way + n.tenants, 0);
    stage_free(s);
}

/* And has another domain meanwhile: it goes there, or, deleted, nowhere. */
static void what_is_added_again_elsewhere_goes_there(void **state)
{
    (void)state;
    for (size_t deleted = 0; deleted <= 1; deleted++) {
        struct stage *s = stage_new(&settings, NULL, NULL);
        struct queue_counts n;
        stage_add(s, 1, "a", "club.test", STREAM_NOTIFICATION);
        stage_run(s, 40);
        stage_add(s, 1, "b", "other.test", STREAM_DIGEST);
        if (deleted)
            queue_drop(s->queue, 1, 0, s->now_ms);
        stage_run(s, 1000);
        assert_true((strstr(s->trace, "1 goes to other.test") != NULL) == !deleted);
        queue_forget_answers(s->queue, NULL, s->now_ms);
        queue_count(s->queue, &n, s->now_ms);
        assert_int_equal(n.waiting + n.ready + n.under_way + n.tenants, 0);
        stage_free(s);
    }
}

static void until_one_has_greeted_a_destination_opens_one(void **state)
{
    static const struct stage_server servers[] = {{.host = "*", .kind = SERVER_HANGS}, {0}};
    struct stage *s = stage_new(&settings, NULL, servers);
    (void)state;
    for (int64_t m = 1; m <= 50; m++)
        stage_add(s, m, "a", "hung.test", m % 2 ? STREAM_SECURITY : STREAM_DIGEST);
    stage_run(s, 20000);
    assert_int_equal(s->open_most, 1);
    stage_free(s);
}

static void a_code_behind_a_newsletter_over_four_hundred_domains_of_one_host_is_next(void **state)
{
    static const struct stage_domain domains[] = {{.name = "d*", .hosts = {"smart.test"}, .limit = 20}, {0}};
    static const struct stage_server servers[] = {{.host = "smart.test", .message_ms = 200}, {0}};
    struct stage *s = stage_new(&settings, domains, servers);
    char name[40];
    (void)state;
    for (int64_t m = 1; m <= 2400; m++) {
        name_of(name, sizeof(name), "d", (size_t)m % 400);
        stage_add(s, m, "a", name, STREAM_DIGEST);
    }
    stage_run(s, 5000);
    size_t before = s->begun;
    stage_add(s, 2401, "a", "d500.test", STREAM_SECURITY);
    assert_true(stage_run_until(s, 2401, 2401, 60000) < 500);
    assert_true(s->order_of[2401] <= before + 20);
    assert_true(stage_run_until(s, 1, 2400, 600000) < 30000);
    assert_int_equal(s->machine_most[machine_number(s, "smart.test")], 20); /* as there was no code before, one was kept */
    stage_free(s);
}

static void tenants_take_turns(void **state)
{
    static const struct stage_domain domains[] = {{.name = "*", .hosts = {"smart.test"}, .limit = 2}, {0}};
    struct stage *s = stage_new(&settings, domains, NULL);
    (void)state;
    for (int64_t m = 1; m <= 10000; m++)
        stage_add(s, m, "big", "a.test", STREAM_NOTIFICATION);
    stage_run(s, 1000);
    size_t before = s->begun;
    for (int64_t m = 10001; m <= 10010; m++)
        stage_add(s, m, "small", "b.test", STREAM_NOTIFICATION);
    stage_run_until(s, 10001, 10010, 60000);
    assert_true(s->order_of[10010] <= before + 24);
    stage_free(s);
}

/* A domain of its own has no more than its turn, too: the class counts over all domains, not in each. */
static void urgency_counts_over_all_domains(void **state)
{
    static const struct stage_domain domains[] = {{.name = "*", .hosts = {"smart.test"}, .limit = 1}, {0}};
    struct stage *s = stage_new(&settings, domains, NULL);
    static const enum stream_class classes[] = {STREAM_DIGEST, STREAM_INVITATION, STREAM_NOTIFICATION,
                                                STREAM_CONFIRMATION, STREAM_SECURITY};
    char name[40];
    (void)state;
    for (int64_t m = 1; m <= 500; m++) {
        name_of(name, sizeof(name), "d", (size_t)m % 50);
        stage_add(s, m, "a", name, classes[m % 5]);
    }
    stage_run_until(s, 1, 500, 600000);
    for (int64_t m = 1; m <= 500; m++) { /* but for the few by which the others do not wait for ever */
        size_t early = 0;
        size_t part = classes[m % 5] == STREAM_SECURITY ? PASSED_MAX : PASSED_MAX / 3;
        for (int64_t n = 1; n <= 500; n++)
            early += classes[m % 5] < classes[n % 5] && s->order_of[m] > s->order_of[n];
        assert_true(early <= s->order_of[m] / part + 1);
    }
    stage_free(s);
}

/* Its first host takes connections and then says nothing; others wait for the place. The next try begins at the other. */
static void what_was_given_up_begins_at_another_host(void **state)
{
    static const struct stage_domain domains[] = {{.name = "two.test", .hosts = {"a.two.test", "b.two.test"}}, {0}};
    static const struct stage_server servers[] = {{.host = "a.two.test", .greet_ms = 200000},
                                                  {.host = "mx.busy*", .message_ms = 500}, {0}};
    static const struct queue_settings few = {.connections = 4, .shards = 1};
    struct stage *s = stage_new(&few, domains, servers);
    char name[40];
    (void)state;
    stage_add(s, 1, "a", "two.test", STREAM_NOTIFICATION);
    stage_run(s, 100);
    for (int64_t m = 2; m <= 400; m++) {
        name_of(name, sizeof(name), "busy", (size_t)m % 50);
        stage_add(s, m, m % 2 ? "b" : "c", name, STREAM_NOTIFICATION);
    }
    int64_t took_ms = stage_run_until(s, 1, 1, 300000);
    assert_non_null(strstr(s->trace, "CLOSE a.two.test,b.two.test:25, reason 5"));
    assert_true(took_ms < 75000);
    stage_free(s);
}

static void connections_are_spread_over_shards(void **state)
{
    static const struct stage_server servers[] = {{.host = "*", .message_ms = 60000}, {0}};
    struct stage *s = stage_new(&settings, NULL, servers);
    size_t by_shard[4] = {0};
    char name[40];
    (void)state;
    for (int64_t m = 1; m <= 100; m++) {
        name_of(name, sizeof(name), "d", (size_t)m);
        stage_add(s, m, "a", name, STREAM_NOTIFICATION);
    }
    stage_run(s, 5000);
    for (size_t i = 0; i < STAGE_CONNECTIONS; i++)
        if (s->connections[i].open)
            by_shard[s->connections[i].shard]++;
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(by_shard[i], 25);
    stage_free(s);
}

static void mail_for_a_verified_route_has_connections_of_its_own(void **state)
{
    static const struct stage_domain domains[] = {{.name = "plain.test", .hosts = {"mx.shared.test"}},
                                                  {.name = "strict.test", .hosts = {"mx.shared.test"}, .route = "verify"},
                                                  {0}};
    static const char *const lines[] = {"0.0  OPEN mx.shared.test:25 for 1", "0.0  1 goes to plain.test",
                                        "1.0  OPEN mx.shared.test:25 verify for 2", "1.0  2 goes to strict.test",
                                        "2.0  SEND mx.shared.test:25", "2.0  3 goes to plain.test",
                                        "2.0  SEND mx.shared.test:25 verify", "2.0  4 goes to strict.test",
                                        "3.0  OPEN mx.shared.test:25 for 5"};
    struct stage *s = stage_new(&settings, domains, NULL);
    (void)state;
    stage_add(s, 1, "a", "plain.test", STREAM_NOTIFICATION);
    stage_run(s, 1000);
    stage_add(s, 2, "a", "strict.test", STREAM_NOTIFICATION);
    stage_run(s, 1000);
    stage_add(s, 3, "a", "plain.test", STREAM_NOTIFICATION);
    stage_add(s, 4, "a", "strict.test", STREAM_NOTIFICATION);
    stage_run(s, 1000);
    s->trust++; /* a reload: nothing of before is trusted */
    queue_forget_answers(s->queue, NULL, s->now_ms);
    stage_add(s, 5, "a", "plain.test", STREAM_NOTIFICATION);
    stage_run(s, 1000);
    stage_expect(s, lines, COUNT_OF(lines));
    stage_free(s);
}

static void what_a_policy_puts_to_rest_is_that_policys(void **state)
{
    static const struct stage_domain domains[] = {{.name = "plain.test", .hosts = {"mx.shared.test"}},
                                                  {.name = "strict.test", .hosts = {"mx.shared.test"}, .route = "verify"},
                                                  {0}};
    static const char *const lines[] = {"0.0  1 is deferred: certificate is not valid",
                                        "0.0  mx.shared.test:25 verify rests: certificate is not valid"};
    struct stage *s = stage_new(&settings, domains, NULL);
    (void)state;
    stage_refuse_next_route(s, domains[1].route, "certificate is not valid");
    stage_add(s, 1, "a", "strict.test", STREAM_NOTIFICATION);
    stage_add(s, 2, "a", "plain.test", STREAM_NOTIFICATION);
    stage_run(s, 1000);
    stage_expect(s, lines, COUNT_OF(lines));
    assert_true(s->done_ms[2] >= 0);
    stage_free(s);
}

static void many_names_for_one_machine_share_its_limit(void **state)
{
    static const struct stage_server servers[] = {{.host = "mx.d*", .machine = 7, .message_ms = 300}, {0}};
    struct stage *s = stage_new(&settings, NULL, servers);
    char name[40];
    (void)state;
    for (int64_t m = 1; m <= 1200; m++) {
        name_of(name, sizeof(name), "d", (size_t)m % 300);
        stage_add(s, m, "a", name, STREAM_NOTIFICATION);
    }
    stage_run(s, 3000);
    stage_add(s, 1201, "a", "d300.test", STREAM_SECURITY);
    assert_true(stage_run_until(s, 1201, 1201, 60000) < 1500);
    assert_true(s->machine_most[7] <= 10);
    assert_true(stage_run_until(s, 1, 1200, 600000) < 120000);
    stage_free(s);
}

/* A machine's connections are all at work for names with endless mail: another name's comes after a run of messages,
 * a code at the next. */
static void names_for_one_machine_take_turns(void **state)
{
    static const struct stage_server servers[] = {{.host = "mx.d*", .machine = 7}, {0}};
    struct stage *s = stage_new(&settings, NULL, servers);
    char name[40];
    (void)state;
    for (int64_t m = 1; m <= 15000; m++) {
        name_of(name, sizeof(name), "d", (size_t)m % 10);
        stage_add(s, m, "a", name, STREAM_CONFIRMATION);
    }
    stage_run(s, 5000);
    stage_add(s, 15001, "b", "d.other.test", STREAM_DIGEST);
    assert_true(stage_run_until(s, 15001, 15001, 60000) < 2500);
    for (int64_t m = 15002; m <= 15012; m++) { /* more than the reserve */
        name_of(name, sizeof(name), "d.code", (size_t)m);
        stage_add(s, m, "b", name, STREAM_SECURITY);
    }
    assert_true(stage_run_until(s, 15002, 15012, 60000) < 1000);
    assert_true(s->machine_most[7] <= 10);
    stage_free(s);
}

static void a_server_that_takes_two_connections_gets_two_and_nothing_is_deferred(void **state)
{
    static const struct stage_server servers[] = {{.host = "mx.small.test", .accepts = 2, .message_ms = 100}, {0}};
    struct stage *s = stage_new(&settings, NULL, servers);
    (void)state;
    for (int64_t m = 1; m <= 200; m++)
        stage_add(s, m, "a", "small.test", m % 20 ? STREAM_NOTIFICATION : STREAM_SECURITY);
    assert_true(stage_run_until(s, 1, 200, 600000) < 200 * 100 / 2 * 3 / 2);
    assert_int_equal(s->deferred + s->settled_untried, 0);
    assert_true(s->given_back > 0 && s->given_back < 5);
    stage_free(s);
}

static void a_blackholed_first_host_costs_two_seconds_once(void **state)
{
    static const struct stage_domain domains[] = {{.name = "*", .hosts = {"hole.test", "well.test"}}, {0}};
    static const struct stage_server servers[] = {{.host = "hole.test", .kind = SERVER_HANGS}, {0}};
    struct stage *s = stage_new(&settings, domains, servers);
    (void)state;
    for (int64_t m = 1; m <= 9; m++) {
        stage_add(s, m, "a", "club.test", STREAM_NOTIFICATION);
        int64_t took_ms = stage_run_until(s, m, m, 60000);
        assert_true(m == 1 ? took_ms < 2500 : took_ms < 500);
        stage_run(s, 10000 - took_ms); /* the idle connection goes meanwhile */
    }
    assert_int_equal(s->deferred, 0);
    stage_free(s);
}

/* The kind: waiting taken for failing. All places at an address are another destination's, and all places of the relay
 * are wanted, so that what does not open is given up: who waits for the address holds none, and does not rest. */
static void who_waits_for_a_full_address_is_not_blamed(void **state)
{
    static const struct stage_server servers[] = {
        {.host = "mx.big.test", .machine = 7, .message_ms = 20000}, {.host = "mx.small.test", .machine = 7},
        {.host = "mx.hung*", .kind = SERVER_HANGS}, {0}};
    struct queue_settings small = {.connections = 8, .per_destination = 1};
    struct stage *s = stage_new(&small, NULL, servers);
    char name[40];
    (void)state;
    stage_add(s, 1, "a", "big.test", STREAM_NOTIFICATION);
    stage_add(s, 2, "a", "big.test", STREAM_NOTIFICATION);
    stage_run(s, 500);
    stage_add(s, 3, "a", "small.test", STREAM_NOTIFICATION);
    for (int64_t m = 10; m < 60; m++) {
        name_of(name, sizeof(name), "hung", (size_t)m);
        stage_add(s, m, "b", name, STREAM_NOTIFICATION);
    }
    stage_run(s, 19000);
    assert_null(strstr(s->trace, "mx.small.test:25 rests"));
    assert_non_null(strstr(s->trace, "rests: "));
    assert_true(stage_run_until(s, 3, 3, 60000) < 15000); /* it has its turn before message 2 is over */
    assert_null(strstr(s->trace, "mx.small.test:25 rests"));
    assert_int_equal(s->machine_most[7], 1);
    stage_free(s);
}

/* Nothing is under way on it (the store stalls): what it does not do shows nothing of its destination. */
static void what_carries_nothing_is_given_up_without_blame(void **state)
{
    static const char *const hosts[] = {"mx.idle.test"};
    static const char *const others[] = {"mx.other.test"};
    struct queue_settings small = {.connections = 1};
    struct queue_answer answer = {.hosts = hosts, .host_count = 1, .port = 25, .route = "", .trust = 1, .valid_ms = 60000};
    struct queue_decision d;
    (void)state;
    for (int settled = 0; settled < 2; settled++) {
        struct queue *q = queue_new(&small, 0);
        struct queue_entry e[] = {{1, 0, STREAM_NOTIFICATION, "a", "idle.test", 0, 3600000},
                                  {2, 0, STREAM_NOTIFICATION, "b", "other.test", 0, 3600000}};
        uint64_t connection = 0;
        bool given_up = false;
        bool rested = false;
        queue_add(q, e, 1, 0);
        for (int64_t now_ms = 0; now_ms < 20000; now_ms += 100)
            while (queue_decide(q, &d, now_ms)) {
                if (d.kind == QUEUE_RESOLVE)
                    queue_resolved(q, d.domain, &answer, now_ms);
                if (d.kind == QUEUE_OPEN && connection == 0) {
                    connection = d.connection;
                    if (settled)
                        queue_gave_back(q, d.attempt, 3000000, now_ms);
                    queue_add(q, &e[1], 1, now_ms);
                    answer.hosts = others;
                } else if (d.kind == QUEUE_CLOSE && d.connection == connection) {
                    given_up = given_up || d.reason == QUEUE_GIVEN_UP;
                    queue_connection_closed(q, d.connection, now_ms);
                }
                rested = rested || (d.kind == QUEUE_EVENT && strstr(d.destination, "mx.idle.test") && d.rest_ms > 0);
            }
        assert_true(given_up);
        assert_int_equal(rested, !settled);
        answer.hosts = hosts;
        queue_free(q);
    }
}

static void ten_thousand_mute_domains_keep_nobody_elses_from_being_looked_up(void **state)
{
    static const struct stage_domain domains[] = {{.name = "mute*", .mute = true}, {0}};
    struct stage *s = stage_new(&settings, domains, NULL);
    char name[40];
    (void)state;
    for (int64_t m = 1; m <= 10000; m++) {
        name_of(name, sizeof(name), "mute", (size_t)m);
        stage_add(s, m, "a", name, STREAM_NOTIFICATION);
    }
    stage_add(s, 10001, "b", "well.test", STREAM_DIGEST);
    stage_add(s, 10002, "a", "good.test", STREAM_SECURITY);
    assert_true(stage_run_until(s, 10001, 10002, 60000) < 500);
    stage_run(s, 30000);
    stage_add(s, 10003, "b", "fine.test", STREAM_DIGEST);
    stage_add(s, 10004, "c", "nice.test", STREAM_SECURITY);
    assert_true(stage_run_until(s, 10003, 10004, 60000) < 500);
    stage_free(s);
}

static void retry(struct queue *q, int64_t now_ms)
{
    queue_resume_domain(q, "down.test", now_ms);
}

static void reload(struct queue *q, int64_t now_ms)
{
    queue_resume(q, NULL, now_ms);
}

static void by_name(struct queue *q, int64_t now_ms)
{
    queue_resume(q, "mx.down.test:25", now_ms);
}

static void of_host(struct queue *q, int64_t now_ms)
{
    queue_resume_host_of(q, "mx.down.test:25", now_ms);
}

static void a_rest_ends_when_a_person_says_retry(void **state)
{
    static struct stage_server servers[] = {{.host = "mx.down.test", .kind = SERVER_REFUSES}, {0}};
    static const char *const lines[] = {"0.0  mx.down.test:25 rests: no answer",
                                        "5.0  mx.down.test:25 rests: no answer",
                                        "15.1  mx.down.test:25 rests: no answer",
                                        "20.0  OPEN mx.down.test:25 for 4",
                                        "20.0  4 goes to down.test",
                                        "20.0  mx.down.test:25 is back: no answer"};
    struct stage *s = stage_new(&settings, NULL, servers);
    (void)state;
    servers[0].kind = SERVER_REFUSES;
    for (int64_t m = 1; m <= 9; m++)
        stage_add(s, m, "a", "down.test", STREAM_NOTIFICATION);
    stage_run(s, 20000);
    assert_int_equal(s->deferred, 3); /* the others wait, and are told nothing */
    servers[0].kind = SERVER_GOOD;
    queue_resume_domain(s->queue, "down.test", s->now_ms);
    stage_run(s, 1000);
    stage_expect(s, lines, COUNT_OF(lines));
    assert_int_equal(s->delivered, 6);
    stage_free(s);
}

/* The kind: said to be back because somebody has asked, though nothing works. */
static void what_is_only_tried_again_is_not_said_to_be_back(void **state)
{
    static struct stage_server servers[] = {{.host = "mx.down.test"}, {0}};
    static const struct {
        const char *label;
        void (*ask)(struct queue *q, int64_t now_ms);
    } rows[] = {{"queue retry", retry}, {"a reload", reload}, {"destination resume", by_name}, {"of its host", of_host}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct stage *s = stage_new(&settings, NULL, servers);
        servers[0].kind = SERVER_REFUSES;
        for (int64_t m = 1; m <= 9; m++)
            stage_add(s, m, "a", "down.test", STREAM_NOTIFICATION);
        stage_run(s, 20000);
        for (unsigned times = 0; times < 2; times++) {
            rows[i].ask(s->queue, s->now_ms);
            stage_run(s, 1000);
        }
        EXPECT(!strstr(s->trace, "is back") && s->delivered == 0, rows[i].label);
        servers[0].kind = SERVER_GOOD;
        rows[i].ask(s->queue, s->now_ms);
        stage_run(s, 1000);
        const char *back = strstr(s->trace, "is back");
        EXPECT(back && !strstr(back + 1, "is back") && s->delivered > 0, rows[i].label);
        stage_free(s);
    }
}

static void an_operator_puts_a_destination_to_rest_and_ends_it(void **state)
{
    struct stage *s = stage_new(&settings, NULL, NULL);
    static const char *const lines[] = {"0.0  1 goes to club.test", "1.0  mx.club.test:25 rests: maintenance",
                                        "601.0  mx.club.test:25 is back: maintenance", "601.0  2 goes to club.test"};
    struct queue_destination_view view;
    (void)state;
    stage_add(s, 1, "a", "club.test", STREAM_NOTIFICATION);
    stage_run(s, 1000);
    assert_true(queue_rest(s->queue, "mx.club.test:25", 3600000, "maintenance", s->now_ms));
    assert_false(queue_rest(s->queue, "mx.club.test", 3600000, "maintenance", s->now_ms));
    stage_add(s, 2, "a", "club.test", STREAM_SECURITY);
    stage_run(s, 300000);
    queue_resume(s->queue, NULL, s->now_ms); /* a reload does not end it */
    stage_run(s, 300000);
    assert_true(queue_find_destination(s->queue, "mx.club.test:25", &view, s->now_ms));
    assert_true(view.rests_by_operator);
    assert_int_equal(view.rest_ms, 3000000);
    assert_int_equal(view.waiting_by_class[STREAM_SECURITY], 1);
    assert_string_equal(view.why, "maintenance");
    assert_true(queue_resume(s->queue, "mx.club.test:25", s->now_ms));
    stage_run(s, 1000);
    stage_expect(s, lines, COUNT_OF(lines));
    stage_free(s);
}

static void whoever_waits_for_a_resting_destination_is_told_when_his_time_is_over(void **state)
{
    static const struct stage_server servers[] = {{.host = "mx.down.test", .kind = SERVER_REFUSES}, {0}};
    static const char *const lines[] = {"0.0  mx.down.test:25 rests: no answer", "8.0  SETTLE 3: waited for mx.down.test:25, which has rested for 7 s: no answer"};
    struct stage *s = stage_new(&settings, NULL, servers);
    struct queue_entry e = {.tenant = "a", .domain = "down.test", .class = STREAM_SECURITY, .expires_ms = 8000};
    (void)state;
    for (e.message = 1; e.message <= 3; e.message++)
        stage_add_entry(s, e);
    stage_run(s, 20000);
    stage_expect(s, lines, COUNT_OF(lines));
    struct queue_counts n;
    queue_count(s->queue, &n, s->now_ms);
    assert_int_equal(n.ready, 0);
    stage_free(s);
}

static void recipients_of_one_message_go_together(void **state)
{
    struct stage *s = stage_new(&settings, NULL, NULL);
    static const char *const lines[] = {"0.0  1 goes to club.test"};
    struct queue_entry e = {.message = 1, .tenant = "a", .domain = "club.test", .expires_ms = 3600000};
    (void)state;
    for (e.number = 0; e.number < 250; e.number++)
        stage_add_entry(s, e);
    stage_run(s, 1000);
    stage_expect(s, lines, COUNT_OF(lines));
    assert_int_equal(s->delivered, 250);
    assert_int_equal(s->begun, 3);
    stage_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_hundred_hung_servers_leave_the_others_what_they_had),
        cmocka_unit_test(more_hung_servers_than_places_are_given_up),
        cmocka_unit_test(a_provider_with_three_hundred_domains_that_hangs_holds_three_connections),
        cmocka_unit_test(dead_hosts_of_a_provider_leave_its_others_alone),
        cmocka_unit_test(places_go_to_who_has_fewest_at_the_next_message),
        cmocka_unit_test(hosts_of_one_provider_take_turns),
        cmocka_unit_test(what_is_added_again_while_it_is_under_way_is_looked_at_again),
        cmocka_unit_test(what_is_added_again_elsewhere_goes_there),
        cmocka_unit_test(until_one_has_greeted_a_destination_opens_one),
        cmocka_unit_test(a_code_behind_a_newsletter_over_four_hundred_domains_of_one_host_is_next),
        cmocka_unit_test(tenants_take_turns),
        cmocka_unit_test(urgency_counts_over_all_domains),
        cmocka_unit_test(what_was_given_up_begins_at_another_host),
        cmocka_unit_test(connections_are_spread_over_shards),
        cmocka_unit_test(mail_for_a_verified_route_has_connections_of_its_own),
        cmocka_unit_test(what_a_policy_puts_to_rest_is_that_policys),
        cmocka_unit_test(many_names_for_one_machine_share_its_limit),
        cmocka_unit_test(names_for_one_machine_take_turns),
        cmocka_unit_test(a_server_that_takes_two_connections_gets_two_and_nothing_is_deferred),
        cmocka_unit_test(a_blackholed_first_host_costs_two_seconds_once),
        cmocka_unit_test(who_waits_for_a_full_address_is_not_blamed),
        cmocka_unit_test(what_carries_nothing_is_given_up_without_blame),
        cmocka_unit_test(ten_thousand_mute_domains_keep_nobody_elses_from_being_looked_up),
        cmocka_unit_test(a_rest_ends_when_a_person_says_retry),
        cmocka_unit_test(what_is_only_tried_again_is_not_said_to_be_back),
        cmocka_unit_test(an_operator_puts_a_destination_to_rest_and_ends_it),
        cmocka_unit_test(whoever_waits_for_a_resting_destination_is_told_when_his_time_is_over),
        cmocka_unit_test(recipients_of_one_message_go_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
