// SPDX-License-Identifier: BSD-2-Clause
/* queue_machines_test.c - Names, hosts and policies that lead to one machine share what it bears, and no blame. In virtual time. */
#include "queue_stage.h"

static const struct queue_settings settings = {.connections = 400, .shards = 4, .per_destination = 10};

static void name_of(char *name, size_t size, const char *prefix, size_t number)
{
    snprintf(name, size, "%s%zu.test", prefix, number);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mail_for_a_verified_route_has_connections_of_its_own),
        cmocka_unit_test(what_a_policy_puts_to_rest_is_that_policys),
        cmocka_unit_test(many_names_for_one_machine_share_its_limit),
        cmocka_unit_test(names_for_one_machine_take_turns),
        cmocka_unit_test(a_server_that_takes_two_connections_gets_two_and_nothing_is_deferred),
        cmocka_unit_test(a_blackholed_first_host_costs_two_seconds_once),
        cmocka_unit_test(who_waits_for_a_full_address_is_not_blamed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
