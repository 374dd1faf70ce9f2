// SPDX-License-Identifier: BSD-2-Clause
/* intray.h - What waits for the store: put in from any thread, taken out in batches by its own. */
#ifndef INTRAY_H
#define INTRAY_H

#include "store.h"

#include <pthread.h>

struct intray {
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t wake;
    struct store_job *first, **last;
    size_t waiting; /* jobs in the list */
    size_t urgent;  /* those of them that somebody waits for */
    size_t crowd;   /* how many are expected to come together */
    bool stopping;
};

void intray_init(struct intray *t);
void intray_fini(struct intray *t);

/* Takes `job`; from any thread. */
void intray_put(struct intray *t, struct store_job *job);
/* No more is coming: intray_take() waits no longer. From any thread. */
void intray_stop(struct intray *t);

/* Up to `max` jobs. Waits for the first, at most `wait_ms`: then it is time to look around, and
 * the answer is NULL. NULL with `stopping_r`: that was all. */
struct store_job *intray_take(struct intray *t, size_t max, int64_t wait_ms, bool *stopping_r);

/* clock_follow(), with all that waits moved along. Returns the step. */
int64_t intray_follow_clock(struct intray *t);

#endif
