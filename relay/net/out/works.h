// SPDX-License-Identifier: BSD-2-Clause
/* works.h - What the queue wants done on a thread, first come first: one in each turn of its
 * loop. */
#ifndef WORKS_H
#define WORKS_H

#include "deliveries.h"

/* `run` takes the work. */
void works_init(struct deliveries *home,
                void (*run)(struct deliveries *home, struct dispatch_work *work));
void works_close(struct deliveries *home);

/* In a turn of its own. Takes `work`. */
void works_add(struct deliveries *home, struct dispatch_work *work);

/* An outcome is on its way to the store; it has come back. */
void works_unrecorded(struct deliveries *home);
void works_recorded(struct deliveries *home);

#endif
