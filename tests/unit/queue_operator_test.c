// SPDX-License-Identifier: BSD-2-Clause
/* queue_operator_test.c - What a person says of a destination or of mail counts, as soon as it is said. In virtual time. */
#include "queue_stage.h"

static const struct queue_settings settings = {.connections = 400, .shards = 4, .per_destination = 10};

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rest_ends_when_a_person_says_retry),
        cmocka_unit_test(what_is_only_tried_again_is_not_said_to_be_back),
        cmocka_unit_test(an_operator_puts_a_destination_to_rest_and_ends_it),
        cmocka_unit_test(whoever_waits_for_a_resting_destination_is_told_when_his_time_is_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
