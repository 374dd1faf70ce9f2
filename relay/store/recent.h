// SPDX-License-Identifier: BSD-2-Clause
/* recent.h - Mail as it was accepted a moment ago, for its first delivery. */
#ifndef RECENT_H
#define RECENT_H

#include "jobs.h"

#include <pthread.h>

enum { RECENT_SIZE = 1024, RECENT_WAYS = 8, RECENT_RCPTS_MAX = 8, RECENT_MS = 5000 };

struct recent {
    pthread_mutex_t mutex;           /* guards what follows */
    struct mail *items[RECENT_SIZE]; /* sets of places, by id */
};

void recent_init(struct recent *r);
void recent_fini(struct recent *r);

/* A batch has been committed. What it accepted, and nobody but its delivery will change, is
 * copied; `changed`: rows of mail that is here may have been changed, so that nothing stays. On the
 * store's thread, before the queue is told of the batch. */
void recent_note(struct recent *r, const struct job *jobs, bool changed);
void recent_clear(struct recent *r);

/* Taken out, owned by the caller; NULL: only the database knows. From any thread. */
struct mail *recent_take(struct recent *r, int64_t id);

#endif
