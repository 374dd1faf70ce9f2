// SPDX-License-Identifier: BSD-2-Clause
/* boundary.c - A connection is done with a message: whose is the next, and does it keep its place?
 *
 * It goes on with what is next at its destination, when it may carry that; it makes room when
 * something more urgent, or somebody who holds less, waits for a place that it alone can give; and
 * after a run of messages it also makes room for who holds the same. An address, of which others
 * may have nothing, is given up sooner than a place. What is more urgent goes first but not for
 * ever: after so many messages of it (shares.h), one of those that it has gone before does.
 */
#include "queue_moves.h"

enum { RUN_MAX = 20, ADDRESS_RUN_MAX = 5, ADDRESS_RUN_MS = 10 * 1000 };

/* Of who holds the same, does this one yield to that one? */
static bool yields_to(const struct connection *c, const struct want *w)
{
    const struct destination *other = w->destination;
    unsigned in_use = destination_group_in_use(c->lane->destination) - 1;
    if (other->want_in_use != in_use)
        return other->want_in_use < in_use;
    return c->run >= RUN_MAX;
}

static bool yields_to_first(const struct connection *c, const struct line *line,
                            const struct fair *f)
{
    const struct fair_item *item = fair_first(f);
    if (!item)
        return false;
    uint64_t theirs = fair_first_used(f);
    uint64_t ours = fair_used(f, line->tenant);
    return theirs != ours ? theirs < ours : yields_to(c, OWNER_OF(item, struct want, turn));
}

/* Its tenant has all that it may have, and wants connections elsewhere. */
static bool yields_to_own(const struct queue *q, const struct connection *c,
                          const struct line *line)
{
    if (!line || capacity_waiting(q) == 0 || capacity_bears_another(q, line))
        return false;
    const struct want *own = capacity_own(q, line->tenant, line_pool(line));
    return own && yields_to(c, own);
}

/* Its tenant has more than its share, and another one waits that has less. */
static bool yields_beyond(const struct queue *q, const struct connection *c,
                          const struct line *line)
{
    enum pool pool = line ? line_pool(line) : POOLS;
    return line && more_wait_than_leave(q) && capacity_is_used_up(q, line->tenant, pool) &&
           yields_to_first(c, line, &q->connect[pool]);
}

/* What would go on here. */
struct next {
    struct line *line; /* NULL: nothing */
    bool overdue;      /* it does not wait once more */
};

static bool is_urgent(const struct next *next)
{
    return next->line && next->line->class == STREAM_SECURITY;
}

/* Others wait for capacity, and there is none. */
static bool yields(struct queue *q, const struct connection *c, const struct next *next)
{
    const struct line *line = next->line;
    bool full = q->in_use >= q->settings.connections;
    if (!somebody_waits(q) || next->overdue || is_urgent(next))
        return false;
    if (full && urgent_waits(q))
        return true;
    if (!full && q->plain + 1 < plain_max(q))
        return false;
    if (!line)
        return full;
    return yields_to_first(c, line, &q->connect[POOL_PLAIN]);
}

/* Another route's mail waits for a connection to the same provider, which has no more. */
static bool yields_to_sibling(const struct connection *c, const struct line *line)
{
    const struct destination *d = c->lane->destination;
    const struct provider *p = d->provider;
    if (!p || p->in_use < p->limit)
        return false;
    for (struct destination *other = p->destinations; other; other = other->next) {
        const struct line *best = other == d ? NULL : destination_best(other, POOLS);
        if (!best)
            continue;
        if (!line || best->class < line->class || other->in_use + 1 < d->in_use ||
            (other->in_use < d->in_use && c->run >= RUN_MAX))
            return true;
    }
    return false;
}

/* Others wait for one of its addresses. Mail that goes first there makes room only for who has been
 * passed over, or holds less. */
static bool yields_hold(const struct address_hold *hold, const struct line *line, bool had_its_turn)
{
    if (!line)
        return address_book_is_wanted(hold, false);
    if (line->class == STREAM_SECURITY && address_book_puts_first(hold, line->tenant->id))
        return address_book_gives_way(hold) ||
               address_book_is_wanted_by_less(hold, line->tenant->id, had_its_turn ? 0 : 1);
    return address_book_is_wanted(hold, true) ||
           (had_its_turn && address_book_is_wanted(hold, false));
}

static bool yields_address(const struct connection *c, const struct next *next, int64_t now_ms)
{
    bool had_its_turn = c->run >= ADDRESS_RUN_MAX || c->since_ms + ADDRESS_RUN_MS <= now_ms;
    for (size_t i = 0; i < ADDRESS_HOLDS_MAX && !next->overdue; i++)
        if (yields_hold(&c->holds[i], next->line, had_its_turn))
            return true;
    return false;
}

static bool is_used_up(const struct connection *c)
{
    const struct destination *d = c->lane->destination;
    if (d->provider && c->messages >= d->provider->messages)
        return true;
    unsigned working = d->count[CONNECTION_BUSY] + d->count[CONNECTION_IDLE];
    return working > window_size(&d->window) + (c->urgent ? 1 : 0);
}

/* Might another connection be opened, if this one went on with plain mail? */
static bool may_open_beside(struct queue *q, struct destination *d, const struct line *line,
                            bool goes_on, int64_t now_ms)
{
    bool urgent = line->class == STREAM_SECURITY;
    q->plain += goes_on;
    d->plain += goes_on;
    if (d->provider)
        d->provider->plain += goes_on;
    bool may = destination_may_open(d, line, now_ms) && queue_has_room(q, urgent);
    q->plain -= goes_on;
    d->plain -= goes_on;
    if (d->provider)
        d->provider->plain -= goes_on;
    return may;
}

/* What is next at the destination is another lane's, which can have no connection but this one's
 * place. */
static bool makes_way(struct queue *q, const struct connection *c, const struct next *best,
                      const struct line *line, int64_t now_ms)
{
    bool goes_on = line && line->class != STREAM_SECURITY;
    if (may_open_beside(q, c->lane->destination, best->line, goes_on, now_ms))
        return false;
    if (best->overdue && c->lane->destination->count[CONNECTION_CLOSING] == 0)
        return true;
    return !line || line_goes_before(best->line, line) || c->run >= RUN_MAX;
}

/* The first at the destination, whatever it is that this connection may carry. */
static struct next first_of(struct queue *q, const struct connection *c, int64_t now_ms)
{
    struct destination *d = c->lane->destination;
    struct line *line = destination_overdue(d);
    if (line && (line->domain->lane != c->lane || connection_may_carry(q, c, false)) &&
        connection_bears(c, line, now_ms))
        return (struct next){line, true};
    struct line *best = destination_first(c, POOLS, now_ms);
    if (best && best->class != STREAM_SECURITY && best->domain->lane == c->lane &&
        d->turns.count[STREAM_SECURITY] > 0 && !connection_may_carry(q, c, false)) {
        struct line *urgent = destination_first(c, POOL_URGENT, now_ms);
        best = urgent ? urgent : best;
    }
    return (struct next){best, false};
}

/* Of another route to the same provider, which has no more connections. */
static bool urgent_sibling(const struct destination *d)
{
    const struct provider *p = d->provider;
    if (!p || p->in_use < p->limit)
        return false;
    for (struct destination *other = p->destinations; other; other = other->next) {
        const struct line *best = destination_best(other, POOL_URGENT);
        if (best)
            return true;
    }
    return false;
}

bool boundary_is_urgent(struct queue *q, const struct connection *c, int64_t now_ms)
{
    struct destination *d = c->lane->destination;
    const struct line *best = destination_first(c, POOLS, now_ms);
    if (c->urgent || q->paused || q->draining || d->operator_until_ms > now_ms)
        return false;
    if (best && best->class == STREAM_SECURITY &&
        (best->domain->lane == c->lane || !may_open_beside(q, d, best, false, now_ms)))
        return true;
    if (q->in_use >= q->settings.connections && urgent_waits(q) && somebody_waits(q))
        return true;
    for (size_t i = 0; i < ADDRESS_HOLDS_MAX; i++)
        if (address_book_is_wanted(&c->holds[i], true))
            return true;
    return urgent_sibling(d);
}

enum queue_next boundary_next(struct queue *q, const struct connection *c, struct line **line_r,
                              int64_t now_ms)
{
    const struct destination *d = c->lane->destination;
    const struct next best = first_of(q, c, now_ms);
    struct next next = best;
    if (q->draining || is_used_up(c) || connection_is_outdated(c, now_ms))
        return QUEUE_NEXT_CLOSE;
    if (q->paused || d->operator_until_ms > now_ms)
        return QUEUE_NEXT_IDLE;
    if (!best.line || best.line->domain->lane != c->lane) {
        next = (struct next){.line = lane_first(q, c, now_ms)};
        if (best.line && makes_way(q, c, &best, next.line, now_ms))
            return QUEUE_NEXT_CLOSE;
    } else if (c->lane->held && !best.overdue) { /* for which nothing is opened */
        struct line *first = lane_first(q, c, now_ms);
        next.line = first ? first : best.line;
    }
    if (next.line && !connection_may_carry(q, c, is_urgent(&next)))
        next.line = NULL;
    if (yields(q, c, &next) || yields_to_own(q, c, next.line) || yields_beyond(q, c, next.line) ||
        yields_to_sibling(c, next.line) || yields_address(c, &next, now_ms))
        return QUEUE_NEXT_CLOSE;
    *line_r = next.line;
    return next.line ? QUEUE_NEXT_SEND : QUEUE_NEXT_IDLE;
}
