// SPDX-License-Identifier: BSD-2-Clause
/* accept_policy.h - Inside the store: who of a message's recipients gets it. */
#ifndef ACCEPT_POLICY_H
#define ACCEPT_POLICY_H

#include "store_jobs.h"

/* Decide about each recipient of a->mail, in the transaction that accepts it: fills
 * a->decisions, and, when nobody is left, its result and refusal. */
MUST_CHECK bool accept_policy_decide(struct database *db, struct store_accept *a, int64_t now_ms,
                                     struct err *err);

#endif
