// SPDX-License-Identifier: BSD-2-Clause
/* touched.c - Destinations that something has happened to, until decide.c has looked at them. */
#include "queue_moves.h"

#include <utlist.h>

void destination_touch(struct queue *q, struct destination *d)
{
    if (d->dirty || d->unused.of)
        return;
    d->dirty = true;
    DL_APPEND2(q->dirty, d, prev_dirty, next_dirty);
}

void destination_touch_all(struct queue *q, struct destination *d)
{
    struct destination *other;
    destination_touch(q, d);
    if (d->provider)
        DL_FOREACH (d->provider->destinations, other)
            destination_touch(q, other);
}
