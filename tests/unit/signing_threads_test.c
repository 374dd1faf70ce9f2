// SPDX-License-Identifier: BSD-2-Clause
/* signing_threads_test.c - When a signature leaves its loop: never where that gains nothing, or costs others. */
#include "table.h"

#include "signing_threads.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

enum { SHORT = 100, LONG = 100000, MS = 1000 * 1000 };

struct work {
    struct signing_job job;
    unsigned compute_ms, wait_ms;
    pthread_t by;
    atomic_bool done;
};

static int64_t computed_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000 * MS + t.tv_nsec;
}

static void compute(struct signing_job *job)
{
    struct work *w = OWNER_OF(job, struct work, job);
    int64_t until_ns = computed_ns() + (int64_t)w->compute_ms * MS;
    while (computed_ns() < until_ns)
        ;
    struct timespec wait = {.tv_nsec = (long)w->wait_ms * MS};
    nanosleep(&wait, NULL);
    w->by = pthread_self();
}

static void on_done(struct signing_job *job)
{
    atomic_store(&OWNER_OF(job, struct work, job)->done, true);
}

static void make(struct work *w, size_t length, unsigned compute_ms, unsigned wait_ms)
{
    w->job = (struct signing_job){.run = compute, .done = on_done, .length = length};
    w->compute_ms = compute_ms;
    w->wait_ms = wait_ms;
    atomic_store(&w->done, false);
}

static struct signing_threads *start(unsigned cores)
{
    struct signing_threads *t = NULL;
    struct err err = {0};
    assert_true(signing_threads_new(cores, &t, &err));
    usleep(100 * 1000); /* its threads wait */
    return t;
}

/* What others of that length will need is known then. */
static void learn(struct signing_threads *t, size_t length, unsigned compute_ms)
{
    struct work w;
    make(&w, length, compute_ms, 0);
    signing_threads_sign_here(t, &w.job);
    assert_true(pthread_equal(w.by, pthread_self()));
    assert_false(atomic_load(&w.done));
}

/* Until the end, if it is taken. On a busy machine one is kept waiting by others, and the next not taken: it is tried again. */
static bool taken(struct signing_threads *t, size_t length, unsigned compute_ms, unsigned wait_ms, unsigned tries)
{
    struct work w;
    make(&w, length, compute_ms, wait_ms);
    while (!signing_threads_take(t, &w.job)) {
        if (--tries == 0)
            return false;
        usleep(20 * 1000);
    }
    while (!atomic_load(&w.done))
        usleep(1000);
    assert_false(pthread_equal(w.by, pthread_self()));
    return true;
}

enum { ONCE = 1, SOON = 200 };

static void only_what_computes_for_long_is_handed_over(void **state)
{
    struct signing_threads *t = start(2);
    (void)state;
    signing_threads_awake(t);
    EXPECT(!taken(t, LONG, 20, 0, ONCE), "nothing is known of that length");
    learn(t, SHORT, 0);
    learn(t, LONG, 20);
    EXPECT(!taken(t, SHORT, 0, 0, ONCE), "a short one");
    EXPECT(taken(t, LONG, 20, 0, SOON), "a long one");
    signing_threads_free(t);
}

static void nothing_is_handed_over_without_a_free_core(void **state)
{
    struct signing_threads *t = start(1);
    (void)state;
    learn(t, LONG, 20);
    EXPECT(!taken(t, LONG, 20, 0, ONCE), "one core");
    signing_threads_free(t);
    t = start(2);
    learn(t, LONG, 20);
    signing_threads_awake(t);
    signing_threads_awake(t);
    EXPECT(!taken(t, LONG, 20, 0, ONCE), "both loops are awake");
    signing_threads_asleep(t);
    EXPECT(taken(t, LONG, 20, 0, SOON), "one loop sleeps");
    signing_threads_free(t);
}

/* Others may have the machine's cores: then a thread is kept waiting, whoever of ours is awake. */
static void nothing_is_handed_over_for_a_while_after_one_was_kept_waiting(void **state)
{
    struct signing_threads *t = start(2);
    (void)state;
    signing_threads_awake(t);
    learn(t, LONG, 5);
    bool refused = false;
    for (int i = 0; i < 5 && !refused; i++) { /* a busy machine may let the while pass */
        EXPECT(taken(t, LONG, 5, 200, SOON), "one that waits");
        refused = !taken(t, LONG, 5, 0, ONCE);
    }
    EXPECT(refused, "right afterwards");
    EXPECT(taken(t, LONG, 5, 0, SOON), "later");
    signing_threads_free(t);
}

/* The last one that was taken is done before the threads end. */
static void what_was_taken_is_done(void **state)
{
    struct signing_threads *t = start(2);
    struct work first;
    struct work second;
    (void)state;
    learn(t, LONG, 20);
    make(&first, LONG, 20, 0);
    make(&second, LONG, 20, 0);
    assert_true(signing_threads_take(t, &first.job));
    EXPECT(!signing_threads_take(t, &second.job), "no thread waits");
    signing_threads_free(t);
    assert_true(atomic_load(&first.done));
    signing_threads_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(only_what_computes_for_long_is_handed_over),
                                       cmocka_unit_test(nothing_is_handed_over_without_a_free_core),
                                       cmocka_unit_test(nothing_is_handed_over_for_a_while_after_one_was_kept_waiting),
                                       cmocka_unit_test(what_was_taken_is_done)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
