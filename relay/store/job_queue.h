// SPDX-License-Identifier: BSD-2-Clause
/* job_queue.h - What waits for the store: put in from any thread, taken out in batches by its
 * own. */
#ifndef JOB_QUEUE_H
#define JOB_QUEUE_H

#include "job_turns.h"

#include <pthread.h>

struct job_queue {
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t wake;
    struct job *first, **last;
    size_t waiting; /* jobs in the list and by turns */
    size_t urgent;  /* those of them that somebody waits for */
    size_t crowd;   /* how many are expected to come together */
    size_t wanted;  /* how many the thread that takes waits for */
    bool accepted;  /* the last batch had somebody who waited: outcomes of it come soon */
    bool stopping;

    /* Of the thread that takes. */
    struct job_turns turns;      /* what was more than a batch */
    const struct shares *shares; /* who is told of whose mail (job_weight.h); NULL: nobody */
};

void job_queue_init(struct job_queue *q);
void job_queue_fini(struct job_queue *q);

/* Takes `job`; from any thread. */
void job_queue_put(struct job_queue *q, struct job *job);
/* No more is coming: job_queue_take() waits no longer. From any thread. */
void job_queue_stop(struct job_queue *q);

/* Up to `max` jobs, and no more work than a batch may be (jobs.h): in the order in which they were
 * put, or, where more wait, by turns (job_turns.h). Waits for the first, at most `wait_ms`: then it
 * is time to look around, and the answer is NULL. NULL with `stopping_r`: that was all. */
struct job *job_queue_take(struct job_queue *q, size_t max, int64_t wait_ms, bool *stopping_r);

/* Does somebody wait for an answer? From any thread. */
bool job_queue_is_waited_for(struct job_queue *q);

/* clock_follow(), with all that waits moved along; on the thread that takes. Returns the step. */
int64_t job_queue_follow_clock(struct job_queue *q);

#endif
