// SPDX-License-Identifier: BSD-2-Clause
/* housekeeping.h - Keeping the store small. */
#ifndef HOUSEKEEPING_H
#define HOUSEKEEPING_H

#include "compaction.h"
#include "disk_notices.h"

/* Tables that old rows go from. */
enum { HOUSEKEEPING_SWEEPS = 6 };

/* When what is next, by the wall clock; all zero at first. */
struct housekeeping {
    int64_t step_ms, shares_ms;
    int64_t sweep_ms[HOUSEKEEPING_SWEEPS]; /* of each, when it looks again */
    int64_t passed; /* events up to this id are dated in the future, and stay */
    struct compaction compaction;
    struct disk_notices disk;
};

/* What is due of it, on the store's thread, outside of any transaction. */
void housekeeping_run(struct housekeeping *h, const char *state_dir, struct database *db,
                      struct segments *segments, int64_t now_ms);
/* Until the next round. */
int64_t housekeeping_wait_ms(const struct housekeeping *h, int64_t now_ms);

#endif
