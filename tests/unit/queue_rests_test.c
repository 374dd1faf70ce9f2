// SPDX-License-Identifier: BSD-2-Clause
/* queue_rests_test.c - A host that an operator has put to rest keeps destinations that are made later, with that host as
 * one of theirs, until its time is over, or it is resumed. */
#include "queue_stage.h"

#include "queue_state.h"

#include <utlist.h>

static const struct queue_settings settings = {.connections = 40, .shards = 1};

static const struct stage_domain domains[] = {
    {.name = "one.test", .hosts = {"mx.burns.test"}},
    {.name = "two.test", .hosts = {"mx1.two.test", "mx.burns.test"}},
    {.name = "routed.test", .hosts = {"mx.burns.test"}, .route = "verify"},
    {.name = "near.test", .hosts = {"xmx.burns.test"}},
    {.name = "nearer.test", .hosts = {"mx.burns.test.other.test"}},
    {.name = "burns.test", .hosts = {"burns.test"}},
    {0},
};

static bool is_delivered(struct stage *s, const char *domain)
{
    static int64_t message;
    stage_add(s, ++message, "t", domain, STREAM_SECURITY);
    stage_run(s, 5000);
    return s->done_ms[message] >= 0;
}

static void those_that_have_the_host_rest(void **state)
{
    static const struct {
        const char *domain;
        bool rests;
    } rows[] = {{"one.test", true},   {"two.test", true},     {"routed.test", true},
                {"near.test", false}, {"nearer.test", false}, {"burns.test", false}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct stage *s = stage_new(&settings, domains, NULL);
        queue_rest_host(s->queue, "mx.burns.test", 600000, "it burns", s->now_ms);
        EXPECT(is_delivered(s, rows[i].domain) == !rows[i].rests, rows[i].domain);
        EXPECT((strstr(s->trace, "rests: it burns") != NULL) == rows[i].rests, rows[i].domain);
        stage_free(s);
    }
}

static void it_ends_by_its_time_or_by_order(void **state)
{
    struct stage *s = stage_new(&settings, domains, NULL);
    (void)state;
    queue_rest_host(s->queue, "mx.burns.test", 60000, "it burns", s->now_ms);
    assert_true(queue_host_rests(s->queue, "mx.burns.test", s->now_ms));
    assert_false(is_delivered(s, "one.test"));
    stage_run(s, 56000);
    assert_false(queue_host_rests(s->queue, "mx.burns.test", s->now_ms));
    assert_int_equal(s->delivered, 1);
    assert_true(is_delivered(s, "two.test"));
    queue_rest_host(s->queue, "mx.burns.test", 600000, "again", s->now_ms);
    queue_rest_host(s->queue, "mx.burns.test", 0, "", s->now_ms);
    assert_false(queue_host_rests(s->queue, "mx.burns.test", s->now_ms));
    assert_true(is_delivered(s, "routed.test"));
    stage_free(s);
}

/* Of two hosts of one destination, the longer rest counts; a second order takes the place of the first. */
static void the_longest_of_several_counts(void **state)
{
    struct stage *s = stage_new(&settings, domains, NULL);
    struct queue_destination_view view;
    (void)state;
    queue_rest_host(s->queue, "mx.burns.test", 600000, "first", s->now_ms);
    queue_rest_host(s->queue, "mx.burns.test", 20000, "shorter", s->now_ms);
    queue_rest_host(s->queue, "mx1.two.test", 40000, "longer", s->now_ms);
    assert_false(is_delivered(s, "two.test"));
    assert_true(queue_find_destination(s->queue, "mx.burns.test,mx1.two.test:25", &view, s->now_ms));
    assert_string_equal(view.why, "longer");
    assert_true(view.rests_by_operator);
    stage_run(s, 30000);
    assert_int_equal(s->delivered, 0);
    stage_run(s, 10000);
    assert_int_equal(s->delivered, 1);
    stage_free(s);
}

/* And what follows from it. */
static void rest_host(struct stage *s, const char *host, int64_t for_ms, const char *why)
{
    queue_rest_host(s->queue, host, for_ms, why, s->now_ms);
    stage_run(s, 0);
}

/* What is known of the destination of two hosts. */
static void expect_two(const struct stage *s, int64_t rest_ms, const char *why)
{
    struct queue_destination_view view;
    assert_true(queue_find_destination(s->queue, "mx.burns.test,mx1.two.test:25", &view, s->now_ms));
    if (view.rest_ms != rest_ms || strcmp(view.why, why) != 0)
        fail_msg("%s: rests for %lld ms: %s", why, (long long)view.rest_ms, view.why);
    assert_int_equal(view.rests_by_operator, rest_ms > 0);
}

/* The kind of fault: of two orders about one thing the later undoes the other, which nobody has ended. */
static void orders_do_not_undo_each_other(void **state)
{
    static const char name[] = "mx.burns.test,mx1.two.test:25";
    struct stage *s = stage_new(&settings, domains, NULL);
    (void)state;
    assert_true(is_delivered(s, "two.test"));
    rest_host(s, "mx.burns.test", 600000, "burns");
    expect_two(s, 600000, "burns");
    rest_host(s, "mx1.two.test", 60000, "two");
    expect_two(s, 600000, "burns");
    assert_true(queue_rest(s->queue, name, 30000, "itself", s->now_ms));
    stage_run(s, 0);
    expect_two(s, 600000, "burns");
    rest_host(s, "mx.burns.test", 0, "");
    expect_two(s, 60000, "two");
    assert_true(queue_resume_host_of(s->queue, name, s->now_ms)); /* and what it rests by its name */
    expect_two(s, 60000, "two");
    rest_host(s, "mx1.two.test", 10000, "shorter"); /* its own order anew */
    expect_two(s, 10000, "shorter");
    assert_true(queue_rest(s->queue, name, 120000, "itself", s->now_ms));
    stage_run(s, 0);
    rest_host(s, "mx1.two.test", 0, "");
    expect_two(s, 120000, "itself");
    assert_false(is_delivered(s, "two.test"));
    rest_host(s, "mx1.two.test", 600000, "two");
    assert_true(queue_resume(s->queue, name, s->now_ms)); /* by its name: whatever it was */
    assert_true(is_delivered(s, "two.test"));
    stage_free(s);
}

/* One that is there rests, and goes on at once when the last order is ended. */
static void one_that_is_there_rests_and_goes_on(void **state)
{
    struct stage *s = stage_new(&settings, domains, NULL);
    (void)state;
    assert_true(is_delivered(s, "one.test"));
    rest_host(s, "mx.burns.test", 600000, "burns");
    assert_false(is_delivered(s, "one.test"));
    rest_host(s, "mx.burns.test", 0, "");
    stage_run(s, 1000);
    assert_int_equal(s->delivered, 2);
    assert_non_null(strstr(s->trace, "mx.burns.test:25 is back"));
    stage_free(s);
}

/* One that nothing leads to is not said to be tried again when mail leads there later. */
static void one_of_no_use_is_ended_silently(void **state)
{
    struct stage *s = stage_new(&settings, domains, NULL);
    (void)state;
    stage_run(s, 1000);
    queue_rest_again(s->queue, "mx.burns.test:25", 600000, "burns", s->now_ms);
    assert_true(queue_resume_host_of(s->queue, "mx.burns.test:25", s->now_ms));
    assert_true(is_delivered(s, "one.test"));
    assert_null(strstr(s->trace, "is back"));
    stage_free(s);
}

/* What is over is forgotten, also while no destination is made. */
static void what_is_over_is_forgotten(void **state)
{
    struct stage *s = stage_new(&settings, domains, NULL);
    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        const struct host_rest *r = NULL;
        char host[40];
        size_t count = 0;
        snprintf(host, sizeof(host), "mx%u.other.test", i);
        rest_host(s, host, 10000, "again and again");
        stage_run(s, 1000);
        DL_COUNT(s->queue->host_rests, r, count);
        assert_true(count <= 10);
    }
    stage_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(those_that_have_the_host_rest),
        cmocka_unit_test(it_ends_by_its_time_or_by_order),
        cmocka_unit_test(the_longest_of_several_counts),
        cmocka_unit_test(orders_do_not_undo_each_other),
        cmocka_unit_test(one_that_is_there_rests_and_goes_on),
        cmocka_unit_test(one_of_no_use_is_ended_silently),
        cmocka_unit_test(what_is_over_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
