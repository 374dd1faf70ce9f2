// SPDX-License-Identifier: BSD-2-Clause
/* queue_speed.h - How fast destinations take mail, as was learned of what they refuse: taken out of
 * the queue to be kept, and given back after a restart. Times are of the queue's clock. */
#ifndef QUEUE_SPEED_H
#define QUEUE_SPEED_H

#include "queue.h"

struct queue_speed {
    const char *destination;
    const char *tenant, *why; /* whose it is ("": of all), and with which reply it was refused */
    double level;             /* messages a minute; 0: it is forgotten, and nothing else counts */
    double good, bad, before; /* levels: taken, refused, and had before it takes nothing; or 0 */
    bool closed;              /* nothing is taken */
    int64_t since_ms, refused_ms, hold_for_ms;
};

/* Has any changed since it was taken? */
bool queue_speeds_changed(const struct queue *q);
/* Those that have, 200 at most: the others the next time. What is borrowed is so for the call. It
 * looks at each destination. */
typedef void queue_on_speed(void *context, const struct queue_speed *speed);
void queue_take_speeds(struct queue *q, queue_on_speed *on_speed, void *context, int64_t now_ms);

/* What was taken of that destination has not been kept: it is taken once more. */
void queue_speed_unkept(struct queue *q, const char *destination);

/* As it was before a restart; no mail need have led there. Values that no queue has given are
 * brought into their bounds; one that would be forgotten by now does nothing. */
void queue_restore_speed(struct queue *q, const struct queue_speed *speed, int64_t now_ms);

#endif
