// SPDX-License-Identifier: BSD-2-Clause
/* webhook_queue.c - Endpoints in a list, with their items: ready, sent, settling.
 *
 *   (outbox) - add - READY - next - SENT - answered - SETTLING - done - (gone)
 *
 * Whose turn: of the endpoints that may send, one of a tenant that has fewest places, and of those
 * the one that was served longest ago.
 */
#include "webhook_queue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum { READ_AHEAD = 2 * WEBHOOK_AT_ONCE };

/* How many places some have: all of them, and for what was sent to endpoints that have proven
 * nothing. */
struct places {
    unsigned all, unproven;
};

struct tenant {
    char name[64];
    unsigned endpoints;
    struct places places;
    struct tenant *next; /* list */
};

struct webhook_endpoint {
    int64_t id;
    struct tenant *tenant;
    bool known; /* since the last webhook_queue_begin() */
    struct webhook_course course;
    struct webhook_item *items; /* list, in the order in which they were read */
    unsigned ready, sent, settling;
    uint64_t served;
    struct webhook_endpoint *next; /* list */
};

struct webhook_queue {
    unsigned most;
    struct places places;
    struct tenant *tenants; /* list */
    uint64_t serial;
    size_t count;
    struct webhook_endpoint *endpoints;
};

struct webhook_queue *webhook_queue_new(unsigned most)
{
    struct webhook_queue *q = xcalloc(1, sizeof(*q));
    q->most = most;
    return q;
}

static void drop_item(struct webhook_endpoint *p, struct webhook_item *item)
{
    DL_DELETE(p->items, item);
    free(item->body);
    free(item);
}

static struct tenant *need_tenant(struct webhook_queue *q, const char *name)
{
    struct tenant *t = q->tenants;
    while (t && strcmp(t->name, name) != 0)
        t = t->next;
    if (!t) {
        t = xcalloc(1, sizeof(*t));
        snprintf(t->name, sizeof(t->name), "%s", name);
        LL_APPEND(q->tenants, t);
    }
    t->endpoints++;
    return t;
}

static void leave_tenant(struct webhook_queue *q, struct tenant *t)
{
    if (--t->endpoints > 0)
        return;
    LL_DELETE(q->tenants, t);
    free(t);
}

static void drop_endpoint(struct webhook_queue *q, struct webhook_endpoint *p)
{
    while (p->items)
        drop_item(p, p->items);
    leave_tenant(q, p->tenant);
    LL_DELETE(q->endpoints, p);
    q->count--;
    free(p);
}

void webhook_queue_free(struct webhook_queue *q)
{
    if (!q)
        return;
    while (q->endpoints)
        drop_endpoint(q, q->endpoints);
    free(q);
}

/* ---- endpoints ---- */

static struct webhook_endpoint *find(const struct webhook_queue *q, int64_t id)
{
    struct webhook_endpoint *p = q->endpoints;
    while (p && p->id != id)
        p = p->next;
    return p;
}

void webhook_queue_begin(struct webhook_queue *q)
{
    struct webhook_endpoint *p;
    LL_FOREACH(q->endpoints, p)
    p->known = false;
}

void webhook_queue_put(struct webhook_queue *q, int64_t id, const char *tenant, int64_t failed_ms)
{
    struct webhook_endpoint *p = find(q, id);
    if (!p) {
        p = xcalloc(1, sizeof(*p));
        p->id = id;
        p->course = webhook_course_resumed(failed_ms);
        p->tenant = need_tenant(q, tenant);
        LL_APPEND(q->endpoints, p);
        q->count++;
    }
    p->known = true;
}

static void drop_ready(struct webhook_endpoint *p)
{
    struct webhook_item *item;
    struct webhook_item *next;
    DL_FOREACH_SAFE (p->items, item, next)
        if (item->state == WEBHOOK_READY)
            drop_item(p, item);
    p->ready = 0;
}

void webhook_queue_end(struct webhook_queue *q)
{
    struct webhook_endpoint *p;
    struct webhook_endpoint *next;
    LL_FOREACH_SAFE(q->endpoints, p, next)
    {
        if (!p->known)
            drop_ready(p);
        if (!p->known && !p->items)
            drop_endpoint(q, p);
    }
}

struct webhook_endpoint *webhook_queue_each(const struct webhook_queue *q,
                                            const struct webhook_endpoint *last)
{
    return last ? last->next : q->endpoints;
}

int64_t webhook_queue_id(const struct webhook_endpoint *p)
{
    return p->id;
}

size_t webhook_queue_count(const struct webhook_queue *q)
{
    return q->count;
}

/* ---- items ---- */

unsigned webhook_queue_wants(const struct webhook_endpoint *p, int64_t steady_ms)
{
    unsigned may = webhook_course_may(&p->course, p->sent, steady_ms);
    if (!p->known || may == 0 || p->ready >= may)
        return 0;
    return READ_AHEAD + p->sent + p->settling;
}

void webhook_queue_add(struct webhook_queue *q, const struct webhook_item *row)
{
    struct webhook_endpoint *p = find(q, row->webhook);
    struct webhook_item *item = p ? p->items : NULL;
    while (item && item->id != row->id)
        item = item->next;
    if (!p || !p->known || item)
        return;
    item = xcalloc(1, sizeof(*item));
    *item = *row;
    item->body = xstrdup(row->body);
    item->endpoint = p;
    item->state = WEBHOOK_READY;
    DL_APPEND(p->items, item);
    p->ready++;
}

static bool is_unproven(const struct webhook_endpoint *p)
{
    return p->course.window == 0;
}

/* May one of those that has `own` of so many have one more? It leaves half as many as it has. */
static bool has_share(unsigned own, unsigned all, unsigned most)
{
    return all < most && own + 1 <= 2 * (most - all);
}

static bool may_have_place(const struct webhook_queue *q, const struct webhook_endpoint *p)
{
    const struct places *own = &p->tenant->places;
    return has_share(own->all, q->places.all, q->most) &&
           (!is_unproven(p) || has_share(own->unproven, q->places.unproven, (q->most + 1) / 2));
}

/* The endpoint whose turn it is; NULL: none. */
static struct webhook_endpoint *choose(const struct webhook_queue *q, int64_t steady_ms)
{
    struct webhook_endpoint *best = NULL;
    struct webhook_endpoint *p;
    unsigned least = 0;
    LL_FOREACH(q->endpoints, p)
    {
        if (p->ready == 0 || webhook_course_may(&p->course, p->sent, steady_ms) == 0 ||
            !may_have_place(q, p))
            continue;
        unsigned own = p->tenant->places.all;
        if (!best || own < least || (own == least && p->served < best->served)) {
            best = p;
            least = own;
        }
    }
    return best;
}

static void take_place(struct places *places, const struct webhook_item *item)
{
    places->all++;
    places->unproven += item->unproven;
}

static void give_place(struct places *places, const struct webhook_item *item)
{
    CHECK(places->all > 0 && places->unproven >= item->unproven);
    places->all--;
    places->unproven -= item->unproven;
}

struct webhook_item *webhook_queue_next(struct webhook_queue *q, int64_t steady_ms)
{
    struct webhook_endpoint *p = choose(q, steady_ms);
    struct webhook_item *item = p ? p->items : NULL;
    while (item && item->state != WEBHOOK_READY)
        item = item->next;
    if (!item)
        return NULL;
    item->state = WEBHOOK_SENT;
    item->unproven = is_unproven(p);
    take_place(&q->places, item);
    take_place(&p->tenant->places, item);
    p->ready--;
    p->sent++;
    p->served = ++q->serial;
    return item;
}

struct webhook_news webhook_queue_answered(struct webhook_queue *q, struct webhook_item *item,
                                           const struct webhook_answer *a, uint32_t chance,
                                           int64_t steady_ms, int64_t now_ms)
{
    struct webhook_endpoint *p = item->endpoint;
    bool failing = p->course.failing;
    CHECK(item->state == WEBHOOK_SENT && p->sent > 0);
    give_place(&q->places, item);
    give_place(&p->tenant->places, item);
    struct webhook_news news = {.next = webhook_course_next(item->tries, a, chance),
                                .recovered =
                                    webhook_course_learn(&p->course, a, item->tries, steady_ms)};
    news.over = news.next.end == WEBHOOK_GONE ||
                (a->how != WEBHOOK_NOT_ASKED && webhook_course_is_over(&p->course));
    news.failing_ms = p->course.failing ? now_ms - p->course.failed_ms : 0;
    news.changed = failing != p->course.failing;
    item->state = WEBHOOK_SETTLING;
    p->sent--;
    p->settling++;
    if (news.over) { /* when it is enabled again it begins anew */
        p->course = (struct webhook_course){0};
        p->known = false;
        drop_ready(p);
    }
    return news;
}

void webhook_queue_done(struct webhook_queue *q, struct webhook_item *item)
{
    struct webhook_endpoint *p = item->endpoint;
    CHECK(item->state == WEBHOOK_SETTLING);
    p->settling--;
    drop_item(p, item);
    if (!p->known && !p->items)
        drop_endpoint(q, p);
}
