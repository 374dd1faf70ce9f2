// SPDX-License-Identifier: BSD-2-Clause
/* limited.c - Limits at MAIL (rate_limits.c): a table of them at each destination, which mail they
 * hold up just now, and for how long. */
#include "queue_moves.h"

#include "rate_limit.h"

enum { ASK_MS = 1000 };

static uint64_t hash_limit(const void *item)
{
    const struct rate_limit *l = item;
    return pointer_table_mix(l->tenant->id + (l->lane ? l->lane->id : 0));
}

static bool same_limit(const void *a, const void *b)
{
    const struct rate_limit *l = a;
    const struct rate_limit *m = b;
    return l->tenant == m->tenant && l->lane == m->lane;
}

void rate_limits_begin(struct destination *d)
{
    pointer_table_init(&d->limits, hash_limit, same_limit);
}

struct rate_limit *rate_limit_find(const struct destination *d, const struct tenant *tenant,
                                   const struct lane *lane_or_null)
{
    const struct rate_limit key = {.tenant = (struct tenant *)(uintptr_t)tenant,
                                   .lane = (struct lane *)(uintptr_t)lane_or_null};
    return d->limits.count > 0 ? pointer_table_find(&d->limits, &key) : NULL;
}

bool rate_limit_is_tried(const struct rate_limit *l, const struct connection *own)
{
    for (const struct connection *c = l->destination->connections; c; c = c->next_of)
        if (c != own && !c->stuck && c->holder == l->tenant && (!l->lane || c->lane == l->lane))
            return true;
    return false;
}

static bool bars(const struct rate_limit *l, const struct connection *own)
{
    return l &&
           (l->state == LIMIT_RESTS || (l->state == LIMIT_ASKS && rate_limit_is_tried(l, own)));
}

bool rate_limit_rests(const struct connection *c)
{
    const struct rate_limit *all = rate_limit_find(c->lane->destination, c->holder, NULL);
    const struct rate_limit *own = rate_limit_find(c->lane->destination, c->holder, c->lane);
    return (all && all->state == LIMIT_RESTS) || (own && own->state == LIMIT_RESTS);
}

bool rate_limit_sets_aside(const struct line *line)
{
    const struct lane *lane = line->domain->lane;
    return lane->limits > 0 && bars(rate_limit_find(lane->destination, line->tenant, lane), NULL);
}

bool rate_limit_bars(const struct line *line, const struct connection *own)
{
    const struct lane *lane = line->domain->lane;
    const struct destination *d = lane->destination;
    return d->limited > 0 &&
           (bars(rate_limit_find(d, line->tenant, NULL), own) ||
            (lane->limits > 0 && bars(rate_limit_find(d, line->tenant, lane), own)));
}

const char *rate_limit_why(const struct line *line)
{
    const struct lane *lane = line->domain->lane;
    const struct destination *d = lane->destination;
    const struct rate_limit *all = rate_limit_find(d, line->tenant, NULL);
    const struct rate_limit *own = rate_limit_find(d, line->tenant, lane);
    return all && all->why ? all->why : own ? own->why : NULL;
}

/* Until then it holds up mail, as far as is known: what asks will have an answer soon. */
static int64_t holds_until(const struct rate_limit *l, int64_t now_ms)
{
    if (!rate_limit_is_active(l))
        return 0;
    return window_rests(&l->rest, now_ms) ? l->rest.rest_until_ms : now_ms + ASK_MS;
}

static const struct rate_limit *longest(const struct destination *d, const struct lane *lane,
                                        bool alone, int64_t now_ms)
{
    const struct rate_limit *best = NULL;
    const struct rate_limit *l;
    size_t at = 0;
    while (d->limited > 0 && (l = pointer_table_next(&d->limits, &at)))
        if (rate_limit_is_active(l) && l->alone == alone &&
            (!lane || !l->lane || l->lane == lane) &&
            (!best || holds_until(l, now_ms) > holds_until(best, now_ms)))
            best = l;
    return best;
}

int64_t rate_limit_rest_ms(const struct destination *d, unsigned *failures_r, int64_t now_ms)
{
    const struct rate_limit *l = longest(d, NULL, true, now_ms);
    *failures_r = l ? l->rest.failures : 0;
    return l ? holds_until(l, now_ms) - now_ms : 0;
}

struct tenant_rest rate_limit_of_tenant(const struct destination *d,
                                        const struct lane *lane_or_null, int64_t now_ms)
{
    const struct rate_limit *l = longest(d, lane_or_null, false, now_ms);
    return l ? (struct tenant_rest){l->tenant->name, l->why, holds_until(l, now_ms)}
             : (struct tenant_rest){0};
}

void rate_limits_check(const struct destination *d)
{
    const struct rate_limit *l;
    unsigned active = 0;
    size_t at = 0;
    while ((l = pointer_table_next(&d->limits, &at))) {
        CHECK(l->destination == d && l->place != 0);
        CHECK(rate_limit_is_active(l) == (l->why != NULL));
        CHECK(!ask_turn_is_awaited(l) || l->state == LIMIT_RESTS);
        CHECK(l->state != LIMIT_RESTS || l->wake_ms >= l->rest.rest_until_ms);
        active += rate_limit_is_active(l);
    }
    CHECK(d->limited == active);
}
