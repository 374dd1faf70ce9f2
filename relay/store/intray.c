// SPDX-License-Identifier: BSD-2-Clause
/* intray.c - A locked list, and how long to wait for more of it.
 *
 * A commit costs nearly the same for one job and for thirty, so waiting can be worth it: but only
 * for those who are likely to come. Who came together last time has been answered together, and
 * comes back together.
 *
 * Nobody waits for an outcome: its connection has gone on. So outcomes alone wait a little for a
 * message that is accepted, whose commit takes them along.
 */
#include "intray.h"

#include "clock.h"
#include "jobs.h"

#include <errno.h>
#include <time.h>

enum {
    CROWD_MIN = 3, /* fewer are no crowd, and nobody is waited for */
    CROWD_SMALL = 12,
    CROWD_MAX = 32,
    CROWD_STEP_MS = 1,
    CROWD_STEPS = 2,
    OUTCOME_WAIT_MS = 10
};

void intray_init(struct intray *t)
{
    pthread_condattr_t monotonic;
    *t = (struct intray){.crowd = 1};
    t->last = &t->first;
    pthread_mutex_init(&t->mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC); /* the wall clock may jump */
    pthread_cond_init(&t->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

void intray_fini(struct intray *t)
{
    pthread_mutex_destroy(&t->mutex);
    pthread_cond_destroy(&t->wake);
}

/* The clock may have been set since the job's times were made, and what waits here was moved. */
static void catch_up(struct store_job *job)
{
    int64_t step_ms = job->offset_ms != 0 ? clock_offset_ms() - job->offset_ms : 0;
    if (step_ms > CLOCK_STEP_MS || step_ms < -CLOCK_STEP_MS)
        jobs_move(job, step_ms);
}

static bool is_urgent(const struct store_job *job)
{
    return job->mail || job->run || job->outcome_count == 0;
}

void intray_put(struct intray *t, struct store_job *job)
{
    job->next = NULL;
    pthread_mutex_lock(&t->mutex);
    catch_up(job);
    *t->last = job;
    t->last = &job->next;
    t->waiting++;
    t->urgent += is_urgent(job);
    if (t->waiting == 1 || t->waiting == t->crowd || t->waiting == CROWD_MAX ||
        (is_urgent(job) && t->urgent == 1))
        pthread_cond_signal(&t->wake);
    pthread_mutex_unlock(&t->mutex);
}

void intray_stop(struct intray *t)
{
    pthread_mutex_lock(&t->mutex);
    t->stopping = true;
    pthread_cond_signal(&t->wake);
    pthread_mutex_unlock(&t->mutex);
}

static struct timespec in_ms(int64_t ms)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    int64_t ns = t.tv_nsec + ms % 1000 * 1000000;
    t.tv_sec += ms / 1000 + ns / 1000000000;
    t.tv_nsec = ns % 1000000000;
    return t;
}

/* Until that many wait, or the time is over. */
static void wait_for(struct intray *t, size_t count, int64_t ms)
{
    const struct timespec until = in_ms(ms);
    while (t->waiting < count && !t->stopping)
        if (pthread_cond_timedwait(&t->wake, &t->mutex, &until) == ETIMEDOUT)
            return;
}

/* Until somebody waits for an answer, or there are many outcomes, or the time is over. */
static void wait_for_company(struct intray *t)
{
    const struct timespec until = in_ms(OUTCOME_WAIT_MS);
    while (t->waiting > 0 && t->urgent == 0 && t->waiting < CROWD_MAX && !t->stopping)
        if (pthread_cond_timedwait(&t->wake, &t->mutex, &until) == ETIMEDOUT)
            return;
}

/* Let the crowd gather, as long as it grows and for 2 ms at most. */
static void wait_for_crowd(struct intray *t)
{
    size_t before = 0;
    for (int i = 0; i < CROWD_STEPS && t->waiting < t->crowd && t->waiting > before; i++) {
        before = t->waiting;
        wait_for(t, t->crowd, CROWD_STEP_MS);
    }
}

/* As many as last time; a small crowd is hoped to grow. */
static size_t expected(size_t last)
{
    if (last < CROWD_MIN)
        return 1;
    return last < CROWD_SMALL ? CROWD_SMALL : last < CROWD_MAX ? last : CROWD_MAX;
}

struct store_job *intray_take(struct intray *t, size_t max, int64_t wait_ms, bool *stopping_r)
{
    size_t count = 0;
    pthread_mutex_lock(&t->mutex);
    wait_for(t, 1, wait_ms);
    wait_for_company(t);
    wait_for_crowd(t);
    struct store_job *batch = t->first;
    t->first = batch ? jobs_cut(batch, max) : NULL;
    if (!t->first)
        t->last = &t->first;
    for (struct store_job *job = batch; job; job = job->next) {
        count++;
        t->urgent -= is_urgent(job);
    }
    t->waiting -= count;
    t->crowd = expected(count);
    *stopping_r = t->stopping;
    pthread_mutex_unlock(&t->mutex);
    return batch;
}

int64_t intray_follow_clock(struct intray *t)
{
    pthread_mutex_lock(&t->mutex);
    int64_t step_ms = clock_follow();
    jobs_move(t->first, step_ms);
    pthread_mutex_unlock(&t->mutex);
    return step_ms;
}
