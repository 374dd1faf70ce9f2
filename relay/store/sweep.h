// SPDX-License-Identifier: BSD-2-Clause
/* sweep.h - Inside the store: forgetting old rows. A fault is in the log. */
#ifndef SWEEP_H
#define SWEEP_H

#include "db.h"

/* Run what forgets old rows: true when some are gone. */
bool sweep_rows(struct database *db, struct rows *s);

/* A step through a table of keys: `forget` looks at the 20,000 behind `cursor`, `after` finds the
 * last of them. True when there are more. */
bool sweep_keys(struct database *db, enum sql after, enum sql forget, struct sweep_cursor *cursor,
                int64_t before);

#endif
