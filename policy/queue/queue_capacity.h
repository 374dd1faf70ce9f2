// SPDX-License-Identifier: BSD-2-Clause
/* queue_capacity.h - How many connections each may have, of all and at a destination, and who gives
 * one back: what limits.c, places.c, wants.c, capacity.c, hurry.c and partial_rests.c do for the
 * other files. */
#ifndef QUEUE_CAPACITY_H
#define QUEUE_CAPACITY_H

#include "queue_state.h"

/* ---- limits.c ---- */

unsigned plain_max(const struct queue *q);
bool queue_has_room(const struct queue *q, bool urgent);
/* Connections of its provider, or its own. */
unsigned destination_group_in_use(const struct destination *d);
/* Would its own limits and its provider's bear one connection more, for this line's mail? And would
 * that leave enough to other tenants, too? */
bool destination_has_place(const struct destination *d, const struct line *line, int64_t now_ms);
bool destination_has_room(const struct destination *d, const struct line *line, int64_t now_ms);
bool destination_is_proven(const struct destination *d, int64_t now_ms);
/* Was the last message to it answered where it leads? */
static inline bool domain_is_good(const struct domain *domain)
{
    return domain->lane && domain->good_lane == domain->lane->id;
}

/* Does its mail rest where it leads, and not that of others? Then nothing is opened for it. */
bool destination_may_open(const struct destination *d, const struct line *line, int64_t now_ms);
/* Though it rests: may this line's security mail try it, where mail has gone through before? */
bool destination_may_probe(const struct destination *d, const struct line *line, int64_t now_ms);
/* Do domains lead to several sets of hosts there, of which one may fail and others not? */
static inline bool destination_has_lanes(const struct destination *d)
{
    return d->provider && d->lanes > 1;
}

/* May there be a place for one tenant, and none for another? */
bool destination_tells_apart(const struct destination *d);
/* May an open connection of it carry mail that is not of class security? */
bool destination_may_carry_plain(const struct destination *d, int64_t now_ms);
/* When its window grows, if all its connections stay busy with what they have: slow is not refused.
 * INT64_MAX: never. */
int64_t destination_grows_at(const struct destination *d, int64_t now_ms);
/* If it is time for that. */
void destination_grow(struct destination *d, int64_t now_ms);

/* ---- places.c ---- */

/* A route may be allowed more than the provider's row says. */
unsigned provider_limit(const struct destination *d);
/* Connections that it may have at most, as far as is known: its window grows up to that. */
unsigned destination_most(const struct destination *d, int64_t now_ms);
/* May one connection more carry this line's mail, of all that it may have; or `own`, which is busy,
 * go on with it? */
bool destination_bears(const struct destination *d, const struct line *line,
                       const struct connection *own, int64_t now_ms);
/* Certainly not, of one pool's mail, whose ever it is: of the last place, where all tenants have
 * some. */
bool destination_bears_nobody(const struct queue *q, const struct destination *d, bool urgent,
                              int64_t now_ms);
/* `own` is about to carry this line's mail: is that more than its tenant's share? */
bool destination_is_crowded(const struct destination *d, const struct line *line,
                            const struct connection *own, int64_t now_ms);
/* A connection carries that tenant's mail; it does so no more. */
void place_taken(struct destination *d, const struct tenant *tenant, int64_t now_ms);
void place_left(struct destination *d, const struct tenant *tenant);
unsigned place_held(const struct destination *d, const struct tenant *tenant);

/* ---- wants.c ---- */

void wants_init(struct queue *q);
void wants_fini(struct queue *q);
/* May it have one beyond a tenant's share? BEYOND_KINDS: no. */
enum beyond destination_beyond(const struct destination *d);
/* It wants one for that line, and for nothing any more. */
void want_put(struct queue *q, struct want *w, const struct line *line);
void want_take(struct destination *d);
bool wants_any(const struct destination *d);
static inline enum pool line_pool(const struct line *line)
{
    return line->class == STREAM_SECURITY ? POOL_URGENT : POOL_PLAIN;
}

/* ---- capacity.c ---- */

enum { QUEUE_SLOW_OPENING_MS = 1000, QUEUE_LONG_BUSY_MS = 10 * 1000 };

/* May this line's mail have one of them, within its tenant's share or beyond it? */
bool capacity_may_have(const struct queue *q, const struct line *line);
/* Would its tenant's share bear another connection beside one for this line? */
bool capacity_bears_another(const struct queue *q, const struct line *line);
/* And has it all that it may have? */
bool capacity_is_used_up(const struct queue *q, const struct tenant *tenant, enum pool pool);
/* What the next connection to this destination is for, of one pool's mail: the best of a tenant
 * that may have one, or just the best: that too when it is full, for any tenant's. */
struct line *line_to_open(const struct queue *q, struct destination *d, enum pool pool,
                          int64_t now_ms, bool *full_r);
/* When it opens: what is overdue goes first, and codes only within their tenant's part. */
struct line *line_that_opens(const struct queue *q, const struct want *w, int64_t now_ms);
/* Might this connection, which is idle or at the end of a message, carry this line's mail if it led
 * to the same hosts? Not what rests there for its tenant, unless it was that tenant's before. */
bool connection_bears(const struct connection *c, const struct line *line, int64_t now_ms);
/* The best of those at its destination, of one pool or of both; what it may carry of its lane's. */
struct line *destination_first(const struct connection *c, enum pool pool, int64_t now_ms);
struct line *lane_first(const struct queue *q, const struct connection *c, int64_t now_ms);
/* Who is to have the next connection; NULL: nobody may. */
struct want *capacity_next(struct queue *q);
/* When to look again for somebody whom that may not have seen; INT64_MAX: not. */
int64_t capacity_looks_at(const struct queue *q, int64_t now_ms);
/* A destination that might have one, and has none only because its tenant has all that it may have;
 * NULL: none. */
const struct want *capacity_own(const struct queue *q, const struct tenant *tenant, enum pool pool);
/* Connections that carry that tenant's mail. */
size_t capacity_held(const struct queue *q, const struct tenant *tenant);
/* Destinations that want one. */
size_t capacity_waiting(const struct queue *q);
/* Does class security want a connection, or anybody, that might have it if one were free? */
bool urgent_waits(struct queue *q);
bool somebody_waits(struct queue *q);
bool more_wait_than_leave(const struct queue *q);

/* ---- hurry.c ---- */

/* Who is busy there for long has to hurry. Returns when to look again. */
int64_t capacity_hurry_at(struct queue *q, struct destination *d, int64_t now_ms);
/* Others wait: idle connections go, and those that do not open; the busy ones hurry. */
void capacity_make_room(struct queue *q, int64_t now_ms);

/* ---- partial_rests.c ---- */

/* It begins, or ends, to lead there. */
void domain_leads_good(struct domain *domain, struct lane *lane, bool begins);
/* A message to it was answered there. */
void domain_answered(struct queue *q, struct domain *domain, struct lane *lane);
/* A connection broke over one. True: it was good till now. */
bool domain_broke(struct domain *domain, struct lane *lane);

#endif
