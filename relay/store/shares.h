// SPDX-License-Identifier: BSD-2-Clause
/* shares.h - How many bytes of mail each tenant has in the queue: nobody's mail that cannot be
 * delivered takes the disk from the others. */
#ifndef SHARES_H
#define SHARES_H

#include "rows.h"

void shares_fini(struct database *db);

/* May job->mail be stored beside what its tenant and the others have, by job->room? Else
 * job->refusal says why not. */
MUST_CHECK bool shares_allow(struct database *db, struct store_job *job, struct err *err);

/* Stored, or (less than 0) gone. */
void shares_add(struct database *db, const char *tenant, int64_t bytes);
/* The open transaction is committed: what it has added stays. */
void shares_keep(struct database *db);
/* It is rolled back to where it had made so many changes. */
void shares_undo(struct database *db, size_t changes);
/* It has changed who has a credential. */
void shares_forget_tenants(struct database *db);

#endif
