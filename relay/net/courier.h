// SPDX-License-Identifier: BSD-2-Clause
/* courier.h - One connection to a destination, and one parcel after the other. */
#ifndef COURIER_H
#define COURIER_H

#include "parcel.h"

/* What the queue has decided; each takes `work`. */
void courier_open(struct shard *s, struct dispatch_work *work);
void courier_send(struct shard *s, struct dispatch_work *work);
void courier_close(struct shard *s, struct dispatch_work *work);
void courier_hurry(struct shard *s, struct dispatch_work *work);

/* Those whose recipients have all been ended by a person are closed, unless all has been said. */
void courier_check_rows(struct shard *s);

/* When the shard drains. */
void courier_close_idle(struct shard *s);
void courier_close_all(struct shard *s);

#endif
