// SPDX-License-Identifier: BSD-2-Clause
/* handshakes.c - Whoever comes while nobody waits is served at once; else tenants stand in a ring,
 * and a timer goes on with them.
 *
 * A part is kept by a time until which there is none: what was used moves it by so many times that.
 * It is never further in the past than the credit is worth. */
#include "handshakes.h"

#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <uthash.h>
#include <utlist.h>

/* Those of whom something is known; more than can wait, and forgotten when there is nothing. */
enum { PARTIES = 128 };

/* A usual handshake takes less than what is free. */
const struct handshakes_bounds handshakes_with_servers = {.turn_us = 5000, .free_us = 2000};
const struct handshakes_bounds handshakes_for_strangers = {
    .turn_us = 1000, .part = 10, .credit_us = 20 * 1000};

struct handshakes_party {
    UT_hash_handle hh;
    struct handshakes_party *next, *prev; /* in the ring, while some of it wait */
    struct handshake *waiting;            /* list */
    uint64_t rests_until_us;
    char tenant[64];
};

struct handshakes {
    uv_loop_t *loop;
    const struct handshakes_bounds *bounds;
    uv_timer_t *timer; /* while some wait; freed in its close callback */
    struct handshakes_party *parties, *ring;
    uint64_t turn_ms; /* of the loop's clock: its turn that `spent_us` is of */
    uint64_t spent_us;
    uint64_t rests_until_us; /* the whole */
    uint64_t began_us;
};

struct handshakes *handshakes_new(uv_loop_t *loop, const struct handshakes_bounds *bounds)
{
    struct handshakes *h = xcalloc(1, sizeof(*h));
    h->loop = loop;
    h->bounds = bounds;
    return h;
}

static uint64_t now_us(void)
{
    return uv_hrtime() / 1000;
}

static uint64_t cpu_us(void)
{
    struct timespec t = {0};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* ---- parties ---- */

static struct handshakes_party *find(struct handshakes *h, const char *tenant)
{
    struct handshakes_party *p = NULL;
    HASH_FIND_STR(h->parties, tenant, p);
    return p;
}

static void sweep(struct handshakes *h);

static struct handshakes_party *need(struct handshakes *h, const char *tenant)
{
    struct handshakes_party *p = find(h, tenant);
    if (p)
        return p;
    if (HASH_COUNT(h->parties) >= PARTIES)
        sweep(h);
    p = xcalloc(1, sizeof(*p));
    snprintf(p->tenant, sizeof(p->tenant), "%s", tenant);
    HASH_ADD_STR(h->parties, tenant, p);
    return p;
}

static void forget(struct handshakes *h, struct handshakes_party *p)
{
    HASH_DEL(h->parties, p);
    free(p);
}

/* By the clock: how much the credit is worth. */
static uint64_t credit_us(const struct handshakes *h)
{
    return (uint64_t)h->bounds->credit_us * h->bounds->part;
}

/* Those of whom nothing is left to know. */
static void sweep(struct handshakes *h)
{
    struct handshakes_party *p;
    struct handshakes_party *next;
    uint64_t us = now_us();
    HASH_ITER (hh, h->parties, p, next)
        if (!p->waiting && p->rests_until_us + credit_us(h) <= us)
            forget(h, p);
}

void handshakes_free(struct handshakes *h)
{
    struct handshakes_party *p;
    struct handshakes_party *next;
    CHECK(!h->ring && !h->timer);
    HASH_ITER (hh, h->parties, p, next)
        forget(h, p);
    free(h);
}

/* ---- turns ---- */

static bool has_time(struct handshakes *h)
{
    if (h->turn_ms != uv_now(h->loop))
        h->spent_us = 0;
    h->turn_ms = uv_now(h->loop);
    return h->spent_us < h->bounds->turn_us;
}

static uint64_t moved(const struct handshakes *h, uint64_t until_us, uint64_t took_us)
{
    uint64_t us = now_us();
    uint64_t earliest_us = us > credit_us(h) ? us - credit_us(h) : 0;
    return (until_us > earliest_us ? until_us : earliest_us) +
           took_us * (h->bounds->part > 0 ? h->bounds->part : 1);
}

static void count(struct handshakes *h, const char *tenant, uint64_t took_us)
{
    h->spent_us += took_us;
    if (h->bounds->part > 0)
        h->rests_until_us = moved(h, h->rests_until_us, took_us);
    if (took_us > h->bounds->free_us) {
        struct handshakes_party *p = need(h, tenant);
        p->rests_until_us = moved(h, p->rests_until_us, took_us);
    }
}

static void run(struct handshakes *h, struct handshake *s)
{
    char tenant[sizeof(s->tenant)];
    uint64_t began_us = cpu_us();
    memcpy(tenant, s->tenant, sizeof(tenant));
    s->run(s);
    count(h, tenant, cpu_us() - began_us);
}

/* Whoever has had least, when there is time for all; else how long it is until there is. */
static struct handshakes_party *first_of_part(const struct handshakes *h, uint64_t *wait_us_r)
{
    struct handshakes_party *p;
    struct handshakes_party *found = h->ring;
    uint64_t us = now_us();
    *wait_us_r = h->rests_until_us > us ? h->rests_until_us - us : 0;
    DL_FOREACH (h->ring, p)
        if (p->rests_until_us < found->rests_until_us)
            found = p;
    return *wait_us_r > 0 ? NULL : found;
}

/* The first tenant that does not rest; else how long it is until one does not. */
static struct handshakes_party *first(const struct handshakes *h, uint64_t *wait_us_r)
{
    struct handshakes_party *p;
    uint64_t us = now_us();
    if (h->bounds->part > 0)
        return first_of_part(h, wait_us_r);
    *wait_us_r = UINT64_MAX;
    DL_FOREACH (h->ring, p) {
        if (p->rests_until_us <= us)
            return p;
        if (p->rests_until_us - us < *wait_us_r)
            *wait_us_r = p->rests_until_us - us;
    }
    return NULL;
}

static void on_closed(uv_handle_t *timer)
{
    free(timer);
}

static void on_timer(uv_timer_t *timer);

/* Go on when there is somebody to go on with. */
static void arrange(struct handshakes *h)
{
    uint64_t wait_us = 0;
    if (!h->ring && h->timer) {
        uv_close((uv_handle_t *)h->timer, on_closed);
        h->timer = NULL;
        sweep(h);
    }
    if (!h->ring)
        return;
    if (!h->timer) {
        h->timer = xcalloc(1, sizeof(*h->timer));
        CHECK(uv_timer_init(h->loop, h->timer) == 0);
        h->timer->data = h;
    }
    bool now = first(h, &wait_us) != NULL; /* not before the loop has had its turn */
    uv_timer_start(h->timer, on_timer, now ? 1 : wait_us / 1000 + 1, 0);
}

static void join(struct handshakes *h, struct handshakes_party *p, struct handshake *s)
{
    struct handshake *behind = NULL;
    if (!p->waiting)
        DL_APPEND(h->ring, p);
    if (s->urgent)
        DL_FOREACH (p->waiting, behind)
            if (!behind->urgent)
                break;
    DL_PREPEND_ELEM(p->waiting, behind, s);
    s->party = p;
    s->since_ms = uv_now(h->loop);
}

static void leave(struct handshakes *h, struct handshake *s)
{
    struct handshakes_party *p = s->party;
    DL_DELETE(p->waiting, s);
    s->party = NULL;
    DL_DELETE(h->ring, p);
    if (p->waiting)
        DL_APPEND(h->ring, p); /* the others have their turns first */
}

static void on_timer(uv_timer_t *timer)
{
    struct handshakes *h = timer->data;
    struct handshakes_party *p;
    uint64_t wait_us = 0;
    while (has_time(h) && (p = first(h, &wait_us))) {
        struct handshake *s = p->waiting;
        leave(h, s);
        s->waited_ms = uv_now(h->loop) - s->since_ms;
        run(h, s);
    }
    arrange(h);
}

/* Nobody has to wait. */
static bool is_free(struct handshakes *h, const char *tenant)
{
    if (h->ring || !has_time(h))
        return false;
    if (h->bounds->part > 0)
        return handshakes_wait_ms(h) == 0;
    const struct handshakes_party *p = find(h, tenant);
    return !p || p->rests_until_us <= now_us();
}

void handshakes_add(struct handshakes *h, struct handshake *s)
{
    CHECK(!s->party);
    if (is_free(h, s->tenant)) {
        s->waited_ms = 0;
        run(h, s);
        return;
    }
    join(h, need(h, s->tenant), s);
    arrange(h);
}

void handshakes_drop(struct handshakes *h, struct handshake *s)
{
    if (!s->party)
        return;
    leave(h, s);
    arrange(h);
}

/* ---- what is not run by turns ---- */

void handshakes_begin(struct handshakes *h)
{
    (void)has_time(h); /* what this turn of the loop has spent is known from here on */
    h->began_us = cpu_us();
}

void handshakes_end(struct handshakes *h, const char *tenant, unsigned more_us)
{
    count(h, tenant, cpu_us() - h->began_us + more_us);
}

uint64_t handshakes_wait_ms(const struct handshakes *h)
{
    uint64_t us = now_us();
    return h->rests_until_us > us ? (h->rests_until_us - us) / 1000 + 1 : 0;
}

bool handshakes_are_short(struct handshakes *h, const char *tenant)
{
    const struct handshakes_party *p = find(h, tenant);
    uint64_t half_us = credit_us(h) / 2;
    uint64_t us = now_us();
    return p && h->rests_until_us + half_us > us && p->rests_until_us + half_us > us;
}
