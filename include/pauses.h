// SPDX-License-Identifier: BSD-2-Clause
/* pauses.h - Mail that waits as some was refused, as stored in the database. Times are wall-clock
 * times; texts are borrowed for the call. */
#ifndef PAUSES_H
#define PAUSES_H

#include "database.h"
#include "queue_pause.h"

/* In the store's transaction; one that is over goes. */
MUST_CHECK bool database_keep_pause(struct database *db, const struct queue_pause *pause,
                                    struct err *err);
/* Those that were to end before `since_ms` go; of more than 500 the tenant for whom most are kept
 * loses the oldest. */
MUST_CHECK bool database_sweep_pauses(struct database *db, int64_t since_ms, struct err *err);

/* Those that were to end since then. */
MUST_CHECK bool database_pauses(struct database *db, int64_t since_ms, queue_on_pause *on_pause,
                                void *context, struct err *err);

#endif
