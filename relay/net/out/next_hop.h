// SPDX-License-Identifier: BSD-2-Clause
/* next_hop.h - Looks up where a domain's mail goes, for the queue, on a shard. */
#ifndef NEXT_HOP_H
#define NEXT_HOP_H

#include "deliveries.h"

/* Answered by dispatch_resolved(). Takes `work`. */
void next_hop_find(struct deliveries *home, struct dispatch_work *work);
/* The shard ends: nothing is answered any more. */
void next_hop_abandon_all(struct deliveries *home);

#endif
