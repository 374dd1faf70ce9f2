// SPDX-License-Identifier: BSD-2-Clause
/* view.c - Questions about the queue, and what an operator may tell it. Questions may look at all
 * of it; nothing on the mail's way does.
 */
#include "queue_moves.h"

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
        n.resting += destination_rests(d, now_ms) || d->operator_until_ms > now_ms;
    at = 0;
    for (const struct line *line = pointer_table_next(&q->lines, &at); line;
         line = pointer_table_next(&q->lines, &at))
        n.ready_by_class[line->class] += line->ready.count;
    for (size_t i = 0; i < STREAM_CLASSES; i++)
        n.ready_by_class[i] += q->held_count[i];
    n.ready += held_count(q);
    *counts_r = n;
}

/* ---- destinations ---- */

static void show(const struct destination *d, struct queue_destination_view *v, int64_t now_ms)
{
    unsigned limited = 0;
    int64_t rest_ms = d->window.rest_until_ms - now_ms;
    int64_t limit_ms = rate_limit_rest_ms(d, &limited, now_ms);
    int64_t operator_ms = d->operator_until_ms - now_ms;
    if (limit_ms > rest_ms)
        rest_ms = limit_ms;
    *v = (struct queue_destination_view){
        .name = d->name,
        .provider = d->provider ? d->provider->name : NULL,
        .limit = d->window.limit,
        .window = d->window.size,
        .no_growth_ms =
            window_is_capped(&d->window, now_ms) ? d->window.ceiling_until_ms - now_ms : 0,
        .opening = d->count[CONNECTION_OPENING],
        .busy = d->count[CONNECTION_BUSY],
        .idle = d->count[CONNECTION_IDLE],
        .closing = d->count[CONNECTION_CLOSING],
        .rests_by_operator = operator_ms > 0,
        .why = d->why ? d->why : "",
        .hosts = d->hosts ? d->hosts : "",
        .failures = limited > d->window.failures ? limited : d->window.failures};
    if (rest_ms > 0 || operator_ms > 0)
        v->rest_ms = rest_ms > operator_ms ? rest_ms : operator_ms;
    (void)destination_waits(d, &v->longest_ms, now_ms);
    for (size_t i = 0; i < STREAM_CLASSES; i++)
        v->waiting_by_class[i] = d->ready[i];
    for (const struct connection *c = d->connections; c; c = c->next_of)
        if (c->shard < QUEUE_VIEW_SHARDS)
            v->by_shard[c->shard]++;
}

/* d->stuck is only as new as the last decision. */
static unsigned count_stuck(const struct destination *d, int64_t now_ms)
{
    unsigned stuck = 0;
    for (const struct connection *c = d->connections; c; c = c->next_of)
        stuck +=
            c->state == CONNECTION_BUSY && (c->stuck || c->began_ms + QUEUE_LONG_BUSY_MS <= now_ms);
    return stuck;
}

/* What holds back the mail of one tenant: a limit, or a rest at some hosts that lasts longer. */
static struct tenant_rest longer_of(struct tenant_rest limit, struct tenant_rest shun)
{
    return shun.until_ms > limit.until_ms ? shun : limit;
}

static void show_speed(const struct destination *d, struct queue_destination_view *v,
                       int64_t now_ms)
{
    const struct spacing *s = &d->spacing;
    v->a_minute = v->refused_a_minute = 0;
    v->next_ms = v->try_more_ms = 0;
    v->slowed_tenant = "";
    if (!spacing_is_on(s, now_ms))
        return;
    int64_t next_ms = spacing_next_ms(s, now_ms);
    v->a_minute = s->level;
    if (d->fast_name && !slowed_is_shared(d, now_ms))
        v->slowed_tenant = d->fast_name;
    v->refused_a_minute = s->bad;
    v->next_ms = next_ms > now_ms ? next_ms - now_ms : 0;
    v->try_more_ms = s->hold_ms > now_ms ? s->hold_ms - now_ms : 0;
}

void destination_show(const struct destination *d, struct queue_destination_view *v, int64_t now_ms)
{
    struct tenant_rest r =
        longer_of(rate_limit_of_tenant(d, NULL, now_ms), shun_longest(d, NULL, false));
    show(d, v, now_ms);
    if (d->window.limit == LIMIT_UNKNOWN)
        v->limit = 0;
    show_speed(d, v, now_ms);
    v->paused = pauses_shown(d);
    v->stuck = count_stuck(d, now_ms);
    v->kept = reserve_at(v->limit, d->urgent_ms, now_ms);
    v->tenant = v->tenant_why = v->capped_tenant = "";
    if (r.until_ms <= now_ms)
        return;
    v->tenant = r.tenant;
    v->tenant_why = r.why;
    v->tenant_rest_ms = r.until_ms - now_ms;
}

/* A ceiling of one tenant's own. */
void destination_show_cap(const struct queue *q, const struct destination *d,
                          struct queue_destination_view *v, int64_t now_ms)
{
    size_t at = 0;
    if (!window_is_capped(&d->own, now_ms))
        return;
    for (const struct tenant *t = pointer_table_next(&q->tenants, &at); t;
         t = pointer_table_next(&q->tenants, &at))
        if (t->id == d->own_tenant)
            v->capped_tenant = t->name;
    v->tenant_ceiling = d->own.ceiling;
    v->tenant_ceiling_ms = d->own.ceiling_until_ms - now_ms;
}

static bool is_worth_showing(const struct queue_destination_view *v)
{
    size_t waiting = 0;
    for (size_t i = 0; i < STREAM_CLASSES; i++)
        waiting += v->waiting_by_class[i];
    return waiting > 0 || v->rest_ms > 0 || v->tenant_rest_ms > 0 || v->paused > 0 ||
           v->opening + v->busy + v->idle + v->closing > 0;
}

void queue_each_destination(const struct queue *q, queue_on_destination *on_destination,
                            void *context, int64_t now_ms)
{
    size_t at = 0;
    for (const struct destination *d = pointer_table_next(&q->destinations, &at); d;
         d = pointer_table_next(&q->destinations, &at)) {
        struct queue_destination_view v;
        destination_show(d, &v, now_ms);
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
        destination_show(d, &v, now_ms);
        on_destination(context, &v);
    }
}

bool queue_find_destination(const struct queue *q, const char *name,
                            struct queue_destination_view *view_r, int64_t now_ms)
{
    const struct destination *d = destination_find(q, name);
    if (d) {
        destination_show(d, view_r, now_ms);
        destination_show_cap(q, d, view_r, now_ms);
    }
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

void queue_find_domain(const struct queue *q, const char *name, struct queue_domain_view *view_r,
                       int64_t now_ms)
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
    if (domain->lane) {
        view_r->destination = domain->lane->destination->name;
        view_r->rest_until_ms = domain->lane->rest.rest_until_ms;
        struct tenant_rest limit =
            rate_limit_of_tenant(domain->lane->destination, domain->lane, now_ms);
        struct tenant_rest r = longer_of(
            limit, shun_longest(domain->lane->destination, domain->lane, domain_is_good(domain)));
        r = longer_of(r, pause_longest(domain->lane->destination, domain->name));
        view_r->tenant_until_ms = r.until_ms;
        view_r->tenant = r.tenant;
        view_r->tenant_why = r.why;
    }
    if (domain->state == DOMAIN_UNRESOLVABLE)
        view_r->why = domain_why(q, domain);
}

/* ---- operators ---- */

static void order(struct destination *d, int64_t until_ms, const char *why)
{
    free(d->ordered_why);
    d->ordered_why = xstrdup(why);
    d->ordered_until_ms = until_ms;
}

bool queue_rest(struct queue *q, const char *name, int64_t for_ms, const char *why, int64_t now_ms)
{
    struct destination *d = destination_find(q, name);
    if (!d)
        return false;
    order(d, now_ms + for_ms, why);
    destination_follow_orders(q, d, true, now_ms);
    return true;
}

void queue_rest_again(struct queue *q, const char *name, int64_t for_ms, const char *why,
                      int64_t now_ms)
{
    struct destination *d = destination_keep(q, name);
    order(d, now_ms + for_ms, why);
    destination_follow_orders(q, d, false, now_ms);
}

void queue_rest_host(struct queue *q, const char *host, int64_t for_ms, const char *why,
                     int64_t now_ms)
{
    size_t at = 0;
    host_rest_set(q, host, for_ms, why, now_ms);
    for (struct destination *d = pointer_table_next(&q->destinations, &at); d;
         d = pointer_table_next(&q->destinations, &at))
        if (host_rest_covers(d, host))
            destination_follow_orders(q, d, true, now_ms);
}

/* By the name an operator's rest is over. Any other is until a connection works: this only tries
 * it, and what has failed is told to be back when it is. */
static void resume(struct queue *q, struct destination *d, bool by_name, int64_t now_ms)
{
    bool ordered = by_name && d->operator_until_ms > now_ms;
    if (ordered)
        d->operator_until_ms = d->ordered_until_ms = 0;
    window_forget(&d->window);
    window_forget(&d->own);
    if (by_name) { /* what a server has said is not undone by a reload */
        speed_forget(q, d);
        pauses_forget(q, d, now_ms);
    }
    rate_limits_forget(q, d, now_ms);
    d->blocked_until_ms = 0;
    destination_touch(q, d);
    if (ordered)
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

bool queue_resume_host_of(struct queue *q, const char *name, int64_t now_ms)
{
    struct destination *d = destination_find(q, name);
    if (!d)
        return false;
    d->ordered_until_ms = 0;
    lanes_forget_of(q, d);
    destination_follow_orders(q, d, true, now_ms);
    resume(q, d, false, now_ms);
    return true;
}

void queue_resume_domain(struct queue *q, const char *name, int64_t now_ms)
{
    const struct domain *domain = domain_find(q, name);
    if (!domain || !domain->lane)
        return;
    lane_forget(q, domain->lane);
    pauses_ask(q, domain, now_ms);
    resume(q, domain->lane->destination, false, now_ms);
}
