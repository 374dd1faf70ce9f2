// SPDX-License-Identifier: BSD-2-Clause
/* jobs.h - Lists of jobs on the store's thread. */
#ifndef JOBS_H
#define JOBS_H

#include "store.h"

/* Cut `list` after at most `max` jobs; returns what is left. */
struct store_job *jobs_cut(struct store_job *list, size_t max);

/* Is there one that the database does not take for what it is? */
bool jobs_have_bad(const struct store_job *list);

/* The clock has been set: what they say is due, was created or expires so much later. */
void jobs_move(struct store_job *list, int64_t step_ms);

#endif
