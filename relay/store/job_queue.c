// SPDX-License-Identifier: BSD-2-Clause
/* job_queue.c - A locked list of jobs, and how long to wait for more of them.
 *
 * A commit costs nearly the same for one job and for thirty, so waiting can be worth it: but only
 * for those who are likely to come. Who came together last time has been answered together, and
 * comes back together.
 *
 * Nobody waits for an outcome or a note: its connection has gone on. So these alone wait a little
 * for a message that is accepted, whose commit takes them along. The outcome of what has just been
 * accepted comes soon, and does not even wake the thread: it sleeps no longer than that anyway.
 *
 * What fits into one batch is taken in the order in which it was put. What does not is sorted out
 * by tenants, on the thread that takes: so putting costs the same however many wait.
 */
#include "job_queue.h"

#include "clock.h"
#include "job_weight.h"

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

void job_queue_init(struct job_queue *q)
{
    pthread_condattr_t monotonic;
    *q = (struct job_queue){.crowd = 1};
    q->last = &q->first;
    job_turns_init(&q->turns);
    pthread_mutex_init(&q->mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC); /* the wall clock may jump */
    pthread_cond_init(&q->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

void job_queue_fini(struct job_queue *q)
{
    pthread_mutex_destroy(&q->mutex);
    pthread_cond_destroy(&q->wake);
}

/* The clock may have been set since the job's times were made, and what waits here was moved. */
static void catch_up(struct job *job)
{
    int64_t offset_ms = job_offset_ms(job);
    int64_t step_ms = offset_ms != 0 ? clock_offset_ms() - offset_ms : 0;
    if (step_ms > CLOCK_STEP_MS || step_ms < -CLOCK_STEP_MS)
        jobs_move(job, step_ms);
}

static bool is_urgent(const struct job *job)
{
    return job->kind != JOB_SETTLE && (job->kind != JOB_TELL || job->as.any.answer);
}

void job_queue_put(struct job_queue *q, struct job *job)
{
    job->next = NULL;
    pthread_mutex_lock(&q->mutex);
    catch_up(job);
    *q->last = job;
    q->last = &job->next;
    q->waiting++;
    q->urgent += is_urgent(job);
    bool wakes = q->waiting == q->wanted || (is_urgent(job) && q->urgent == 1);
    pthread_mutex_unlock(&q->mutex);
    if (wakes) /* not before: it would wake up only to wait for the mutex */
        pthread_cond_signal(&q->wake);
}

void job_queue_stop(struct job_queue *q)
{
    pthread_mutex_lock(&q->mutex);
    q->stopping = true;
    pthread_cond_signal(&q->wake);
    pthread_mutex_unlock(&q->mutex);
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
static void wait_for(struct job_queue *q, size_t count, int64_t ms)
{
    const struct timespec until = in_ms(ms);
    q->wanted = count;
    while (q->waiting < count && !q->stopping)
        if (pthread_cond_timedwait(&q->wake, &q->mutex, &until) == ETIMEDOUT)
            return;
}

/* Until somebody waits for an answer, or there are many outcomes, or the time is over. */
static void wait_for_company(struct job_queue *q, int64_t ms)
{
    const struct timespec until = in_ms(ms);
    q->wanted = CROWD_MAX;
    while (q->urgent == 0 && q->waiting < CROWD_MAX && !q->stopping)
        if (pthread_cond_timedwait(&q->wake, &q->mutex, &until) == ETIMEDOUT)
            return;
}

/* Until there is something to take. An outcome that has come while others were waited for has
 * waited long enough when that is over. */
static void wait_for_some(struct job_queue *q, int64_t ms)
{
    if (q->accepted)
        wait_for_company(q, ms < OUTCOME_WAIT_MS ? ms : OUTCOME_WAIT_MS);
    if (q->accepted && q->waiting > 0)
        return;
    wait_for(q, 1, ms);
    if (q->waiting > 0)
        wait_for_company(q, OUTCOME_WAIT_MS);
}

/* Let the crowd gather, as long as it grows and for 2 ms at most. */
static void wait_for_crowd(struct job_queue *q)
{
    size_t before = 0;
    for (int i = 0; i < CROWD_STEPS && q->waiting < q->crowd && q->waiting > before; i++) {
        before = q->waiting;
        wait_for(q, q->crowd, CROWD_STEP_MS);
    }
}

/* As many as last time; a small crowd is hoped to grow. */
static size_t expected(size_t last)
{
    if (last < CROWD_MIN)
        return 1;
    return last < CROWD_SMALL ? CROWD_SMALL : last < CROWD_MAX ? last : CROWD_MAX;
}

static struct job *take_list(struct job_queue *q)
{
    struct job *list = q->first;
    q->first = NULL;
    q->last = &q->first;
    return list;
}

/* Without the mutex: nobody who puts waits while many are weighed. */
static struct job *take(struct job_queue *q, struct job *list, size_t max)
{
    struct job *rest = NULL;
    for (struct job *job = list; job; job = job->next)
        job_weigh(job, q->shares);
    if (list && job_turns_is_empty(&q->turns)) {
        rest = jobs_cut(list, max);
        if (!rest)
            return list;
    }
    job_turns_add(&q->turns, list);
    job_turns_add(&q->turns, rest);
    return job_turns_take(&q->turns, max);
}

struct job *job_queue_take(struct job_queue *q, size_t max, int64_t wait_ms, bool *stopping_r)
{
    size_t count = 0;
    size_t urgent = 0;
    pthread_mutex_lock(&q->mutex);
    wait_for_some(q, wait_ms);
    wait_for_crowd(q);
    struct job *list = take_list(q);
    *stopping_r = q->stopping; /* now: what is put after it is not in the list */
    pthread_mutex_unlock(&q->mutex);
    struct job *batch = take(q, list, max);
    for (struct job *job = batch; job; job = job->next) {
        count++;
        urgent += is_urgent(job);
    }
    pthread_mutex_lock(&q->mutex);
    q->urgent -= urgent;
    q->accepted = urgent > 0;
    q->waiting -= count;
    q->crowd = expected(count);
    pthread_mutex_unlock(&q->mutex);
    return batch;
}

bool job_queue_is_waited_for(struct job_queue *q)
{
    pthread_mutex_lock(&q->mutex);
    bool is = q->urgent > 0;
    pthread_mutex_unlock(&q->mutex);
    return is;
}

int64_t job_queue_follow_clock(struct job_queue *q)
{
    pthread_mutex_lock(&q->mutex);
    int64_t step_ms = clock_follow();
    jobs_move(q->first, step_ms);
    job_turns_move(&q->turns, step_ms);
    pthread_mutex_unlock(&q->mutex);
    return step_ms;
}
