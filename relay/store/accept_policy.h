// SPDX-License-Identifier: BSD-2-Clause
/* accept_policy.h - Inside the store: who of a message's recipients gets it. */
#ifndef ACCEPT_POLICY_H
#define ACCEPT_POLICY_H

#include "store.h"

/* Decide about each recipient of job->mail, in the transaction that accepts it: fills
 * job->decisions, and job->refusal or job->is_duplicate when nobody is left. */
MUST_CHECK bool accept_policy_decide(struct database *db, struct store_job *job, int64_t now_ms,
                                     struct err *err);

#endif
