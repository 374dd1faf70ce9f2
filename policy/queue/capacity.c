// SPDX-License-Identifier: BSD-2-Clause
/* capacity.c - How many of all connections each may have, and who gives one back.
 *
 * Class security may use all of the capacity, the others all but the reserve. Of either a tenant
 * takes at most twice what it leaves free (shares.h): so whatever one of them does, and however
 * many do the same, something is left for who holds little. Who may have no more is passed over.
 *
 * While others wait, a connection that does not open is given up after five seconds, and after one
 * when such have more than half, and one that is busy for ten has to hurry: for a place in all, at
 * its destination or at its address; but never for the sake of a tenant that holds more.
 */
#include "queue_moves.h"

enum { LOOKS_MAX = 64, LONG_BUSY_MS = 10 * 1000, HURRY_AGAIN_MS = 1000 };

/* One more, when `more` of this part have been added to what it holds? */
static bool may_have_one(const struct queue *q, enum pool pool, const void *tenant, size_t more)
{
    size_t at_work = q->in_use - q->count[CONNECTION_IDLE] + more;
    size_t left = q->settings.connections > at_work ? q->settings.connections - at_work : 0;
    size_t plain = plain_max(q) > q->plain + more ? plain_max(q) - q->plain - more : 0;
    uint64_t held = fair_used(&q->connect[pool], tenant) + more;
    if (held == 0)
        return true;
    uint64_t other = fair_used(&q->connect[pool == POOL_URGENT ? POOL_PLAIN : POOL_URGENT], tenant);
    return is_within_share(held + other, left) &&
           (pool == POOL_URGENT || is_within_share(held, plain));
}

static enum pool pool_of(const struct line *line)
{
    return line->class == STREAM_SECURITY ? POOL_URGENT : POOL_PLAIN;
}

bool capacity_bears_another(const struct queue *q, const struct line *line)
{
    return may_have_one(q, pool_of(line), line->tenant, 1);
}

struct moment {
    const struct queue *queue;
    int64_t now_ms;
};

static bool line_may_open(const struct line *line, const void *context)
{
    const struct moment *now = context;
    return destination_has_room(line->domain->lane->destination, line, now->now_ms) &&
           may_have_one(now->queue, pool_of(line), line->tenant, 0);
}

struct line *line_to_open(const struct queue *q, struct destination *d, int64_t now_ms)
{
    const struct moment now = {q, now_ms};
    struct line *best = destination_best(d);
    if (!best || line_may_open(best, &now))
        return best;
    if (!destination_has_lanes(d) && !destination_has_room(d, best, now_ms))
        return best; /* nor is there room for another tenant's */
    struct line *line = destination_best_of(d, line_may_open, &now);
    return line ? line : best;
}

struct line *line_that_opens(const struct queue *q, struct destination *d, int64_t now_ms)
{
    const struct moment now = {q, now_ms};
    struct line *overdue = destination_overdue(d);
    bool may = overdue && queue_has_room(q, false) && line_may_open(overdue, &now);
    return may ? overdue : line_to_open(q, d, now_ms);
}

/* ---- who is next ---- */

struct part {
    const struct queue *queue;
    enum pool pool;
};

static bool party_may_have_one(const struct fair_item *item, const void *context)
{
    const struct part *part = context;
    return may_have_one(part->queue, part->pool, item->party->who, 0);
}

/* The first of those who wait for that part and may have one more. */
static struct destination *next_of(const struct queue *q, enum pool pool)
{
    const struct part part = {q, pool};
    struct fair_item *item = fair_first_of(&q->connect[pool], party_may_have_one, &part);
    return item ? OWNER_OF(item, struct destination, want) : NULL;
}

struct destination *capacity_next(const struct queue *q)
{
    struct destination *d = queue_has_room(q, true) ? next_of(q, POOL_URGENT) : NULL;
    return d || !queue_has_room(q, false) ? d : next_of(q, POOL_PLAIN);
}

static size_t waiting(const struct queue *q)
{
    return q->connect[POOL_URGENT].count + q->connect[POOL_PLAIN].count;
}

static bool more_wait_than_leave(const struct queue *q)
{
    return waiting(q) > q->leaving;
}

bool urgent_waits(const struct queue *q)
{
    return next_of(q, POOL_URGENT) != NULL;
}

bool somebody_waits(const struct queue *q)
{
    return more_wait_than_leave(q) && (urgent_waits(q) || next_of(q, POOL_PLAIN));
}

/* ---- who gives one back ---- */

static uint64_t held_by(const struct queue *q, const void *tenant)
{
    return fair_used(&q->connect[POOL_URGENT], tenant) + fair_used(&q->connect[POOL_PLAIN], tenant);
}

/* Does who is next in one of the parts hold no more than who has this connection? */
static bool is_wanted_by_less(const struct queue *q, const struct connection *c)
{
    for (size_t i = 0; i < POOLS; i++) {
        const struct fair_item *item = fair_first(&q->connect[i]);
        if (item && held_by(q, item->party->who) <= held_by(q, c->holder))
            return true;
    }
    return false;
}

static void hurry_one(struct queue *q, struct connection *c)
{
    connection_hurries(q, c);
    decide(q, (struct queue_decision){.kind = QUEUE_HURRY,
                                      .connection = c->id,
                                      .shard = c->shard,
                                      .destination = c->lane->destination->name});
}

/* Who waits may have one, and there is none: those that are busy for long may be so in vain. */
static void hurry(struct queue *q, int64_t now_ms)
{
    struct connection *c = q->busy;
    for (size_t looks = 0; c && looks < LOOKS_MAX && q->hurried < waiting(q); looks++) {
        struct connection *next = c->next;
        if (!somebody_waits(q))
            return;
        if (c->began_ms + LONG_BUSY_MS > now_ms) {
            queue_wake_at(q, c->began_ms + LONG_BUSY_MS);
            return;
        }
        if (is_wanted_by_less(q, c))
            hurry_one(q, c);
        c = next;
    }
}

/* The same for room at an address: who waits there is another destination's. */
static void hurry_at_addresses(struct queue *q, int64_t now_ms)
{
    struct connection *c = q->busy;
    size_t left = q->addresses.waiting;
    if (left == 0 || !c)
        return;
    if (now_ms >= q->hurry_ms)
        q->hurry_ms = now_ms + HURRY_AGAIN_MS;
    else
        left = 0;
    while (c && left > 0 && c->began_ms + LONG_BUSY_MS <= now_ms) {
        struct connection *next = c->next;
        if (connection_is_in_the_way_of_less(c)) {
            hurry_one(q, c);
            left--;
        }
        c = next;
    }
    if (c && c->began_ms + LONG_BUSY_MS > q->hurry_ms)
        queue_wake_at(q, c->began_ms + LONG_BUSY_MS);
    else if (c)
        queue_wake_at(q, q->hurry_ms);
}

struct holder {
    const struct queue *queue;
    const struct tenant *tenant;
};

static bool is_of_less(const struct line *line, const void *context)
{
    const struct holder *h = context;
    return line->tenant != h->tenant &&
           held_by(h->queue, line->tenant) <= held_by(h->queue, h->tenant);
}

/* Of one destination, for what waits at `d`. Returns when the next one will be busy for long. */
static int64_t hurry_in(struct queue *q, struct destination *in, struct destination *d,
                        int64_t now_ms)
{
    int64_t next_ms = now_ms + LONG_BUSY_MS;
    size_t left = 0;
    for (size_t i = 0; i < STREAM_CLASSES; i++)
        left += d->turns[i].count;
    for (struct connection *c = in->connections; c && left > 0; c = c->next_of) {
        const struct holder holder = {q, c->holder};
        left -= c->hurried;
        if (c->state != CONNECTION_BUSY || c->hurried || !c->holder || left == 0)
            continue;
        if (c->began_ms + LONG_BUSY_MS > now_ms) {
            if (c->began_ms + LONG_BUSY_MS < next_ms)
                next_ms = c->began_ms + LONG_BUSY_MS;
        } else if (destination_best_of(d, is_of_less, &holder)) {
            hurry_one(q, c);
            left--;
        } else if (now_ms + HURRY_AGAIN_MS < next_ms) {
            next_ms = now_ms + HURRY_AGAIN_MS;
        }
    }
    return next_ms;
}

int64_t capacity_hurry_at(struct queue *q, struct destination *d, int64_t now_ms)
{
    const struct provider *p = d->provider;
    if (now_ms < d->hurry_ms) /* nobody has been busy for long */
        return d->hurry_ms;
    int64_t next_ms = hurry_in(q, d, d, now_ms);
    for (struct destination *other = p && p->in_use >= p->limit ? p->destinations : NULL; other;
         other = other->next) {
        int64_t at_ms = other != d ? hurry_in(q, other, d, now_ms) : next_ms;
        next_ms = at_ms < next_ms ? at_ms : next_ms;
    }
    d->hurry_ms = next_ms;
    return next_ms;
}

static void give_up_slow(struct queue *q, int64_t now_ms)
{
    struct connection *c = q->slow_opening;
    for (size_t looks = 0; c && looks < LOOKS_MAX && more_wait_than_leave(q); looks++) {
        struct connection *next = c->next;
        int64_t at_ms = c->since_ms + q->settings.give_up_ms;
        if (at_ms > now_ms && q->slow <= plain_max(q) / 2) {
            queue_wake_at(q, at_ms);
            return;
        }
        if (!c->holder || is_wanted_by_less(q, c)) {
            connection_let_go(q, c, QUEUE_GIVEN_UP, now_ms);
            looks = 0;
        }
        c = next;
    }
}

void capacity_make_room(struct queue *q, int64_t now_ms)
{
    if (q->paused || q->draining)
        return;
    while (q->idle && somebody_waits(q) && q->in_use >= q->settings.connections)
        connection_let_go(q, q->idle, QUEUE_ROOM, now_ms);
    give_up_slow(q, now_ms);
    hurry(q, now_ms);
    hurry_at_addresses(q, now_ms);
    if (q->opening && more_wait_than_leave(q))
        queue_wake_at(q, q->opening->since_ms + QUEUE_SLOW_OPENING_MS);
}
