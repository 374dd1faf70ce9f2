// SPDX-License-Identifier: BSD-2-Clause
/* rate_limits.c - A server takes no more of our mail for now, and says so at MAIL by a 4xx: what is
 * sent there rests, and then one message at a time finds out whether that is over.
 *
 *   SUSPECTED ──(three in a row)──▶ RESTS ──(its time)────▶ ASKS
 *                                   ▲   ▲                     │ │
 *                                   │   ╰──────(refused)──────╯ │
 *                                   ╰──(refused)── KNOWN ◀──────╯ (taken, or nobody is left)
 *
 * Each tenant has one of its own at each destination, so that what others meet there, which may be
 * about their senders, holds up nobody. Of those that hold up none of its mail it has so many at
 * most: the one that was met longest ago makes room. A message of the tenant's that is taken ends
 * its row; it ends a rest only when it was begun after the last refusal: what the server had taken
 * before says nothing. Mail that only meets what is known has not been tried.
 *
 * Where a provider has several sets of hosts, each has its own, until three of them show one: then
 * it is the provider's. Lines that one set holds up are set aside, for the sake of those behind.
 *
 * A server may refuse one sender only, as greylisting does that does not say so: when it has taken
 * some mail of others, and none of his, what it refuses of his is the message's own.
 *
 * It rests for two seconds at first, as most limits end within a minute, and some are about some
 * senders only, whose mail others wait for. One that goes on rests for an eighth of the time that
 * it has lasted, up to five minutes: so it is met for an eighth longer than it is there, and a
 * server that refuses for days is asked a few hundred times a day. New mail of class security has
 * it asked sooner: after an eighth of that. When a message is taken all begins anew. Over all its
 * limits a tenant asks ten times in a second at most (ask_turns.c).
 */
#include "queue_moves.h"

#include "rate_limit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum { ROW = 3, OTHERS = 3, IDLE_MAX = 256 };
enum { REST_MS = 2000, REST_MAX_MS = 5 * 60 * 1000, REST_PART = 8 };
enum { QUIET_MS = 5 * 1000, LASTS_MS = 5 * 60 * 1000 };
enum { KNOWN_MS = 10 * 60 * 1000 };

/* ---- a table of them at each destination ---- */

static bool by_wake(const void *a, const void *b)
{
    return ((const struct rate_limit *)a)->wake_ms < ((const struct rate_limit *)b)->wake_ms;
}

void rate_limits_init(struct queue *q)
{
    heap_init(&q->limit_wakes, by_wake, offsetof(struct rate_limit, place));
}

/* It begins or ceases to be what its state says. */
static void count(struct rate_limit *l, bool begins)
{
    unsigned step = begins ? 1 : -1U;
    if (rate_limit_is_active(l)) {
        l->destination->limited += step;
        return;
    }
    l->tenant->limit_count += step;
    if (begins)
        DL_APPEND(l->tenant->limits, l);
    else
        DL_DELETE(l->tenant->limits, l);
}

/* What it sets aside stands again, and is set aside once more where that is so. */
static void lets_go(struct queue *q, const struct rate_limit *l)
{
    if (l->lane)
        lane_puts_back(q, l->lane);
    destination_touch(q, l->destination);
}

static void move(struct queue *q, struct rate_limit *l, enum limit_state state, int64_t wake_ms)
{
    ask_turn_leave(q, l);
    count(l, false);
    l->state = state;
    count(l, true);
    l->wake_ms = wake_ms;
    heap_moved(&q->limit_wakes, l);
    lets_go(q, l);
}

static void drop(struct queue *q, struct rate_limit *l)
{
    struct tenant *tenant = l->tenant;
    ask_turn_leave(q, l);
    count(l, false);
    heap_take(&q->limit_wakes, l);
    pointer_table_drop(&l->destination->limits, l);
    if (l->lane)
        l->lane->limits--;
    lets_go(q, l);
    tenant->users--;
    tenant_drop(q, tenant);
    free(l->why);
    free(l);
}

static struct rate_limit *add(struct queue *q, struct destination *d, struct tenant *tenant,
                              struct lane *lane_or_null)
{
    struct rate_limit *l = xcalloc(1, sizeof(*l));
    l->destination = d;
    l->tenant = tenant;
    l->lane = lane_or_null;
    if (l->lane)
        l->lane->limits++;
    l->wake_ms = INT64_MAX;
    tenant->users++;
    count(l, true);
    pointer_table_add(&d->limits, l);
    heap_push(&q->limit_wakes, l);
    return l;
}

void rate_limits_free(struct queue *q, struct destination *d)
{
    for (size_t at = 0; d->limits.count > 0; at = 0)
        drop(q, pointer_table_next(&d->limits, &at));
    pointer_table_fini(&d->limits);
}

void rate_limits_leave(struct queue *q, const struct lane *lane)
{
    struct rate_limit *l;
    size_t at = 0;
    while (lane->limits > 0 && (l = pointer_table_next(&lane->destination->limits, &at)))
        if (l->lane == lane) {
            drop(q, l);
            at = 0;
        }
}

void rate_limits_fini(struct queue *q)
{
    while (q->limit_wakes.count > 0)
        drop(q, heap_first(&q->limit_wakes));
    heap_fini(&q->limit_wakes);
}

/* ---- its end ---- */

/* What told of it is of no interest any more. */
static void forget_why(struct rate_limit *l)
{
    struct destination *d = l->destination;
    if (d->why && l->why && strcmp(d->why, l->why) == 0) {
        free(d->why);
        d->why = NULL;
    }
    free(l->why);
    l->why = NULL;
}

static void end(struct queue *q, struct rate_limit *l, int64_t now_ms)
{
    if (l->row >= ROW) /* what was known before it does not renew itself */
        l->known_ms = now_ms + KNOWN_MS;
    l->row = 0;
    move(q, l, LIMIT_KNOWN, l->known_ms);
    window_greeted(&l->rest);
    if (l->alone || l->told)
        decide(q, (struct queue_decision){.kind = QUEUE_EVENT,
                                          .reason = QUEUE_LIMIT_OVER,
                                          .destination = l->destination->name,
                                          .text = l->why ? l->why : ""});
    forget_why(l);
}

/* ---- one sender's ---- */

static void note_refused(struct rate_limit *l, uint32_t sender)
{
    if (l->sender != sender)
        l->others = 0;
    l->sender = sender;
}

static void note_taken(struct rate_limit *l, uint32_t sender)
{
    if (sender != 0)
        l->others = sender == l->sender ? 0 : l->others + 1;
}

static bool is_of_sender(const struct rate_limit *l, uint32_t sender)
{
    return sender != 0 && sender == l->sender && l->others >= OTHERS;
}

static void takes(struct queue *q, struct rate_limit *l, const struct connection *c, int64_t now_ms)
{
    note_taken(l, c->sender);
    switch (l->state) {
    case LIMIT_SUSPECTED:
        drop(q, l);
        return;
    case LIMIT_RESTS:
    case LIMIT_ASKS:
        if (c->carried > l->refused)
            end(q, l, now_ms);
        return;
    case LIMIT_KNOWN:
        return;
    }
    UNREACHABLE();
}

void rate_limit_takes(struct queue *q, const struct connection *c, int64_t now_ms)
{
    const struct destination *d = c->lane->destination;
    struct rate_limit *all = rate_limit_find(d, c->holder, NULL);
    struct rate_limit *own = rate_limit_find(d, c->holder, c->lane);
    if (all)
        takes(q, all, c, now_ms);
    if (own)
        takes(q, own, c, now_ms);
}

/* ---- what is known ---- */

static struct rate_limit *need(struct queue *q, struct destination *d, struct tenant *tenant,
                               struct lane *lane_or_null)
{
    struct rate_limit *l = rate_limit_find(d, tenant, lane_or_null);
    while (!l && tenant->limit_count >= IDLE_MAX)
        drop(q, tenant->limits);
    return l ? l : add(q, d, tenant, lane_or_null);
}

/* Of a provider's hosts one set says little of the others: until several do. */
static struct rate_limit *need_of(struct queue *q, const struct connection *c)
{
    struct destination *d = c->lane->destination;
    struct rate_limit *all = rate_limit_find(d, c->holder, NULL);
    bool by_lane = destination_has_lanes(d) && !(all && rate_limit_is_active(all));
    return need(q, d, c->holder, by_lane ? c->lane : NULL);
}

/* The codes of a reply: "450 4.7.1". Its text may have an address or a time in it. */
static void copy_codes(const char *why, char codes_r[REPLY_MAX])
{
    struct span text = span_of(why);
    struct span code = span_take(&text, ' ');
    struct span enhanced = span_take(&text, ' ');
    snprintf(codes_r, REPLY_MAX, "%.*s %.*s", SPAN_ARG(code), SPAN_ARG(enhanced));
}

/* Is it a limit, after one more refusal? Else that may be about the message. */
static bool shows(struct rate_limit *l, const char *why)
{
    char codes[REPLY_MAX];
    copy_codes(why, codes);
    if (strcmp(l->reply, codes) != 0)
        l->row = 0;
    snprintf(l->reply, sizeof(l->reply), "%s", codes);
    l->row++;
    return l->state != LIMIT_SUSPECTED || l->row >= ROW;
}

/* ---- rest ---- */

/* One that goes on is told each time that it has done so twice as often, and once that it lasts. */
static void tell(struct queue *q, struct rate_limit *l, int64_t now_ms)
{
    unsigned failures = l->rest.failures;
    bool lasts = !l->told && now_ms - l->since_ms >= LASTS_MS;
    struct queue_decision event = {.kind = QUEUE_EVENT,
                                   .destination = l->destination->name,
                                   .text = l->why,
                                   .rest_ms = l->rest.rest_until_ms - now_ms};
    if ((failures & (failures - 1)) == 0)
        decide(q, event);
    if (!lasts)
        return;
    l->told = true;
    event.reason = QUEUE_LIMIT_LASTS;
    event.rest_ms = now_ms - l->since_ms;
    decide(q, event);
}

static void set_why(struct rate_limit *l, const char *why, int64_t now_ms)
{
    struct destination *d = l->destination;
    char text[QUEUE_WHY_MAX];
    const char *where = l->lane ? " to some hosts only: " : " only: ";
    snprintf(text, sizeof(text), "%s%.60s%s%s", l->alone ? "" : "mail of tenant ",
             l->alone ? "" : l->tenant->name, l->alone ? "" : where, why);
    free(l->why);
    l->why = xstrdup(text);
    if (d->operator_until_ms <= now_ms && (l->alone || !window_rests(&d->window, now_ms)))
        destination_set_why_of(d, l->alone ? NULL : l->tenant, l->why,
                               now_ms); /* else it says why all rests */
}

static int64_t part_of(int64_t for_ms, int64_t most_ms)
{
    int64_t part_ms = for_ms / REST_PART;
    return part_ms < REST_MS ? REST_MS : part_ms < most_ms ? part_ms : most_ms;
}

static void rest(struct queue *q, struct rate_limit *l, const char *why, int64_t now_ms)
{
    struct destination *d = l->destination;
    bool alone = q->tenants.count < 2 && d->shared_until_ms <= now_ms && !l->lane;
    if (!rate_limit_is_active(l)) {
        l->since_ms = now_ms;
        l->told = false;
        l->alone = alone;
    }
    if (!window_rest(&l->rest, part_of(now_ms - l->since_ms, REST_MAX_MS), now_ms))
        return;
    l->rested_ms = now_ms;
    l->hastened = false;
    l->alone = l->alone && alone;
    if (l->alone)
        d->window.size = 1; /* it begins anew when that is over */
    set_why(l, why, now_ms);
    move(q, l, LIMIT_RESTS, l->rest.rest_until_ms);
    tell(q, l, now_ms);
}

/* When several sets of hosts show it, it is about all of them. */
static void widen(struct queue *q, const struct rate_limit *one, const char *why, int64_t now_ms)
{
    const struct destination *d = one->destination;
    struct rate_limit *l;
    unsigned lanes = 0;
    for (size_t at = 0; (l = pointer_table_next(&d->limits, &at));)
        lanes += l->lane && l->tenant == one->tenant && rate_limit_is_active(l);
    if (lanes < LANES_TO_SHOW)
        return;
    for (size_t at = 0; (l = pointer_table_next(&d->limits, &at));)
        if (l->lane && l->tenant == one->tenant && rate_limit_is_active(l))
            end(q, l, now_ms);
    l = need(q, one->destination, one->tenant, NULL);
    l->refused = ++q->serial;
    rest(q, l, why, now_ms);
}

bool rate_limit_refuses(struct queue *q, const struct connection *c, const char *why,
                        int64_t now_ms)
{
    struct rate_limit *l = need_of(q, c);
    bool was_active = rate_limit_is_active(l);
    if (is_of_sender(l, c->sender))
        return false;
    note_refused(l, c->sender);
    l->refused = ++q->serial;
    shun_suspect(q, l->destination, l->tenant, now_ms);
    if (!shows(l, why)) {
        move(q, l, LIMIT_SUSPECTED, now_ms + KNOWN_MS);
        return false;
    }
    rest(q, l, why, now_ms);
    if (l->lane && !was_active)
        widen(q, l, why, now_ms);
    return true;
}

void rate_limits_forget(struct queue *q, struct destination *d, int64_t now_ms)
{
    size_t at = 0;
    struct rate_limit *l;
    while ((l = pointer_table_next(&d->limits, &at))) {
        window_forget(&l->rest);
        if (l->state == LIMIT_RESTS)
            move(q, l, LIMIT_ASKS, now_ms + QUIET_MS);
    }
}

int64_t rate_limit_soon_ms(const struct rate_limit *l, int64_t now_ms)
{
    int64_t until_ms = l->rest.rest_until_ms;
    int64_t soon_ms = l->rested_ms + part_of(until_ms - l->rested_ms, REST_MAX_MS);
    soon_ms = soon_ms > now_ms ? soon_ms : now_ms;
    return l->hastened || ask_turn_is_awaited(l) || soon_ms >= until_ms ? until_ms : soon_ms;
}

/* Its rest ends sooner, once; or its turn comes sooner. */
static void hasten(struct queue *q, struct rate_limit *l, int64_t now_ms)
{
    if (!l || l->state != LIMIT_RESTS)
        return;
    ask_turn_is_urgent(l);
    int64_t soon_ms = rate_limit_soon_ms(l, now_ms);
    if (soon_ms >= l->rest.rest_until_ms)
        return;
    l->hastened = true;
    l->rest.rest_until_ms = l->wake_ms = soon_ms;
    heap_moved(&q->limit_wakes, l);
    destination_touch(q, l->destination);
}

void rate_limit_hastens(struct queue *q, const struct line *line, int64_t now_ms)
{
    struct lane *lane = line->domain->lane;
    if (line->class != STREAM_SECURITY || !lane || lane->destination->limited == 0)
        return;
    hasten(q, rate_limit_find(lane->destination, line->tenant, NULL), now_ms);
    hasten(q, rate_limit_find(lane->destination, line->tenant, lane), now_ms);
}

static void wake(struct queue *q, struct rate_limit *l, int64_t now_ms)
{
    switch (l->state) {
    case LIMIT_RESTS:
        if (ask_turn_is_awaited(l))
            move(q, ask_turn_next(q, l->tenant, now_ms), LIMIT_ASKS, now_ms + QUIET_MS);
        else
            ask_turn_wait(q, l, now_ms);
        return;
    case LIMIT_ASKS:
        if (rate_limit_is_tried(l, NULL))
            move(q, l, LIMIT_ASKS, now_ms + QUIET_MS);
        else
            end(q, l, now_ms);
        return;
    case LIMIT_SUSPECTED:
    case LIMIT_KNOWN:
        drop(q, l);
        return;
    }
    UNREACHABLE();
}

int64_t rate_limits_wake_ms(const struct queue *q)
{
    const struct rate_limit *first = heap_first(&q->limit_wakes);
    return first ? first->wake_ms : INT64_MAX;
}

void rate_limits_wake(struct queue *q, int64_t now_ms)
{
    while (rate_limits_wake_ms(q) <= now_ms)
        wake(q, heap_first(&q->limit_wakes), now_ms);
}

void rate_limit_was_asked(struct queue *q, const struct connection *c)
{
    if (c->lane->limits > 0)
        lane_puts_back(q, c->lane);
}
