// SPDX-License-Identifier: BSD-2-Clause
/* held.c - Recipients that are due, and held aside while very many domains stand already.
 *
 * A domain stands while it waits for a lookup, or its destination for a connection; one whose
 * lookup is slow has had its turn. A recipient of a domain that is in use stands with it; of
 * another it is held, by its names alone, when enough stand. Then tenants take turns, and a tenant
 * may have so many that something is left to the others (shares.h).
 *
 * Of a tenant's, the first held goes first, and class before that: but whatever goes before others,
 * one of those does after so many. It is not the first message: what is tried again and again, at
 * names that have no answer, would go before all that came later. And for each that goes, one that
 * comes due may stand at once, if its domain was not slow without an answer the last time, and it
 * has not come with many others.
 */
#include "queue_moves.h"

#include <stdlib.h>

/* PASSING: for domains that answer, and for others. */
enum { FEW_PART = 4, PASSING_KNOWN = 32, PASSING_NEW = 16, PASSING_GAP_MS = 250 };

static bool is_urgent(const struct entry *e)
{
    return e->label.class == STREAM_SECURITY;
}

static bool held_before(const void *a, const void *b)
{
    const struct entry *e = a;
    const struct entry *f = b;
    return e->held_since - f->held_since > UINT32_MAX / 2; /* it begins anew at 0 */
}

/* A tenant stands there once; of those that were served alike. */
static bool any_order(const void *a, const void *b)
{
    return (uintptr_t)a < (uintptr_t)b;
}

void held_init(struct queue *q)
{
    for (size_t i = 0; i < COUNT_OF(q->held); i++)
        fair_init(&q->held[i], FAIR_TURNS, &q->parties, any_order);
}

void held_fini(struct queue *q)
{
    for (size_t i = 0; i < COUNT_OF(q->held); i++)
        fair_fini(&q->held[i]);
}

size_t held_count(const struct queue *q)
{
    size_t count = 0;
    for (size_t i = 0; i < STREAM_CLASSES; i++)
        count += q->held_count[i];
    return count;
}

/* ---- may another domain stand? ---- */

/* Domains that wait for a lookup, and destinations that wait for a place: of all, and of one. */
static size_t standing(const struct queue *q)
{
    size_t count = 0;
    for (size_t i = 0; i < COUNT_OF(q->lookup); i++)
        count += q->lookup[i].count + q->resolving[i];
    for (size_t i = 0; i < COUNT_OF(q->connect); i++)
        count += q->connect[i].count;
    return count;
}

static size_t standing_of(const struct queue *q, const struct tenant *tenant, bool urgent)
{
    const struct fair *lookup = &q->lookup[urgent];
    const struct fair *connect = &q->connect[urgent ? POOL_URGENT : POOL_PLAIN];
    return fair_waiting(lookup, tenant) + fair_used(lookup, tenant) + fair_waiting(connect, tenant);
}

/* The first of either part in any case. */
static bool tenant_may_stand(const struct queue *q, const struct tenant *tenant, bool urgent)
{
    size_t all = standing(q);
    size_t most = q->settings.standing + (urgent ? reserve_of(q->settings.standing) : 0);
    size_t own = standing_of(q, tenant, urgent);
    if (own == 0)
        return true;
    return is_within_share(own + standing_of(q, tenant, !urgent), most > all ? most - all : 0);
}

bool held_few_stand(const struct queue *q)
{
    return standing(q) < q->settings.standing / FEW_PART;
}

static bool holds_any(const struct tenant *tenant, bool urgent)
{
    return tenant->held_item[urgent].party != NULL;
}

/* Others stand there, or are under way; it is more than a name with an answer that is kept. */
static bool is_in_use(const struct domain *d)
{
    return d->ready > 0 || d->attempts > 0 || d->state == DOMAIN_RESOLVING || d->refreshing;
}

/* It goes before those that are held. */
static bool passes_by(struct tenant *tenant, bool urgent, const struct domain *domain,
                      int64_t now_ms)
{
    enum answers manner = domain ? domain->manner : ANSWERS_UNKNOWN;
    bool known = manner == ANSWERS_IN_TIME;
    bool soon = !known && now_ms < tenant->passed_ms[urgent] + PASSING_GAP_MS;
    if (soon || manner == ANSWERS_NOT ||
        tenant->passing[urgent] >= (known ? PASSING_KNOWN : PASSING_NEW))
        return false;
    if (!known)
        tenant->passed_ms[urgent] = now_ms;
    tenant->passing[urgent]++;
    return true;
}

bool held_lets_stand(const struct queue *q, const struct entry *e, int64_t now_ms)
{
    if (held_few_stand(q))
        return true;
    const struct tenant key = {.name = names_text(&q->names, e->label.tenant)};
    struct tenant *tenant = pointer_table_find(&q->tenants, &key);
    const struct domain *domain = domain_find(q, names_text(&q->names, e->label.domain));
    if (!tenant || (domain && is_in_use(domain)))
        return true;
    if (holds_any(tenant, is_urgent(e)))
        return passes_by(tenant, is_urgent(e), domain, now_ms);
    return tenant_may_stand(q, tenant, is_urgent(e));
}

/* ---- in and out ---- */

void held_put(struct queue *q, struct entry *e)
{
    struct tenant *tenant = tenant_need(q, names_text(&q->names, e->label.tenant));
    struct heap *held = &tenant->held[e->label.class];
    bool urgent = is_urgent(e);
    if (held->count == 0)
        heap_init(held, held_before, offsetof(struct entry, place));
    if (!holds_any(tenant, urgent))
        fair_put(&q->held[urgent], tenant, &tenant->held_item[urgent]);
    e->state = ENTRY_HELD;
    e->held_since = q->held_serial++;
    e->deadline_place = 0;
    tenant->users++;
    q->held_count[e->label.class]++;
    heap_push(held, e);
    heap_push(&q->deadlines, e);
}

static struct tenant *tenant_of(const struct fair_item *item)
{
    return (struct tenant *)(uintptr_t)item->party->who;
}

struct asking {
    const struct queue *queue;
    bool urgent;
};

static bool may_stand(const struct fair_item *item, const void *context)
{
    const struct asking *asking = context;
    return tenant_may_stand(asking->queue, tenant_of(item), asking->urgent);
}

/* The class that others have gone before too often, or the first; class security stands alone. */
static size_t next_class(const struct tenant *tenant)
{
    size_t first = STREAM_CLASSES;
    for (size_t i = STREAM_CLASSES; i > STREAM_SECURITY + 1; i--) {
        if (tenant->held[i - 1].count > 0 && tenant->passed[i - 1] >= PASSED_MAX)
            return i - 1;
        if (tenant->held[i - 1].count > 0)
            first = i - 1;
    }
    return first;
}

struct entry *held_next(struct queue *q, bool urgent)
{
    const struct asking asking = {q, urgent};
    const struct fair_item *item =
        fair_first_of(&q->held[urgent], may_stand, &asking, &q->held_look[urgent], q->now_ms);
    if (!item)
        return NULL;
    const struct tenant *tenant = tenant_of(item);
    return heap_first(&tenant->held[urgent ? STREAM_SECURITY : next_class(tenant)]);
}

int64_t held_looks_at(const struct queue *q, int64_t now_ms)
{
    int64_t plain_ms = wide_look_again_ms(&q->held_look[0], now_ms);
    int64_t urgent_ms = wide_look_again_ms(&q->held_look[1], now_ms);
    return urgent_ms < plain_ms ? urgent_ms : plain_ms;
}

static void pass_others(struct tenant *tenant, size_t class)
{
    tenant->passed[class] = 0;
    for (size_t i = class + 1; class != STREAM_SECURITY && i < STREAM_CLASSES; i++)
        tenant->passed[i] += tenant->held[i].count > 0;
}

void held_serves(struct queue *q, const struct entry *e)
{
    struct tenant *tenant = tenant_need(q, names_text(&q->names, e->label.tenant));
    bool urgent = is_urgent(e);
    fair_charge(&q->held[urgent], tenant, 1);
    tenant->passing[urgent] -= tenant->passing[urgent] > 0;
    pass_others(tenant, e->label.class);
}

static bool has_more(const struct tenant *tenant, bool urgent)
{
    if (urgent)
        return tenant->held[STREAM_SECURITY].count > 0;
    return next_class(tenant) < STREAM_CLASSES;
}

void held_take(struct queue *q, struct entry *e)
{
    struct tenant *tenant = tenant_need(q, names_text(&q->names, e->label.tenant));
    struct heap *held = &tenant->held[e->label.class];
    bool urgent = is_urgent(e);
    heap_take(held, e);
    heap_take(&q->deadlines, e);
    q->held_count[e->label.class]--;
    if (held->count == 0)
        heap_fini(held);
    if (!has_more(tenant, urgent))
        fair_take(&tenant->held_item[urgent]);
    tenant->users--;
    tenant_drop(q, tenant);
    e->state = ENTRY_WAITING;
}
