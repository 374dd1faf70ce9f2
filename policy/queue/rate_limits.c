// SPDX-License-Identifier: BSD-2-Clause
/* rate_limits.c - A server takes no more of our mail for now, and says so at MAIL by a 4xx: what is
 * sent there rests, and then one message at a time finds out whether that is over.
 *
 * Three equal refusals in a row show it. Each tenant has a limit of its own, and one message of its
 * own that asks: what others meet there, which may be about their senders, holds up nobody. A
 * message of the tenant's that is taken ends its row. Mail that only meets what is known has not
 * been tried.
 *
 * It rests for two seconds each time and no longer: a server may refuse some senders (a limit or
 * greylisting of each) and not others, whose mail would wait for those.
 */
#include "queue_moves.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROW = 3, REST_MS = 2000, KNOWN_MS = 10 * 60 * 1000, REPLY_MAX = 16 };

/* `of[0]`: of the only tenant there is, so of all mail there; the others of one tenant's each. */
enum { OF_ONLY, TENANTS = 5 };

struct rate_limit {
    uint64_t tenant;       /* its id */
    unsigned row;          /* such refusals, none taken between them */
    char reply[REPLY_MAX]; /* its codes */
    struct window rest;    /* only its rest */
    bool shown;            /* by a whole row since it was last over */
    int64_t known_until_ms;
    char *name, *why; /* the tenant's, and why it rests; NULL: it never has */
};

struct rate_limits {
    struct destination *destination;
    struct rate_limit of[TENANTS];
    uint32_t place; /* queue.limit_wakes */
    int64_t wake_ms;
};

static bool by_wake(const void *a, const void *b)
{
    return ((const struct rate_limits *)a)->wake_ms < ((const struct rate_limits *)b)->wake_ms;
}

void rate_limits_init(struct queue *q)
{
    heap_init(&q->limit_wakes, by_wake, offsetof(struct rate_limits, place));
}

void rate_limits_fini(struct queue *q)
{
    heap_fini(&q->limit_wakes);
}

static void drop_texts(struct rate_limit *l)
{
    free(l->name);
    free(l->why);
    l->name = l->why = NULL;
}

void rate_limits_free(struct queue *q, struct destination *d)
{
    if (d->limits && d->limits->place != 0)
        heap_take(&q->limit_wakes, d->limits);
    for (size_t i = 0; d->limits && i < TENANTS; i++)
        drop_texts(&d->limits->of[i]);
    free(d->limits);
    d->limits = NULL;
}

/* ---- what is known ---- */

static bool is_active(const struct rate_limit *l)
{
    return l->rest.failures > 0;
}

static struct rate_limit *find(struct rate_limits *all, const struct tenant *tenant)
{
    for (size_t i = OF_ONLY + 1; i < TENANTS; i++)
        if (all->of[i].tenant == tenant->id)
            return &all->of[i];
    return NULL;
}

/* The one that is of the least use makes room; NULL: all are needed. */
static struct rate_limit *need(struct rate_limits *all, const struct tenant *tenant)
{
    struct rate_limit *l = find(all, tenant);
    for (size_t i = OF_ONLY + 1; i < TENANTS && !(l && l->tenant == tenant->id); i++)
        if (!is_active(&all->of[i]) && (!l || all->of[i].row < l->row))
            l = &all->of[i];
    if (l && l->tenant != tenant->id) {
        drop_texts(l);
        *l = (struct rate_limit){.tenant = tenant->id};
    }
    return l;
}

/* The codes of a reply: "450 4.7.1". Its text may have an address or a time in it. */
static void copy_codes(const char *why, char codes_r[REPLY_MAX])
{
    struct span text = span_of(why);
    struct span code = span_take(&text, ' ');
    struct span enhanced = span_take(&text, ' ');
    snprintf(codes_r, REPLY_MAX, "%.*s %.*s", SPAN_ARG(code), SPAN_ARG(enhanced));
}

static void count(struct rate_limit *l, const char *codes)
{
    if (strcmp(l->reply, codes) != 0)
        l->row = 0;
    snprintf(l->reply, sizeof(l->reply), "%s", codes);
    l->row++;
    l->shown = l->shown || l->row >= ROW;
}

static bool shows(const struct rate_limit *l, int64_t now_ms)
{
    return is_active(l) || l->row >= ROW || (l->row > 0 && l->known_until_ms > now_ms);
}

/* Where there is one tenant only, it is shown as about all mail. */
static struct rate_limit *need_only(struct rate_limits *all, const struct tenant *tenant)
{
    struct rate_limit *only = &all->of[OF_ONLY];
    if (only->tenant == tenant->id)
        return only;
    drop_texts(only);
    *only = (struct rate_limit){.tenant = tenant->id};
    return only;
}

static bool is_of(const struct rate_limit *only, const struct tenant *tenant)
{
    return is_active(only) && only->tenant == tenant->id;
}

/* The tenant's, when it shows by now; NULL: it may be about the message. */
static struct rate_limit *note(const struct queue *q, struct rate_limits *all,
                               const struct tenant *tenant, const char *why, int64_t now_ms)
{
    char codes[REPLY_MAX];
    bool only = q->tenants.count < 2 || is_of(&all->of[OF_ONLY], tenant);
    struct rate_limit *l = only ? need_only(all, tenant) : need(all, tenant);
    if (!l)
        return NULL;
    copy_codes(why, codes);
    count(l, codes);
    return shows(l, now_ms) ? l : NULL;
}

/* ---- rest ---- */

/* When the first of them has to be looked at again; INT64_MAX: never. */
static int64_t next_ms(const struct rate_limits *all, int64_t now_ms)
{
    int64_t at_ms = INT64_MAX;
    for (size_t i = 0; i < TENANTS; i++)
        if (window_rests(&all->of[i].rest, now_ms) && all->of[i].rest.rest_until_ms < at_ms)
            at_ms = all->of[i].rest.rest_until_ms;
    return at_ms;
}

static void set_wake(struct queue *q, struct rate_limits *all, int64_t now_ms)
{
    int64_t at_ms = next_ms(all, now_ms);
    if (all->place != 0)
        heap_take(&q->limit_wakes, all);
    all->wake_ms = at_ms;
    if (at_ms != INT64_MAX)
        heap_push(&q->limit_wakes, all);
    destination_touch(q, all->destination);
}

void rate_limits_wake(struct queue *q, int64_t now_ms)
{
    while (q->limit_wakes.count > 0) {
        struct rate_limits *all = heap_first(&q->limit_wakes);
        if (all->wake_ms > now_ms)
            return;
        set_wake(q, all, now_ms);
    }
}

int64_t rate_limits_wake_ms(const struct queue *q)
{
    const struct rate_limits *first = heap_first(&q->limit_wakes);
    return first ? first->wake_ms : INT64_MAX;
}

/* One that lasts is told each time that it has lasted twice as long. */
static bool is_told(unsigned failures)
{
    return (failures & (failures - 1)) == 0;
}

static void rest(struct queue *q, struct rate_limits *all, struct rate_limit *l,
                 const struct tenant *tenant, const char *why, int64_t now_ms)
{
    struct destination *d = all->destination;
    char text[QUEUE_WHY_MAX];
    bool of_all = l == &all->of[OF_ONLY];
    bool wider = window_rests(&d->window, now_ms) || window_rests(&all->of[OF_ONLY].rest, now_ms);
    bool told = d->operator_until_ms > now_ms || (!of_all && wider);
    if (!window_rest(&l->rest, REST_MS, now_ms))
        return;
    if (of_all)
        d->window.size = 1; /* it begins anew when that is over */
    snprintf(text, sizeof(text), "%s%.60s%s%s", of_all ? "" : "mail of tenant ",
             of_all ? "" : tenant->name, of_all ? "" : " only: ", why);
    drop_texts(l);
    l->name = xstrdup(tenant->name);
    l->why = xstrdup(text);
    if (!told) /* else it says why all rests */
        destination_set_why(d, l->why);
    if (is_told(l->rest.failures))
        decide(q, (struct queue_decision){.kind = QUEUE_EVENT,
                                          .destination = d->name,
                                          .text = l->why,
                                          .rest_ms = l->rest.rest_until_ms - now_ms});
    set_wake(q, all, now_ms);
}

bool rate_limit_refuses(struct queue *q, struct connection *c, const char *why, int64_t now_ms)
{
    struct destination *d = c->lane->destination;
    const struct tenant *tenant = c->attempt->line->tenant;
    if (!d->limits) {
        d->limits = xcalloc(1, sizeof(*d->limits));
        d->limits->destination = d;
    }
    struct rate_limit *l = note(q, d->limits, tenant, why, now_ms);
    if (!l)
        return false;
    rest(q, d->limits, l, tenant, why, now_ms);
    return true;
}

/* ---- its end ---- */

/* True: it has been told that it rests. */
static bool is_over(struct rate_limit *l, int64_t now_ms)
{
    bool was_active = is_active(l);
    l->row = 0;
    if (was_active && l->shown)
        l->known_until_ms = now_ms + KNOWN_MS;
    l->shown = false;
    return window_greeted(&l->rest);
}

void rate_limit_takes(struct queue *q, struct destination *d, const struct tenant *tenant,
                      int64_t now_ms)
{
    struct rate_limits *all = d->limits;
    struct rate_limit *own = all ? find(all, tenant) : NULL;
    if (!all)
        return;
    if (own)
        is_over(own, now_ms);
    if (all->of[OF_ONLY].tenant == tenant->id && is_over(&all->of[OF_ONLY], now_ms))
        decide(q, (struct queue_decision){
                      .kind = QUEUE_EVENT, .destination = d->name, .text = d->why ? d->why : ""});
    set_wake(q, all, now_ms);
}

void rate_limits_forget(struct queue *q, struct destination *d, int64_t now_ms)
{
    for (size_t i = 0; d->limits && i < TENANTS; i++)
        window_forget(&d->limits->of[i].rest);
    if (d->limits)
        set_wake(q, d->limits, now_ms);
}

/* ---- questions ---- */

/* Mail of that tenant's that is spoken of just now, but for `own`. */
static bool is_tried(const struct destination *d, const struct tenant *tenant,
                     const struct connection *own)
{
    for (const struct connection *c = d->connections; c; c = c->next_of)
        if (c != own && !c->stuck && c->holder == tenant)
            return true;
    return false;
}

static bool bars(const struct destination *d, const struct rate_limit *l,
                 const struct tenant *tenant, const struct connection *own, int64_t now_ms)
{
    return l && is_active(l) && (window_rests(&l->rest, now_ms) || is_tried(d, tenant, own));
}

bool rate_limit_rests(const struct connection *c, int64_t now_ms)
{
    struct rate_limits *all = c->lane->destination->limits;
    const struct tenant *tenant = c->attempt->line->tenant;
    const struct rate_limit *own = all ? find(all, tenant) : NULL;
    const struct rate_limit *only = all ? &all->of[OF_ONLY] : NULL;
    return all && ((is_of(only, tenant) && window_rests(&only->rest, now_ms)) ||
                   (own && window_rests(&own->rest, now_ms)));
}

bool rate_limit_bars(const struct destination *d, const struct tenant *tenant,
                     const struct connection *own, int64_t now_ms)
{
    if (!d->limits)
        return false;
    const struct rate_limit *only = &d->limits->of[OF_ONLY];
    return (is_of(only, tenant) && bars(d, only, tenant, own, now_ms)) ||
           bars(d, find(d->limits, tenant), tenant, own, now_ms);
}

bool rate_limit_is_active(const struct destination *d)
{
    for (size_t i = 0; d->limits && i < TENANTS; i++)
        if (is_active(&d->limits->of[i]))
            return true;
    return false;
}

int64_t rate_limit_rest_ms(const struct destination *d, unsigned *failures_r, int64_t now_ms)
{
    const struct window *rest = d->limits ? &d->limits->of[OF_ONLY].rest : NULL;
    *failures_r = rest ? rest->failures : 0;
    return rest && window_rests(rest, now_ms) ? rest->rest_until_ms - now_ms : 0;
}

struct tenant_rest rate_limit_of_tenant(const struct destination *d)
{
    struct tenant_rest r = {0};
    for (size_t i = OF_ONLY + 1; d->limits && i < TENANTS; i++) {
        const struct rate_limit *l = &d->limits->of[i];
        if (l->rest.rest_until_ms > r.until_ms)
            r = (struct tenant_rest){l->name, l->why, l->rest.rest_until_ms};
    }
    return r;
}

void rate_limits_check(const struct destination *d)
{
    const struct rate_limits *all = d->limits;
    CHECK(!all || all->destination == d);
    for (size_t i = 0; all && i < TENANTS; i++)
        CHECK(!all->of[i].rest.failing || is_active(&all->of[i]));
}
