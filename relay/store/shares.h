// SPDX-License-Identifier: BSD-2-Clause
/* shares.h - How many bytes of mail each tenant has in the queue: nobody's mail that cannot be
 * delivered takes the disk from the others. */
#ifndef SHARES_H
#define SHARES_H

#include "rows.h"

/* May job->mail be stored beside what its tenant has, by job->storage_max? Else job->refusal says
 * why not. */
MUST_CHECK bool shares_allow(struct database *db, struct store_job *job, struct err *err);

/* Stored, or (less than 0) gone. */
void shares_add(struct database *db, const char *tenant, int64_t bytes);
/* Something was undone: count anew when it is needed. */
void shares_forget(struct database *db);

#endif
