// SPDX-License-Identifier: BSD-2-Clause
/* queue_rows.h - Inside the store: all that waits, moved with the clock. What reads it is in
 * database.h. */
#ifndef QUEUE_ROWS_H
#define QUEUE_ROWS_H

#include "database.h"

/* A transaction of its own: everything in the queue was created, is due and expires so much later.
 */
MUST_CHECK bool rows_move(struct database *db, int64_t step_ms, struct err *err);

/* Why the recipient with this index, which is there, has not gone at once: for people, until a
 * server has said something. */
MUST_CHECK bool rows_waits_for(struct database *db, const struct mail *m, size_t i, const char *why,
                               struct err *err);

#endif
