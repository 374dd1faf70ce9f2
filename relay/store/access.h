// SPDX-License-Identifier: BSD-2-Clause
/* access.h - The last look at a credential, in the transaction that accepts its message. */
#ifndef ACCESS_H
#define ACCESS_H

#include "store.h"

/* May its message be accepted? `accounts`: store_accounts() now. Else job->refusal says why not. */
bool access_allows(struct database *db, struct store_job *job, uint64_t accounts);

#endif
