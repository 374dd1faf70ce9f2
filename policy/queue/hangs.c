// SPDX-License-Identifier: BSD-2-Clause
/* hangs.c - A destination that answers nothing: connections to it wait, the first of them for a
 * minute, and no message was answered since. The operator is told once, until one is. */
#include "queue_moves.h"

#include <stdio.h>

enum { HANGS_MS = 60 * 1000, LOOK_AGAIN_MS = 10 * 1000, HANGS_LEAST = 3 };

unsigned destination_waits(const struct destination *d, int64_t *longest_ms_r, int64_t now_ms)
{
    unsigned count = 0;
    *longest_ms_r = 0;
    for (const struct connection *c = d->connections; c; c = c->next_of) {
        int64_t for_ms = now_ms - (c->state == CONNECTION_BUSY ? c->began_ms : c->since_ms);
        if (!c->stuck && !c->slow)
            continue;
        count++;
        if (for_ms > *longest_ms_r)
            *longest_ms_r = for_ms;
    }
    return count;
}

static void look_at(struct queue *q, struct destination *d, int64_t now_ms)
{
    int64_t longest_ms = 0;
    unsigned count = destination_waits(d, &longest_ms, now_ms);
    char text[QUEUE_WHY_MAX];
    if (d->hangs || count < HANGS_LEAST || longest_ms < HANGS_MS ||
        d->answered_ms > now_ms - longest_ms)
        return;
    d->hangs = true;
    snprintf(text, sizeof(text), "no answer on %u connections, on one for %lld s", count,
             (long long)longest_ms / 1000);
    destination_set_why(d, text, now_ms);
    decide(q, (struct queue_decision){.kind = QUEUE_EVENT,
                                      .reason = QUEUE_HANGS,
                                      .destination = d->name,
                                      .count = count,
                                      .text = d->why});
}

void hangs_look(struct queue *q, int64_t now_ms)
{
    if (q->stuck_count + q->slow == 0)
        return;
    if (now_ms >= q->hang_look_ms) {
        q->hang_look_ms = now_ms + LOOK_AGAIN_MS;
        for (size_t i = 0; i < q->slot_count; i++) {
            const struct connection *c = q->slots[i].connection;
            if (c && (c->stuck || c->slow) &&
                now_ms - (c->state == CONNECTION_BUSY ? c->began_ms : c->since_ms) >= HANGS_MS)
                look_at(q, c->lane->destination, now_ms);
        }
    }
    queue_wake_at(q, q->hang_look_ms);
}

void destination_answers(struct queue *q, struct destination *d, int64_t now_ms)
{
    d->answered_ms = now_ms;
    if (!d->hangs)
        return;
    d->hangs = false;
    decide(q, (struct queue_decision){
                  .kind = QUEUE_EVENT, .destination = d->name, .text = d->why ? d->why : ""});
}
