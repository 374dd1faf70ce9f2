// SPDX-License-Identifier: BSD-2-Clause
/* aside.c - Which recipients the queue holds aside: the one thing that is looked up inside of it, and in a file of its
 * own because both sides have a "struct connection". */
#include "queue_waiting.h"

#include "aside.h"

bool is_held_aside(const struct queue *q, int64_t message, unsigned number)
{
    const struct entry *e = entry_find(q, message, number);
    return e && e->state == ENTRY_HELD;
}
