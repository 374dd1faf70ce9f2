// SPDX-License-Identifier: BSD-2-Clause
/* speeds.h - How fast destinations take mail, as stored in the database. Times are wall-clock
 * times; texts are borrowed for the call. */
#ifndef SPEEDS_H
#define SPEEDS_H

#include "database.h"
#include "queue_speed.h"

/* In the store's transaction; one of level 0 goes. */
MUST_CHECK bool database_keep_speed(struct database *db, const struct queue_speed *speed,
                                    struct err *err);
/* Those that were refused last before `since_ms` go; of more than 500 the tenant for whom most are
 * kept loses the oldest. */
MUST_CHECK bool database_sweep_speeds(struct database *db, int64_t since_ms, struct err *err);

/* Those that were refused since then. */
MUST_CHECK bool database_speeds(struct database *db, int64_t since_ms, queue_on_speed *on_speed,
                                void *context, struct err *err);

#endif
