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
        cmocka_unit_test(what_carries_nothing_is_given_up_without_blame),
        cmocka_unit_test(ten_thousand_mute_domains_keep_nobody_elses_from_being_looked_up),
        cmocka_unit_test(recipients_of_one_message_go_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
