// SPDX-License-Identifier: BSD-2-Clause
/* disk_notices.h - Inside the store: tells the operator that the disk is full, and that it is not
 * any more. */
#ifndef DISK_NOTICES_H
#define DISK_NOTICES_H

#include "database.h"

/* All zero at first. By the wall clock. */
struct disk_notices {
    int64_t next_ms, told_ms; /* the next look; the last row about a disk that is full */
    bool full;                /* as it was found; new mail is refused */
    bool told;                /* this time is in the trail, or is owed */
    bool owed, owed_end;      /* these rows of the trail are still to be written */
    struct err why;           /* of the first of them */
};

/* Look once a second: what has changed is in the log at once, and in the audit trail, by which
 * alerts are sent, as soon as that can be written, and no more than once an hour. It is over when
 * twice as much is free as is kept for outcomes. In a transaction of its own, on the store's
 * thread. */
void disk_notices_look(struct disk_notices *n, const char *state_dir, struct database *db,
                       int64_t now_ms);

#endif
