// SPDX-License-Identifier: BSD-2-Clause
/* checkpoints.h - When the pages of the log are brought into the database: see checkpoints.c. */
#ifndef CHECKPOINTS_H
#define CHECKPOINTS_H

#include "db.h"

/* All zero at first; pages, as long as the log was. */
struct checkpoints {
    unsigned tried;  /* at the last one */
    unsigned waited; /* at the last one that waited for readers */
    bool failing;    /* the last one did, and it has been told */
};

/* On the store's thread, outside of any transaction, when all have been answered. `busy`: others
 * wait for the store. What fails is logged, and tried again. */
void checkpoints_step(struct checkpoints *c, struct database *db, bool busy);

#endif
