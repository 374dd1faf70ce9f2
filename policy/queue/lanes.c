// SPDX-License-Identifier: BSD-2-Clause
/* lanes.c - The rest of one set of hosts, where a destination has several: a provider's hosts for
 * one domain may be dead while the others work. For one tenant's mail there: shuns.c.
 */
#include "shun.h"

static bool by_wake(const void *a, const void *b)
{
    return ((const struct lane *)a)->wake_ms < ((const struct lane *)b)->wake_ms;
}

void lanes_init(struct queue *q)
{
    heap_init(&q->lane_wakes, by_wake, offsetof(struct lane, wake_place));
}

void lanes_fini(struct queue *q)
{
    heap_fini(&q->lane_wakes);
}

bool lane_sets_aside(const struct line *line)
{
    const struct lane *lane = line->domain->lane;
    return lane->resting || line_shun_in_lane(line) || rate_limit_sets_aside(line) ||
           pause_sets_aside(line);
}

void lane_spares(struct queue *q, struct line *line)
{
    struct lane *lane = line->domain->lane;
    if (!line->held || lane_sets_aside(line))
        return;
    lane_unhold(lane, line);
    class_turns_put(&lane->destination->turns, line->tenant->id, line->class, &line->turn);
    destination_touch(q, lane->destination);
}

static void end_rest(struct queue *q, struct lane *lane)
{
    if (!lane->resting)
        return;
    heap_take(&q->lane_wakes, lane);
    lane->resting = false;
    lane_puts_back(q, lane);
    destination_touch(q, lane->destination);
}

static void begin_rest(struct queue *q, struct lane *lane)
{
    int64_t rest_ms = lane->rest.rest_until_ms;
    lane->wake_ms = rest_ms > lane->blocked_until_ms ? rest_ms : lane->blocked_until_ms;
    if (lane->resting)
        heap_moved(&q->lane_wakes, lane);
    else
        heap_push(&q->lane_wakes, lane);
    lane->resting = true;
    destination_touch(q, lane->destination);
}

bool lane_rest(struct queue *q, struct lane *lane, int64_t now_ms)
{
    lane->proven = false;
    if (!window_rest(&lane->rest, INT64_MAX, now_ms))
        return false;
    begin_rest(q, lane);
    return true;
}

void lane_block(struct queue *q, struct lane *lane, int64_t until_ms)
{
    lane->blocked_until_ms = until_ms;
    begin_rest(q, lane);
}

/* Until the first connection has greeted, it is the only one. */
void lane_opens(struct queue *q, struct lane *lane)
{
    if (!lane->proven && destination_has_lanes(lane->destination))
        lane_block(q, lane, INT64_MAX);
}

void lane_opens_no_more(struct queue *q, struct lane *lane)
{
    if (lane->blocked_until_ms == INT64_MAX)
        lane_block(q, lane, 0);
}

void lane_works(struct queue *q, struct lane *lane)
{
    window_greeted(&lane->rest);
    lane->blocked_until_ms = 0;
    lane->proven = true;
    end_rest(q, lane);
}

void lanes_wake(struct queue *q, int64_t now_ms)
{
    while (q->lane_wakes.count > 0) {
        struct lane *lane = heap_first(&q->lane_wakes);
        if (lane->wake_ms > now_ms)
            return;
        end_rest(q, lane);
    }
}

void lane_forget(struct queue *q, struct lane *lane)
{
    window_forget(&lane->rest);
    shuns_forget(q, lane->destination, lane);
    lane->blocked_until_ms = 0;
    end_rest(q, lane);
}

void lanes_forget_of(struct queue *q, const struct destination *d)
{
    size_t at = 0;
    for (struct lane *lane = pointer_table_next(&q->lanes, &at); lane;
         lane = pointer_table_next(&q->lanes, &at))
        if (lane->destination == d)
            lane_forget(q, lane);
}

void lanes_forget(struct queue *q)
{
    while (q->lane_wakes.count > 0)
        lane_forget(q, heap_first(&q->lane_wakes));
    shuns_forget_all(q);
}
