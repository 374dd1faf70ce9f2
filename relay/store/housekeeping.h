// SPDX-License-Identifier: BSD-2-Clause
/* housekeeping.h - Keeping the store small. */
#ifndef HOUSEKEEPING_H
#define HOUSEKEEPING_H

#include "database.h"
#include "segments.h"

/* One round, on the store's thread, outside of any transaction. Returns whether there is more to do
 * soon. */
bool housekeeping_run(const char *state_dir, struct database *db, struct segments *segments,
                      int64_t now_ms);

#endif
