// SPDX-License-Identifier: BSD-2-Clause
/* set_aside.c - Lines of a lane that may not go: they are taken out of the destination's turns when
 * they are met there, and come back when what has held them up is over (lanes.c, shuns.c,
 * rate_limits.c). */
#include "queue_moves.h"

#include <utlist.h>

void lane_hold(struct lane *lane, struct line *line)
{
    class_turns_take(&line->turn); /* whoever asks for the next one gets another */
    if (line->held)
        return;
    DL_APPEND2(lane->held, line, prev_held, next_held);
    line->held = true;
}

void lane_unhold(struct lane *lane, struct line *line)
{
    if (!line->held)
        return;
    DL_DELETE2(lane->held, line, prev_held, next_held);
    line->held = false;
}

void lane_puts_back(struct queue *q, struct lane *lane)
{
    if (!lane->held || lane->resting)
        return;
    while (lane->held) {
        struct line *line = lane->held;
        lane_unhold(lane, line);
        class_turns_put(&lane->destination->turns, line->tenant->id, line->class, &line->turn);
    }
    destination_touch(q, lane->destination);
}
