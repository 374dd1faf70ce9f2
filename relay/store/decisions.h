// SPDX-License-Identifier: BSD-2-Clause
/* decisions.h - Inside the store: who of a message's recipients gets it. */
#ifndef DECISIONS_H
#define DECISIONS_H

#include "store.h"

/* Decide about each recipient of job->mail, in the transaction that accepts it: fills
 * job->decisions, and job->refusal or job->repeats when nobody is left. */
MUST_CHECK bool decisions_make(struct database *db, struct store_job *job, int64_t now_ms,
                               struct err *err);

#endif
