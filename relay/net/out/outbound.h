// SPDX-License-Identifier: BSD-2-Clause
/* outbound.h - A connection to a destination, which carries one attempt after another. */
#ifndef OUTBOUND_H
#define OUTBOUND_H

#include "attempt.h"

/* What the queue has decided; each takes `work`. */
void outbound_open(struct deliveries *home, struct dispatch_work *work);
void outbound_send(struct deliveries *home, struct dispatch_work *work);
void outbound_close(struct deliveries *home, struct dispatch_work *work);
void outbound_hurry(struct deliveries *home, struct dispatch_work *work);

/* Those whose recipients have all been ended by a person are closed, unless all has been said. */
void outbound_check_rows(struct deliveries *home);

/* When the shard drains. */
void outbound_close_idle(struct deliveries *home);
/* Those that have not come to a message yet; the queue has that again. */
void outbound_close_opening(struct deliveries *home);
void outbound_close_all(struct deliveries *home);

#endif
