// SPDX-License-Identifier: BSD-2-Clause
/* places.c - What one tenant takes of the connections that a destination may have, so that messages
 * of his which it does not answer leave some to the others.
 *
 * A tenant takes at most twice what he leaves free (shares.h). More than that he takes one by one,
 * each when a message has been answered since the last: so who is alone there and is answered may
 * have all of them; but as many are left free as are stuck, and one more where others have used it
 * a short while ago.
 */
#include "queue_moves.h"

enum { SHARED_MS = 60 * 1000, SHARED_LEAST = 5 };

/* A route may be allowed more than the provider's row says. */
unsigned provider_limit(const struct destination *d)
{
    return d->provider->limit > d->window.limit ? d->provider->limit : d->window.limit;
}

unsigned destination_most(const struct destination *d, int64_t now_ms)
{
    unsigned most =
        window_is_capped(&d->window, now_ms) ? window_size(&d->window) : d->window.limit;
    return d->provider && provider_limit(d) < most ? provider_limit(d) : most;
}

static unsigned less(unsigned a, unsigned b)
{
    return a > b ? a - b : 0;
}

/* What is left for such mail of all that there may be, when `own` carried nothing. */
static unsigned left_for(const struct destination *d, bool urgent, const struct connection *own,
                         int64_t now_ms)
{
    unsigned at_work = d->in_use - d->count[CONNECTION_IDLE] - (own != NULL);
    unsigned left = less(destination_most(d, now_ms), at_work);
    unsigned plain_most = less(d->window.limit, reserve_at(d->window.limit, d->urgent_ms, now_ms));
    unsigned plain = less(plain_most, d->plain - (own && own->carries && !own->urgent));
    return urgent || left < plain ? left : plain;
}

static struct place *find(const struct destination *d, const struct tenant *tenant)
{
    for (unsigned i = 0; i < d->places.tenants; i++)
        if (d->places.of[i].tenant == tenant)
            return &d->places.of[i];
    return NULL;
}

unsigned place_held(const struct destination *d, const struct tenant *tenant)
{
    const struct place *p = find(d, tenant);
    return p ? p->held : 0;
}

/* Is one of those within its share? */
static bool has_few(const struct destination *d, const struct line *line,
                    const struct connection *own, unsigned left)
{
    unsigned carries = own && own->carries;
    unsigned carries_theirs = own && own->holder == line->tenant;
    return is_within_share(d->places.held - carries, left) ||
           is_within_share(place_held(d, line->tenant) - carries_theirs, left);
}

/* What a destination bears just now of one pool's mail, whose ever it is. */
struct room {
    const struct destination *destination;
    const struct connection *own;
    unsigned left;
    bool for_all; /* for whoever has his share, too */
};

static struct room room_at(const struct destination *d, bool urgent, const struct connection *own,
                           int64_t now_ms)
{
    bool shared = d->shared_until_ms > now_ms && destination_most(d, now_ms) >= SHARED_LEAST;
    struct room room = {.destination = d, .own = own, .left = left_for(d, urgent, own, now_ms)};
    room.for_all = d->manner == MANNER_ANSWERS && room.left > d->stuck + shared;
    return room;
}

static bool room_bears(const struct line *line, const void *context)
{
    const struct room *room = context;
    return room->for_all || has_few(room->destination, line, room->own, room->left);
}

/* Has it, beside `own`, as many as the server takes of its tenant's mail? */
static bool has_all_it_takes(const struct destination *d, const struct line *line,
                             const struct connection *own, int64_t now_ms)
{
    if (d->own_tenant != line->tenant->id || !window_is_capped(&d->own, now_ms))
        return false;
    unsigned carries_theirs = own && own->holder == line->tenant;
    return place_held(d, line->tenant) - carries_theirs >= d->own.ceiling;
}

bool destination_bears(const struct destination *d, const struct line *line,
                       const struct connection *own, int64_t now_ms)
{
    if (has_all_it_takes(d, line, own, now_ms) || rate_limit_bars(line, own) ||
        slowed_bars(d, line, now_ms) || pause_bars(line, own))
        return false;
    const struct room room = room_at(d, line->class == STREAM_SECURITY, own, now_ms);
    return room_bears(line, &room);
}

bool destination_is_crowded(const struct destination *d, const struct line *line,
                            const struct connection *own, int64_t now_ms)
{
    return !has_few(d, line, own, left_for(d, line->class == STREAM_SECURITY, own, now_ms));
}

bool destination_bears_nobody(const struct queue *q, const struct destination *d, bool urgent,
                              int64_t now_ms)
{
    const struct room room = room_at(d, urgent, NULL, now_ms);
    return room.left == 0 ||
           (room.left == 1 && !room.for_all && d->places.tenants >= q->tenants.count);
}

void place_taken(struct destination *d, const struct tenant *tenant, int64_t now_ms)
{
    if (d->users.last != tenant->id && d->users.last != 0)
        d->shared_until_ms = now_ms + SHARED_MS;
    users_note(&d->users, tenant->id);
    struct places *all = &d->places;
    struct place *p = find(d, tenant);
    if (!p) {
        if (all->tenants == all->room) {
            all->room = all->room > 0 ? 2 * all->room : 2;
            all->of = xgrow(all->of, all->room, sizeof(*all->of));
        }
        p = &all->of[all->tenants++];
        *p = (struct place){.tenant = tenant};
    }
    p->held++;
    all->held++;
}

void place_left(struct destination *d, const struct tenant *tenant)
{
    struct place *p = find(d, tenant);
    CHECK(p && p->held > 0);
    d->places.held--;
    if (--p->held == 0)
        *p = d->places.of[--d->places.tenants];
}
