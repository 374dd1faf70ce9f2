// SPDX-License-Identifier: BSD-2-Clause
/* job_queue_test.c - What waits for the store: in order, none lost, nobody kept waiting who is
 * waited for. */
#include "table.h"

#include "clock.h"
#include "job_queue.h"
#include "jobs.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

enum { SLOW_MS = 2000 }; /* what a busy machine may add */

static struct store_job *make(int64_t number)
{
    struct store_job *job = store_job_new(store_job_free, NULL);
    job->report_of = number;
    return job;
}

static struct store_job *make_outcome(int64_t number)
{
    struct store_job *job = make(number);
    store_job_add_outcome(job);
    return job;
}

/* Take and free; the first number is `from`, and they go up. */
static size_t take(struct job_queue *q, size_t max, int64_t wait_ms, int64_t from, bool *stopping_r)
{
    size_t count = 0;
    for (struct store_job *job = job_queue_take(q, max, wait_ms, stopping_r), *next = NULL; job; job = next) {
        next = job->next;
        assert_int_equal(job->report_of, from + (int64_t)count++);
        store_job_free(job);
    }
    return count;
}

static void in_order_and_no_more_than_asked(void **state)
{
    struct job_queue q;
    bool stopping = true;
    (void)state;
    job_queue_init(&q);
    for (int64_t i = 0; i < 100; i++)
        job_queue_put(&q, i % 3 ? make(i) : make_outcome(i));
    for (int64_t from = 0; from < 100; from += 30)
        assert_int_equal(take(&q, 30, 0, from, &stopping), from < 90 ? 30 : 10);
    assert_false(stopping);
    assert_int_equal(take(&q, 30, 1, 0, &stopping), 0);
    assert_true(q.waiting == 0 && q.urgent == 0 && !q.first);
    job_queue_put(&q, make(7)); /* and it can be used again */
    assert_int_equal(take(&q, 30, 1000, 7, &stopping), 1);
    job_queue_fini(&q);
}

static void who_waits_for_nothing_comes_back(void **state)
{
    struct job_queue q;
    bool stopping = true;
    (void)state;
    job_queue_init(&q);
    int64_t began_ms = clock_steady_ms();
    assert_int_equal(take(&q, 10, 30, 0, &stopping), 0);
    assert_in_range(clock_steady_ms() - began_ms, 29, 30 + SLOW_MS);
    assert_false(stopping);
    job_queue_fini(&q);
}

/* Whoever stops still hands out what is there, at once, and then says that it was all. */
static void a_stop_loses_nothing(void **state)
{
    struct job_queue q;
    bool stopping = false;
    (void)state;
    job_queue_init(&q);
    for (int64_t i = 0; i < 5; i++)
        job_queue_put(&q, make_outcome(i));
    job_queue_stop(&q);
    int64_t began_ms = clock_steady_ms();
    assert_int_equal(take(&q, 3, 60 * 1000, 0, &stopping), 3);
    assert_true(stopping);
    assert_int_equal(take(&q, 3, 60 * 1000, 3, &stopping), 2);
    assert_int_equal(take(&q, 3, 60 * 1000, 0, &stopping), 0);
    assert_true(stopping);
    assert_in_range(clock_steady_ms() - began_ms, 0, SLOW_MS);
    job_queue_fini(&q);
}

/* An outcome alone waits for company, but not long. */
static void outcomes_wait_a_little(void **state)
{
    struct job_queue q;
    bool stopping = false;
    (void)state;
    job_queue_init(&q);
    job_queue_put(&q, make_outcome(0));
    int64_t began_ms = clock_steady_ms();
    assert_int_equal(take(&q, 10, 60 * 1000, 0, &stopping), 1);
    assert_in_range(clock_steady_ms() - began_ms, 5, SLOW_MS);
    job_queue_put(&q, make_outcome(0));
    job_queue_put(&q, make(1)); /* somebody waits for this one */
    assert_int_equal(take(&q, 10, 60 * 1000, 0, &stopping), 2);
    job_queue_fini(&q);
}

enum { THREADS = 4, EACH = 2000 };

struct feeder {
    pthread_t thread;
    struct job_queue *queue;
    int64_t number;
};

static void *feed(void *context)
{
    struct feeder *f = context;
    for (int64_t i = 0; i < EACH; i++)
        job_queue_put(f->queue, i % 5 ? make(f->number * EACH + i) : make_outcome(f->number * EACH + i));
    return NULL;
}

/* From many threads: each thread's jobs come in its order, and all of them. */
static void from_any_thread(void **state)
{
    struct job_queue q;
    struct feeder feeders[THREADS];
    int64_t next[THREADS] = {0};
    size_t left = (size_t)THREADS * EACH;
    bool stopping = false;
    (void)state;
    job_queue_init(&q);
    for (int64_t i = 0; i < THREADS; i++) {
        feeders[i] = (struct feeder){.queue = &q, .number = i};
        assert_int_equal(pthread_create(&feeders[i].thread, NULL, feed, &feeders[i]), 0);
    }
    while (left > 0)
        for (struct store_job *job = job_queue_take(&q, 100, 10 * 1000, &stopping), *after = NULL; job; job = after, left--) {
            int64_t who = job->report_of / EACH;
            assert_int_equal(job->report_of % EACH, next[who]++);
            after = job->next;
            store_job_free(job);
        }
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(feeders[i].thread, NULL);
    assert_true(q.waiting == 0 && q.urgent == 0);
    job_queue_fini(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_order_and_no_more_than_asked),
        cmocka_unit_test(who_waits_for_nothing_comes_back),
        cmocka_unit_test(a_stop_loses_nothing),
        cmocka_unit_test(outcomes_wait_a_little),
        cmocka_unit_test(from_any_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
