// SPDX-License-Identifier: BSD-2-Clause
/* quota.h - Inside the store: a tenant's part of the room for mail, so that what cannot be
 * delivered takes the disk from nobody else. */
#ifndef QUOTA_H
#define QUOTA_H

#include "store.h"

/* May job->mail be stored beside what its tenant and the others have, by job->room? Else
 * job->refusal says why not. */
MUST_CHECK bool quota_allow(struct database *db, struct store_job *job, struct err *err);

#endif
