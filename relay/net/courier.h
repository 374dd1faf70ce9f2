// SPDX-License-Identifier: BSD-2-Clause
/* courier.h - One connection to a destination, its slot, and one parcel after the other. */
#ifndef COURIER_H
#define COURIER_H

#include "parcel.h"

/* The parcel has been granted a slot: the courier gives it back in the end. */
void courier_open(struct parcel *p);
/* The parcel has been given this idle connection. */
void courier_reuse(struct site_party *idle, struct parcel *p);

/* Close an idle connection to this endpoint; false when there is none. */
bool courier_make_room(struct shard *s, const struct endpoint *at);

/* When the shard drains. */
void courier_close_idle(struct shard *s);
void courier_close_all(struct shard *s);

#endif
