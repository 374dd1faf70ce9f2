// SPDX-License-Identifier: BSD-2-Clause
/* compaction.h - Copying what lives in mostly dead segments, so that they can be unlinked. */
#ifndef COMPACTION_H
#define COMPACTION_H

#include "database.h"
#include "segments.h"

/* How far a pass over the messages has come; all zero at first. */
struct compaction {
    bool under_way;
    int64_t seen; /* messages up to this one */
};

/* One bounded step, on the store's thread, outside of any transaction. Returns whether there is
 * more to do soon. */
bool compaction_step(struct compaction *c, const char *state_dir, struct database *db,
                     struct segments *segments);

#endif
