// SPDX-License-Identifier: BSD-2-Clause
/* rate_limits.c - A server takes no more of our mail for now, and says so at MAIL by a 4xx: what is
 * sent there rests, and then one message at a time finds out whether that is over.
 *
 *   SUSPECTED ──(three in a row)──▶ RESTS ──(two seconds)──▶ ASKS
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
 * It rests for two seconds each time and no longer: a server may refuse some senders and not
 * others, whose mail would wait for those.
 */
#include "queue_moves.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum { ROW = 3, IDLE_MAX = 256, REPLY_MAX = 16 };
enum { REST_MS = 2000, ASK_MS = 1000, QUIET_MS = 5 * 1000, LASTS_MS = 5 * 60 * 1000 };
enum { KNOWN_MS = 10 * 60 * 1000 };

enum limit_state {
    LIMIT_SUSPECTED,
    LIMIT_RESTS,
    LIMIT_ASKS, /* one message at a time may go */
    LIMIT_KNOWN
};

struct rate_limit {
    struct rate_limit *next, *prev; /* tenant->limits, while it holds up nothing */
    struct destination *destination;
    struct tenant *tenant;
    enum limit_state state;
    bool alone; /* nobody else's mail is there: it is shown as about all */
    bool told;  /* the operator knows that it lasts */
    uint32_t place;
    int64_t wake_ms;       /* queue.limit_wakes */
    int64_t since_ms;      /* it has held up mail */
    int64_t known_ms;      /* until then one refusal shows it again */
    uint64_t refused;      /* last, as queue.serial counts */
    unsigned row;          /* such refusals, none taken between them */
    char reply[REPLY_MAX]; /* its codes */
    struct window rest;    /* only its rest */
    char *why;             /* RESTS, ASKS */
};

/* ---- a table of them at each destination ---- */

static uint64_t hash_limit(const void *item)
{
    return ((const struct rate_limit *)item)->tenant->id;
}

static bool same_limit(const void *a, const void *b)
{
    return ((const struct rate_limit *)a)->tenant == ((const struct rate_limit *)b)->tenant;
}

static bool by_wake(const void *a, const void *b)
{
    return ((const struct rate_limit *)a)->wake_ms < ((const struct rate_limit *)b)->wake_ms;
}

void rate_limits_init(struct queue *q)
{
    heap_init(&q->limit_wakes, by_wake, offsetof(struct rate_limit, place));
}

void rate_limits_begin(struct destination *d)
{
    pointer_table_init(&d->limits, hash_limit, same_limit);
}

static struct rate_limit *find(const struct destination *d, const struct tenant *tenant)
{
    struct rate_limit key = {.tenant = (struct tenant *)(uintptr_t)tenant}; /* only compared */
    return d->limits.count > 0 ? pointer_table_find(&d->limits, &key) : NULL;
}

static bool is_active(const struct rate_limit *l)
{
    return l->state == LIMIT_RESTS || l->state == LIMIT_ASKS;
}

/* It begins or ceases to be what its state says. */
static void count(struct rate_limit *l, bool begins)
{
    unsigned step = begins ? 1 : -1U;
    if (is_active(l)) {
        l->destination->limited += step;
        return;
    }
    l->tenant->limit_count += step;
    if (begins)
        DL_APPEND(l->tenant->limits, l);
    else
        DL_DELETE(l->tenant->limits, l);
}

static void move(struct queue *q, struct rate_limit *l, enum limit_state state, int64_t wake_ms)
{
    count(l, false);
    l->state = state;
    count(l, true);
    l->wake_ms = wake_ms;
    heap_moved(&q->limit_wakes, l);
    destination_touch(q, l->destination);
}

static void drop(struct queue *q, struct rate_limit *l)
{
    struct tenant *tenant = l->tenant;
    count(l, false);
    heap_take(&q->limit_wakes, l);
    pointer_table_drop(&l->destination->limits, l);
    tenant->users--;
    tenant_drop(q, tenant);
    free(l->why);
    free(l);
}

static struct rate_limit *add(struct queue *q, struct destination *d, struct tenant *tenant)
{
    struct rate_limit *l = xcalloc(1, sizeof(*l));
    l->destination = d;
    l->tenant = tenant;
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

void rate_limit_takes(struct queue *q, const struct connection *c, int64_t now_ms)
{
    struct rate_limit *l = find(c->lane->destination, c->holder);
    if (!l)
        return;
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

/* ---- what is known ---- */

static struct rate_limit *need(struct queue *q, struct destination *d, struct tenant *tenant)
{
    struct rate_limit *l = find(d, tenant);
    while (!l && tenant->limit_count >= IDLE_MAX)
        drop(q, tenant->limits);
    return l ? l : add(q, d, tenant);
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
    snprintf(text, sizeof(text), "%s%.60s%s%s", l->alone ? "" : "mail of tenant ",
             l->alone ? "" : l->tenant->name, l->alone ? "" : " only: ", why);
    free(l->why);
    l->why = xstrdup(text);
    if (d->operator_until_ms <= now_ms && (l->alone || !window_rests(&d->window, now_ms)))
        destination_set_why(d, l->why); /* else it says why all rests */
}

static void rest(struct queue *q, struct rate_limit *l, const char *why, int64_t now_ms)
{
    struct destination *d = l->destination;
    bool alone = q->tenants.count < 2 && d->shared_until_ms <= now_ms;
    if (!is_active(l)) {
        l->since_ms = now_ms;
        l->told = false;
        l->alone = alone;
    }
    if (!window_rest(&l->rest, REST_MS, now_ms))
        return;
    l->alone = l->alone && alone;
    if (l->alone)
        d->window.size = 1; /* it begins anew when that is over */
    set_why(l, why, now_ms);
    move(q, l, LIMIT_RESTS, l->rest.rest_until_ms);
    tell(q, l, now_ms);
}

bool rate_limit_refuses(struct queue *q, const struct connection *c, const char *why,
                        int64_t now_ms)
{
    struct rate_limit *l = need(q, c->lane->destination, c->holder);
    l->refused = ++q->serial;
    if (!shows(l, why)) {
        move(q, l, LIMIT_SUSPECTED, now_ms + KNOWN_MS);
        return false;
    }
    rest(q, l, why, now_ms);
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

/* Mail of that tenant's that is spoken of just now, but for `own`. */
static bool is_tried(const struct destination *d, const struct tenant *tenant,
                     const struct connection *own)
{
    for (const struct connection *c = d->connections; c; c = c->next_of)
        if (c != own && !c->stuck && c->holder == tenant)
            return true;
    return false;
}

static void wake(struct queue *q, struct rate_limit *l, int64_t now_ms)
{
    switch (l->state) {
    case LIMIT_RESTS:
        move(q, l, LIMIT_ASKS, now_ms + QUIET_MS);
        return;
    case LIMIT_ASKS:
        if (is_tried(l->destination, l->tenant, NULL))
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

/* ---- questions ---- */

bool rate_limit_rests(const struct connection *c)
{
    const struct rate_limit *l = find(c->lane->destination, c->holder);
    return l && l->state == LIMIT_RESTS;
}

bool rate_limit_bars(const struct destination *d, const struct tenant *tenant,
                     const struct connection *own)
{
    const struct rate_limit *l = d->limited > 0 ? find(d, tenant) : NULL;
    return l && (l->state == LIMIT_RESTS || (l->state == LIMIT_ASKS && is_tried(d, tenant, own)));
}

/* Until then it holds up mail, as far as is known: what asks will have an answer soon. */
static int64_t holds_until(const struct rate_limit *l, int64_t now_ms)
{
    if (!is_active(l))
        return 0;
    return window_rests(&l->rest, now_ms) ? l->rest.rest_until_ms : now_ms + ASK_MS;
}

static const struct rate_limit *longest(const struct destination *d, bool alone, int64_t now_ms)
{
    const struct rate_limit *best = NULL;
    const struct rate_limit *l;
    size_t at = 0;
    while (d->limited > 0 && (l = pointer_table_next(&d->limits, &at)))
        if (is_active(l) && l->alone == alone &&
            (!best || holds_until(l, now_ms) > holds_until(best, now_ms)))
            best = l;
    return best;
}

int64_t rate_limit_rest_ms(const struct destination *d, unsigned *failures_r, int64_t now_ms)
{
    const struct rate_limit *l = longest(d, true, now_ms);
    *failures_r = l ? l->rest.failures : 0;
    return l ? holds_until(l, now_ms) - now_ms : 0;
}

struct tenant_rest rate_limit_of_tenant(const struct destination *d, int64_t now_ms)
{
    const struct rate_limit *l = longest(d, false, now_ms);
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
        CHECK(is_active(l) == (l->why != NULL));
        active += is_active(l);
    }
    CHECK(d->limited == active);
}
