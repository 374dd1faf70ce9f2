// SPDX-License-Identifier: BSD-2-Clause
/* rates.h - Inside the store: the throttle's buckets as rows, read and charged in the transaction
 * that accepts the message. */
#ifndef RATES_H
#define RATES_H

#include "rows.h"

/* Decide about each recipient of job->mail: fills job->decisions, and job->refusal when nobody is
 * left. In observe mode everybody passes. */
MUST_CHECK bool rates_decide(struct database *db, struct store_job *job, int64_t now_ms,
                             struct err *err);

/* Forget some of the buckets that are as if never used, beginning behind the last ones looked at;
 * true when there are more. */
bool rates_sweep(struct database *db, int64_t now_ms);

/* The same for repetitions that would no longer be known as such. */
bool rates_forget_once(struct database *db, int64_t now_ms);

#endif
