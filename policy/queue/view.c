// SPDX-License-Identifier: BSD-2-Clause
/* view.c - Questions about the queue, and what an operator may tell it. Questions may look at all
 * of it; nothing on the mail's way does.
 */
#include "queue_moves.h"

#include "mx_providers.h"

#include <stdlib.h>
#include <string.h>

void queue_count(const struct queue *q, struct queue_counts *counts_r, int64_t now_ms)
{
    struct queue_counts n = {.waiting = q->waiting.count,
                             .ready = q->ready,
                             .under_way = q->under_way,
                             .attempts = q->attempt_count,
                             .settling = q->settling,
                             .connections = q->in_use,
                             .opening = q->count[CONNECTION_OPENING],
                             .busy = q->count[CONNECTION_BUSY],
                             .idle = q->count[CONNECTION_IDLE],
                             .closing = q->count[CONNECTION_CLOSING],
                             .tenants = q->tenants.count,
                             .domains = q->domains.count,
                             .destinations = q->destinations.count,
                             .resolving = q->lookup_count,
                             .addresses = q->addresses.all.count};
    size_t at = 0;
    for (const struct destination *d = pointer_table_next(&q->destinations, &at); d;
         d = pointer_table_next(&q->destinations, &at))
        n.resting += window_rests(&d->window, now_ms) || d->operator_until_ms > now_ms;
    at = 0;
    for (const struct line *line = pointer_table_next(&q->lines, &at); line;
         line = pointer_table_next(&q->lines, &at))
        n.ready_by_class[line->class] += line->ready.count;
    for (size_t i = 0; i < STREAM_CLASSES; i++)
        n.ready_by_class[i] += q->held_count[i];
    n.ready += entries_held(q);
    *counts_r = n;
}

/* ---- destinations ---- */

static void show(const struct destination *d, struct queue_destination_view *v, int64_t now_ms)
{
    int64_t rest_ms = d->window.rest_until_ms - now_ms;
    int64_t operator_ms = d->operator_until_ms - now_ms;
    *v = (struct queue_destination_view){.name = d->name,
                                         .provider = d->provider ? d->provider->name : NULL,
                                         .limit = d->window.limit,
                                         .window = d->window.size,
                                         .no_growth_ms = window_is_capped(&d->window, now_ms)
                                                             ? d->window.ceiling_until_ms - now_ms
                                                             : 0,
                                         .opening = d->count[CONNECTION_OPENING],
                                         .busy = d->count[CONNECTION_BUSY],
                                         .idle = d->count[CONNECTION_IDLE],
                                         .closing = d->count[CONNECTION_CLOSING],
                                         .rests_by_operator = operator_ms > 0,
                                         .why = d->why ? d->why : "",
                                         .failures = d->window.failures};
    if (rest_ms > 0 || operator_ms > 0)
        v->rest_ms = rest_ms > operator_ms ? rest_ms : operator_ms;
    for (size_t i = 0; i < STREAM_CLASSES; i++)
        v->waiting_by_class[i] = d->ready[i];
    for (const struct connection *c = d->connections; c; c = c->next_of)
        if (c->shard < QUEUE_VIEW_SHARDS)
            v->by_shard[c->shard]++;
}

static bool is_worth_showing(const struct queue_destination_view *v)
{
    size_t waiting = 0;
    for (size_t i = 0; i < STREAM_CLASSES; i++)
        waiting += v->waiting_by_class[i];
    return waiting > 0 || v->rest_ms > 0 || v->opening + v->busy + v->idle + v->closing > 0;
}

void queue_each_destination(const struct queue *q, queue_on_destination *on_destination,
                            void *context, int64_t now_ms)
{
    size_t at = 0;
    for (const struct destination *d = pointer_table_next(&q->destinations, &at); d;
         d = pointer_table_next(&q->destinations, &at)) {
        struct queue_destination_view v;
        show(d, &v, now_ms);
        if (is_worth_showing(&v))
            on_destination(context, &v);
    }
}

void queue_each_known_destination(const struct queue *q, queue_on_destination *on_destination,
                                  void *context, int64_t now_ms)
{
    size_t at = 0;
    for (const struct destination *d = pointer_table_next(&q->destinations, &at); d;
         d = pointer_table_next(&q->destinations, &at)) {
        struct queue_destination_view v;
        show(d, &v, now_ms);
        on_destination(context, &v);
    }
}

bool queue_find_destination(const struct queue *q, const char *name,
                            struct queue_destination_view *view_r, int64_t now_ms)
{
    const struct destination *d = destination_find(q, name);
    if (d)
        show(d, view_r, now_ms);
    return d != NULL;
}

struct share {
    const struct tenant *tenant;
    size_t waiting;
};

static int by_tenant(const void *a, const void *b)
{
    uintptr_t x = (uintptr_t)((const struct share *)a)->tenant;
    uintptr_t y = (uintptr_t)((const struct share *)b)->tenant;
    return (x > y) - (x < y);
}

/* One look at each line: there may be as many as domains, and a thousand tenants. */
static size_t find_shares(const struct queue *q, const struct destination *d,
                          struct share **shares_r)
{
    struct share *shares = NULL;
    size_t count = 0;
    size_t size = 0;
    size_t at = 0;
    for (const struct line *line = pointer_table_next(&q->lines, &at); line;
         line = pointer_table_next(&q->lines, &at)) {
        if (line->counted == 0 || !line->domain->lane || line->domain->lane->destination != d)
            continue;
        if (count == size) {
            size = size ? size * 2 : 64;
            shares = xgrow(shares, size, sizeof(*shares));
        }
        shares[count++] = (struct share){line->tenant, line->counted};
    }
    if (count > 0)
        qsort(shares, count, sizeof(*shares), by_tenant);
    *shares_r = shares;
    return count;
}

void queue_each_tenant(const struct queue *q, const char *name, queue_on_tenant *on_tenant,
                       void *context)
{
    const struct destination *d = destination_find(q, name);
    struct share *shares = NULL;
    size_t count = d ? find_shares(q, d, &shares) : 0;
    for (size_t i = 0; i < count;) {
        const struct tenant *tenant = shares[i].tenant;
        size_t waiting = 0;
        for (; i < count && shares[i].tenant == tenant; i++)
            waiting += shares[i].waiting;
        on_tenant(context, tenant->name, waiting);
    }
    free(shares);
}

void queue_find_domain(const struct queue *q, const char *name, struct queue_domain_view *view_r)
{
    static const enum queue_domain_state states[] = {[DOMAIN_UNRESOLVED] = QUEUE_DOMAIN_UNRESOLVED,
                                                     [DOMAIN_RESOLVING] = QUEUE_DOMAIN_RESOLVING,
                                                     [DOMAIN_LEADS] = QUEUE_DOMAIN_LEADS,
                                                     [DOMAIN_UNRESOLVABLE] =
                                                         QUEUE_DOMAIN_UNRESOLVABLE};
    const struct domain *domain = domain_find(q, name);
    *view_r = (struct queue_domain_view){.state = QUEUE_DOMAIN_UNKNOWN, .why = ""};
    if (!domain)
        return;
    view_r->state = states[domain->state];
    view_r->ready = domain->ready;
    if (domain->lane)
        view_r->destination = domain->lane->destination->name;
    if (domain->state == DOMAIN_UNRESOLVABLE && domain->why)
        view_r->why = domain->why;
}

/* ---- operators ---- */

bool queue_rest(struct queue *q, const char *name, int64_t for_ms, const char *why, int64_t now_ms)
{
    struct destination *d = destination_find(q, name);
    if (!d)
        return false;
    d->operator_until_ms = now_ms + for_ms;
    destination_set_why(d, why);
    destination_touch(q, d);
    decide(q, (struct queue_decision){
                  .kind = QUEUE_EVENT, .destination = d->name, .text = d->why, .rest_ms = for_ms});
    return true;
}

void queue_rest_again(struct queue *q, const char *name, int64_t for_ms, const char *why,
                      int64_t now_ms)
{
    struct destination *d = destination_keep(q, name);
    d->operator_until_ms = now_ms + for_ms;
    destination_set_why(d, why);
}

static void resume(struct queue *q, struct destination *d, bool by_name, int64_t now_ms)
{
    bool rested = window_rests(&d->window, now_ms);
    if (by_name && d->operator_until_ms > now_ms) {
        rested = true;
        d->operator_until_ms = 0;
    }
    window_forget(&d->window);
    d->blocked_until_ms = 0;
    destination_touch(q, d);
    if (rested)
        decide(q, (struct queue_decision){
                      .kind = QUEUE_EVENT, .destination = d->name, .text = d->why ? d->why : ""});
}

bool queue_resume(struct queue *q, const char *name_or_null, int64_t now_ms)
{
    struct destination *d = name_or_null ? destination_find(q, name_or_null) : NULL;
    size_t at = 0;
    if (d) {
        lanes_forget_of(q, d);
        resume(q, d, true, now_ms);
    }
    if (name_or_null)
        return d != NULL;
    address_book_forget(&q->addresses);
    lanes_forget(q);
    for (d = pointer_table_next(&q->destinations, &at); d;
         d = pointer_table_next(&q->destinations, &at))
        resume(q, d, false, now_ms);
    return true;
}

void queue_resume_domain(struct queue *q, const char *name, int64_t now_ms)
{
    const struct domain *domain = domain_find(q, name);
    if (!domain || !domain->lane)
        return;
    lane_forget(q, domain->lane);
    resume(q, domain->lane->destination, false, now_ms);
}

const char *queue_provider_of(const char *const *hosts, size_t count, char *name_r, size_t size)
{
    struct mx_provider row;
    if (!mx_provider_find(hosts, count, &row) || !span_copy(row.name, name_r, size))
        return NULL;
    return name_r;
}
