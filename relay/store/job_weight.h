// SPDX-License-Identifier: BSD-2-Clause
/* job_weight.h - Inside the store: how much work a job is. */
#ifndef JOB_WEIGHT_H
#define JOB_WEIGHT_H

#include "jobs.h"

struct shares;

/* Sets job->work: about how many rows it writes, those of the outbox with them, and bytes counted
 * as the rows that are written in the same time. NULL: nobody is told of anybody's mail. */
void job_weigh(struct job *job, const struct shares *shares);

#endif
