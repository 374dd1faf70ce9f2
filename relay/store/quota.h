// SPDX-License-Identifier: BSD-2-Clause
/* quota.h - Inside the store: a tenant's part of what all share, so that what cannot be delivered
 * takes the disk and the memory from nobody else. */
#ifndef QUOTA_H
#define QUOTA_H

#include "store_jobs.h"

/* May a->mail be stored, and its recipients wait, beside what its tenant and the others have, by
 * a->room? Else a->refusal says why not. */
MUST_CHECK bool quota_allow(struct database *db, struct store_accept *a, struct err *err);
/* Has a tenant not used up its share of the events? */
MUST_CHECK bool quota_allows_event(struct database *db, const struct database_room *room,
                                   const char *tenant, bool *may_r, struct err *err);

/* What a tenant has in the outbox, and may have of what that of all may be (0: any number). */
struct quota_use {
    uint64_t bytes, limit;
};
MUST_CHECK bool quota_of_outbox(struct database *db, uint64_t all, const char *tenant,
                                struct quota_use *use_r, struct err *err);

/* The setting that a share is of; `own`: each tenant's own. */
const char *quota_setting(enum database_share kind, bool own);

#endif
