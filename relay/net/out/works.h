// SPDX-License-Identifier: BSD-2-Clause
/* works.h - Work that the queue has assigned to this thread, in order of arrival, one in each turn
 * of its loop. */
#ifndef WORKS_H
#define WORKS_H

#include "deliveries.h"

/* `run` takes the work. */
void works_init(struct deliveries *home,
                void (*run)(struct deliveries *home, struct dispatch_work *work));
void works_close(struct deliveries *home);

/* In a turn of its own. Takes `work`. */
void works_add(struct deliveries *home, struct dispatch_work *work);
/* The same for one that has been begun, and has what it waited for: it is run again. */
void works_go_on(struct deliveries *home, struct dispatch_work *work);

/* An outcome is on its way to the store; it has come back. */
void works_unrecorded(struct deliveries *home);
void works_recorded(struct deliveries *home);

#endif
