// SPDX-License-Identifier: BSD-2-Clause
/* ask_turns.c - Which of a tenant's limits at MAIL is asked next, when the rests of many are over.
 *
 * Over all of them a tenant asks ten times in a second. A thousand servers that refuse for good
 * would have all of that, and one that has refused for a moment would be asked minutes later. So
 * every second turn goes to one that class security waits for, of those to the one that has lasted
 * least: most limits are over soon, or last. The other turns go to who has waited longest, so that
 * each is asked.
 *
 * Only the first in time has a time to wake: when its tenant may ask again.
 */
#include "queue_moves.h"

#include "rate_limit.h"

#include <utlist.h>

enum { GAP_MS = 100 };

static bool asks_before(const void *a, const void *b)
{
    const struct rate_limit *l = a;
    const struct rate_limit *m = b;
    return l->urgent != m->urgent ? l->urgent : l->since_ms > m->since_ms;
}

static void wake_at(struct queue *q, struct rate_limit *l, int64_t wake_ms)
{
    l->wake_ms = wake_ms;
    heap_moved(&q->limit_wakes, l);
}

void ask_turn_wait(struct queue *q, struct rate_limit *l, int64_t now_ms)
{
    struct ask_turns *t = &l->tenant->asks;
    bool first = !t->waiting;
    if (first)
        heap_init(&t->best, asks_before, offsetof(struct rate_limit, turn));
    l->urgent = l->destination->ready[STREAM_SECURITY] > 0;
    DL_APPEND(t->waiting, l);
    heap_push(&t->best, l);
    wake_at(q, l, !first ? INT64_MAX : t->next_ms > now_ms ? t->next_ms : now_ms);
}

void ask_turn_is_urgent(struct rate_limit *l)
{
    if (!ask_turn_is_awaited(l) || l->urgent)
        return;
    l->urgent = true;
    heap_moved(&l->tenant->asks.best, l);
}

void ask_turn_leave(struct queue *q, struct rate_limit *l)
{
    struct ask_turns *t = &l->tenant->asks;
    if (!ask_turn_is_awaited(l))
        return;
    heap_take(&t->best, l);
    DL_DELETE(t->waiting, l);
    l->urgent = false;
    if (!t->waiting)
        heap_fini(&t->best);
    else if (t->waiting->wake_ms == INT64_MAX)
        wake_at(q, t->waiting, t->next_ms);
}

struct rate_limit *ask_turn_next(struct queue *q, struct tenant *tenant, int64_t now_ms)
{
    struct ask_turns *t = &tenant->asks;
    struct rate_limit *next = t->by_time ? t->waiting : heap_first(&t->best);
    CHECK(next != NULL && t->next_ms <= now_ms);
    t->by_time = !t->by_time;
    t->next_ms = now_ms + GAP_MS;
    wake_at(q, t->waiting, t->next_ms);
    return next;
}
