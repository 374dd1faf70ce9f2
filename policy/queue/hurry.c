// SPDX-License-Identifier: BSD-2-Clause
/* hurry.c - While others wait, who gives back a connection.
 *
 * One that does not open is given up after five seconds, and after one when such have more than
 * half. One that is stuck, busy with the same for ten, has to hurry: for a place in all, at its
 * destination or at its address; for the sake of other tenants that hold no more, of its own
 * tenant's mail that might go beyond its share (capacity.c), or to another domain of the same
 * destination (domain_turns.c).
 */
#include "queue_moves.h"

enum { LOOKS_MAX = 64, HURRY_LOOKS_MAX = 1024, HURRY_AGAIN_MS = 1000, IN_VAIN_MS = 10 * 1000 };
enum { TELL_AGAIN_MS = 10 * 60 * 1000 };

/* Does who is next in one of the parts hold no more than who has this connection? */
static bool is_wanted_by_less(const struct queue *q, const struct connection *c)
{
    for (size_t i = 0; i < POOLS; i++) {
        const struct fair_item *item = fair_first(&q->connect[i]);
        if (item && capacity_held(q, item->party->who) <= capacity_held(q, c->holder))
            return true;
    }
    return false;
}

static void hurry_one(struct queue *q, struct connection *c, int64_t now_ms)
{
    connection_hurries(q, c);
    c->hurried_ms = now_ms;
    decide(q, (struct queue_decision){.kind = QUEUE_HURRY,
                                      .connection = c->id,
                                      .shard = c->shard,
                                      .destination = c->lane->destination->name});
}

/* Its tenant has used up its share, and has mail for others that may answer. */
static bool is_wanted_by_own(const struct queue *q, const struct connection *c)
{
    for (enum pool pool = POOL_URGENT; c->holder && pool < POOLS; pool++)
        for (enum beyond kind = BEYOND_UNKNOWN; kind < BEYOND_KINDS; kind++)
            if (fair_waiting(&q->beyond[pool][kind], c->holder) > 0 &&
                capacity_is_used_up(q, c->holder, pool))
                return true;
    return false;
}

/* So many wait, and as many have hurried; but those who still do after a while do so in vain: after
 * its final dot nothing hurries a message. */
static bool enough_hurry(struct queue *q, int64_t now_ms)
{
    if (q->hurried_ms + IN_VAIN_MS <= now_ms) {
        q->hurried_before = q->hurried;
        q->hurried_ms = now_ms;
    }
    return q->hurried - q->hurried_before >= capacity_waiting(q);
}

/* Where most of that tenant's connections are stuck, as far as one destination shows it. */
static const struct destination *most_stuck(const struct queue *q, const struct tenant *tenant)
{
    const struct destination *most = NULL;
    for (size_t i = 0; i < q->slot_count; i++) {
        const struct connection *c = q->slots[i].connection;
        const struct destination *d = c ? c->lane->destination : NULL;
        if (c && c->stuck && c->holder == tenant && (!most || d->stuck > most->stuck))
            most = d;
    }
    return most;
}

static void tell_used_up(struct queue *q, struct tenant *tenant, int64_t now_ms)
{
    if (tenant->told_ms + TELL_AGAIN_MS > now_ms || 2 * tenant->stuck < capacity_held(q, tenant))
        return;
    tenant->told_ms = now_ms;
    decide(q, (struct queue_decision){.kind = QUEUE_EVENT,
                                      .reason = QUEUE_SHARE_USED,
                                      .destination = most_stuck(q, tenant)->name,
                                      .tenant = tenant->name,
                                      .count = tenant->stuck,
                                      .text = ""});
}

/* Who waits may have one, and there is none: those that are stuck may be so in vain. */
static void hurry(struct queue *q, int64_t now_ms)
{
    struct connection *c = q->stuck;
    bool others = somebody_waits(q);
    q->hurry_look_ms = now_ms + HURRY_AGAIN_MS;
    for (size_t looks = 0; c && looks < HURRY_LOOKS_MAX && !enough_hurry(q, now_ms); looks++) {
        struct connection *next = c->next;
        bool own = is_wanted_by_own(q, c);
        if (own)
            tell_used_up(q, c->holder, now_ms);
        if (own || (others && is_wanted_by_less(q, c)))
            hurry_one(q, c, now_ms);
        c = next;
    }
}

/* The same for room at an address: who waits there is another destination's. */
static void hurry_at_addresses(struct queue *q, int64_t now_ms)
{
    struct connection *c = q->stuck;
    size_t left = q->addresses.waiting;
    if (left == 0 || !c)
        return;
    if (now_ms >= q->hurry_ms)
        q->hurry_ms = now_ms + HURRY_AGAIN_MS;
    else
        left = 0;
    while (c && left > 0) {
        struct connection *next = c->next;
        if (connection_is_in_the_way_of_less(c)) {
            hurry_one(q, c, now_ms);
            left--;
        }
        c = next;
    }
    if (c)
        queue_wake_at(q, q->hurry_ms);
}

struct holder {
    const struct queue *queue;
    const struct tenant *tenant;
    const struct line *line;
    const struct destination *destination;
};

/* Of a tenant that holds no more, of all or there; or its own, to a domain that has been
 * answered in time. */
static bool is_of_less(const struct line *line, const void *context)
{
    const struct holder *h = context;
    const struct destination *d = h->destination;
    if (line->tenant == h->tenant)
        return line_is_behind(h->line) && !line_is_behind(line) && domain_is_good(line->domain);
    return (place_held(d, line->tenant) <= place_held(d, h->tenant) ||
            capacity_held(h->queue, line->tenant) <= capacity_held(h->queue, h->tenant));
}

/* Of one destination, for what waits at `d`. Returns when the next one will be busy for long. */
static int64_t hurry_in(struct queue *q, struct destination *in, struct destination *d,
                        int64_t now_ms)
{
    int64_t next_ms = now_ms + QUEUE_LONG_BUSY_MS;
    size_t left = 0;
    for (size_t i = 0; i < STREAM_CLASSES; i++)
        left += d->turns.count[i];
    for (struct connection *c = in->connections; c && left > 0; c = c->next_of) {
        const struct holder holder = {q, c->holder, c->attempt ? c->attempt->line : NULL, in};
        const struct line_question question = {is_of_less, &holder, LOOK_HURRY, now_ms};
        left -= c->hurried && c->hurried_ms + IN_VAIN_MS > now_ms;
        if (c->state != CONNECTION_BUSY || c->hurried || !c->holder || left == 0)
            continue;
        if (c->began_ms + QUEUE_LONG_BUSY_MS > now_ms) {
            if (c->began_ms + QUEUE_LONG_BUSY_MS < next_ms)
                next_ms = c->began_ms + QUEUE_LONG_BUSY_MS;
        } else if (destination_best_of(d, POOLS, &question)) {
            hurry_one(q, c, now_ms);
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
        connection_let_go(q, connection_idle_first(q), QUEUE_ROOM, now_ms);
    give_up_slow(q, now_ms);
    if (q->stuck && capacity_waiting(q) > 0 && now_ms >= q->hurry_look_ms)
        hurry(q, now_ms);
    hurry_at_addresses(q, now_ms);
    if (capacity_waiting(q) > 0)
        queue_wake_at(q, capacity_looks_at(q, now_ms));
    if (q->stuck && capacity_waiting(q) > 0)
        queue_wake_at(q, q->hurry_look_ms);
    if (q->busy && capacity_waiting(q) + q->addresses.waiting > 0)
        queue_wake_at(q, q->busy->began_ms + QUEUE_LONG_BUSY_MS);
    if (q->opening && more_wait_than_leave(q))
        queue_wake_at(q, q->opening->since_ms + QUEUE_SLOW_OPENING_MS);
}
