// SPDX-License-Identifier: BSD-2-Clause
/* access.h - The last look at a credential, in the transaction that accepts its message. */
#ifndef ACCESS_H
#define ACCESS_H

#include "store_jobs.h"

/* May its message be accepted? Else its result is STORE_STALE, and a->refusal says why. False: that
 * cannot be found out. */
MUST_CHECK bool access_check(struct database *db, struct directory *directory,
                             struct store_accept *a, struct err *err);

#endif
