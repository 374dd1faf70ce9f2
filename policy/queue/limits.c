// SPDX-License-Identifier: BSD-2-Clause
/* limits.c - Is there room for another connection in all, and at a destination? There by its
 * window, its provider's limit and how fast it takes mail, by what is known of it so far, and by
 * what the tenant that wants it tries there already; how many of all there he may have is in
 * places.c. */
#include "queue_moves.h"

enum { PROVEN_MS = 60 * 1000, GROW_MS = 5 * 1000 };

unsigned plain_max(const struct queue *q)
{
    return q->settings.connections - reserve_at(q->settings.connections, q->urgent_ms, q->now_ms);
}

bool queue_has_room(const struct queue *q, bool urgent)
{
    return q->in_use < q->settings.connections && (urgent || q->plain < plain_max(q));
}

unsigned destination_group_in_use(const struct destination *d)
{
    return d->provider ? d->provider->in_use : d->in_use;
}

/* While some are stuck there, a tenant that has none may have one more than the window. */
static unsigned newcomers(const struct destination *d, const struct line *line)
{
    return d->stuck > 0 && place_held(d, line->tenant) == 0;
}

/* What is above the window is there for class security alone, and for newcomers. */
static bool is_in_window(const struct destination *d, unsigned more, int64_t now_ms)
{
    unsigned most = window_size(&d->window) + more;
    if (destination_has_lanes(d) && !window_is_capped(&d->window, now_ms))
        most += d->trying_count;
    return d->plain < most;
}

static bool may_carry_plain(const struct destination *d, unsigned more, int64_t now_ms)
{
    const struct provider *p = d->provider;
    if (!is_in_window(d, more, now_ms) || slowed_bars_all(d, now_ms))
        return false;
    if (d->plain + reserve_at(d->window.limit, d->urgent_ms, now_ms) >= d->window.limit)
        return false;
    return !p || p->plain + reserve_at(provider_limit(d), p->urgent_ms, now_ms) < provider_limit(d);
}

bool destination_may_carry_plain(const struct destination *d, int64_t now_ms)
{
    return may_carry_plain(d, 0, now_ms);
}

bool destination_tells_apart(const struct destination *d)
{
    return destination_has_lanes(d) || d->stuck > 0;
}

/* Hosts of a provider's may greet, and then do nothing: of what is left a tenant takes its share
 * for connections that have done nothing yet, and those of the others do not fill its window; one
 * whose mail some of them refuse has one at a time, where none has gone through. */
static bool may_try(const struct destination *d, const struct line *line, unsigned most)
{
    unsigned left = most > d->in_use ? most - d->in_use : 0;
    if (!destination_has_lanes(d))
        return true;
    uint64_t tries = fair_used(&d->trying, line->tenant);
    bool one_by_one = !line->domain->lane->worked && tenant_is_suspected(d, line->tenant);
    return is_within_share(tries, left) && (!one_by_one || tries == 0);
}

/* Class security may have one more than the window, unless that has just been refused. */
bool destination_has_place(const struct destination *d, const struct line *line, int64_t now_ms)
{
    bool urgent = line->class == STREAM_SECURITY;
    bool capped = window_is_capped(&d->window, now_ms);
    unsigned more = capped ? 0 : newcomers(d, line);
    unsigned most = window_size(&d->window) + more;
    if ((urgent && !capped) || more > 0) /* which codes may have taken */
        most++;
    if (destination_has_lanes(d) && !capped)
        most += d->trying_count - (unsigned)fair_used(&d->trying, line->tenant);
    if (most > d->window.limit)
        most = d->window.limit;
    if (d->in_use >= most || !may_try(d, line, d->window.limit) ||
        (d->provider && d->provider->in_use >= provider_limit(d)))
        return false;
    return urgent || may_carry_plain(d, more, now_ms);
}

bool destination_has_room(const struct destination *d, const struct line *line, int64_t now_ms)
{
    return destination_has_place(d, line, now_ms) && destination_bears(d, line, NULL, now_ms);
}

int64_t destination_grows_at(const struct destination *d, int64_t now_ms)
{
    bool all_busy = d->in_use > 0 && d->count[CONNECTION_BUSY] == d->in_use &&
                    d->in_use >= window_size(&d->window);
    bool may = window_size(&d->window) < d->window.limit && !window_is_capped(&d->window, now_ms);
    return all_busy && may ? d->moved_ms + GROW_MS : INT64_MAX;
}

void destination_grow(struct destination *d, int64_t now_ms)
{
    if (destination_grows_at(d, now_ms) > now_ms)
        return;
    window_is_slow(&d->window, now_ms);
    d->moved_ms = now_ms;
}

bool destination_is_proven(const struct destination *d, int64_t now_ms)
{
    unsigned working = d->count[CONNECTION_BUSY] + d->count[CONNECTION_IDLE];
    return d->proven && (working > 0 || d->worked_ms + PROVEN_MS > now_ms);
}

/* Until it is known to work few try, and one more for class security; and of a provider's hosts
 * everybody may try one. */
static bool is_being_tried(const struct destination *d, const struct line *line)
{
    bool urgent = line->class == STREAM_SECURITY;
    if (destination_has_lanes(d) && fair_used(&d->trying, line->tenant) == 0)
        return false;
    unsigned few = destination_has_lanes(d) ? LANES_TO_SHOW : 1;
    for (const struct connection *c = d->connections; c && urgent; c = c->next_of)
        if (c->state == CONNECTION_OPENING && c->urgent)
            urgent = false;
    return d->count[CONNECTION_OPENING] >= few + urgent;
}

bool destination_may_open(const struct destination *d, const struct line *line, int64_t now_ms)
{
    bool urgent = line->class == STREAM_SECURITY;
    bool blocked = d->blocked_until_ms > now_ms && (!urgent || d->blocked_urgent);
    if (blocked || d->operator_until_ms > now_ms || window_rests(&d->window, now_ms) ||
        line_is_shunned(line))
        return false;
    if (!destination_is_proven(d, now_ms) && is_being_tried(d, line))
        return false;
    return destination_has_room(d, line, now_ms);
}

bool destination_may_probe(const struct destination *d, const struct line *line, int64_t now_ms)
{
    return destination_has_lanes(d) && line->class == STREAM_SECURITY &&
           line->domain->lane->worked && !line_is_shunned(line) && d->operator_until_ms <= now_ms &&
           d->blocked_until_ms <= now_ms && d->count[CONNECTION_OPENING] == 0 &&
           destination_has_room(d, line, now_ms);
}
