// SPDX-License-Identifier: BSD-2-Clause
/* shape_limits.c - The limits of one destination, what rests there, and which destinations have
 * more limits than the settings say. */
#include "shape_parts.h"

#include "mx_providers.h"
#include "pause.h"
#include "rate_limit.h"
#include "shun.h"

#include <stdio.h>
#include <string.h>

enum { SHARE_LOOKED_AT = 4096, NAMED_MAX = 100 /* in a list: tenants by their ids */ };

static const char *const words[] = {
    [QUEUE_REST_ORDER] = "operator",  [QUEUE_REST_FAILURE] = "failure",
    [QUEUE_REST_HOSTS] = "hosts",     [QUEUE_REST_REFUSED] = "refused",
    [QUEUE_REST_BROKEN] = "broken",   [QUEUE_REST_PAUSED] = "paused",
    [QUEUE_REST_CEILING] = "ceiling",
};

const char *queue_rest_word(enum queue_rest_kind kind)
{
    return words[kind];
}

/* ---- numbers ---- */

void shape_count_all(const struct guess *g, struct queue_shape *shape)
{
    const struct queue *q = g->queue;
    shape->all = q->settings.connections;
    shape->all_used = (unsigned)q->in_use;
    shape->all_kept = q->settings.connections - plain_max(q);
    shape->tenant_all = (unsigned)capacity_held(q, g->line.tenant);
}

static enum queue_limit_rule rule_of(const struct guess *g)
{
    const struct destination *d = g->destination;
    if (d->provider && d->window.limit == d->provider->limit)
        return QUEUE_LIMIT_OF_PROVIDER;
    bool is_default =
        d->window.limit == LIMIT_UNKNOWN || d->window.limit == g->queue->settings.per_destination;
    return is_default ? QUEUE_LIMIT_OF_ALL : QUEUE_LIMIT_OF_ROUTE;
}

/* So many that tenant may have at once while others want some. */
static unsigned share_of(const struct destination *d, unsigned used, int64_t now_ms)
{
    unsigned most = destination_most(d, now_ms);
    unsigned at_work = d->in_use - d->count[CONNECTION_IDLE];
    unsigned left = most > at_work ? most - at_work : 0;
    unsigned may = used;
    for (unsigned i = 0; i < SHARE_LOOKED_AT && is_within_share(may, left) && left > 0; i++) {
        may++;
        left--;
    }
    return may;
}

void shape_count(const struct guess *g, struct queue_shape *shape)
{
    const struct destination *d = g->destination;
    shape->rule = rule_of(g);
    shape->address = d->window.limit == LIMIT_UNKNOWN ? 0 : d->window.limit;
    shape->in_use = d->in_use;
    shape->used = place_held(d, g->line.tenant);
    shape->most = shape->address == 0 ? 0 : share_of(d, shape->used, g->now_ms);
    shape->closed = d->spacing.state == SPACING_CLOSED;
    if (d->provider) {
        shape->messages = d->provider->messages;
        shape->provider = provider_limit(d);
        shape->provider_used = d->provider->in_use;
    }
    if (!spacing_is_on(&d->spacing, g->now_ms))
        return;
    snprintf(shape->slowed_why, sizeof(shape->slowed_why), "%s", d->fast_why ? d->fast_why : "");
    shape->slowed_for_ms = g->now_ms - d->fast_since_ms;
}

/* ---- what rests ---- */

/* Of that tenant, of any, or of all. */
static bool is_about(const char *tenant_or_null, uint64_t id)
{
    return !tenant_or_null || id == 0 || id == tenant_id(tenant_or_null);
}

static void add(const struct guess *g, struct queue_shape *shape, enum queue_rest_kind kind,
                const struct tenant_rest *rest)
{
    shape->rests_all++;
    if (shape->rest_count == QUEUE_SHAPE_RESTS)
        return;
    struct queue_shape_rest *one = &shape->rests[shape->rest_count++];
    one->kind = kind;
    one->for_ms = rest->until_ms > g->now_ms ? rest->until_ms - g->now_ms : 0;
    snprintf(one->tenant, sizeof(one->tenant), "%s", rest->tenant ? rest->tenant : "");
    span_put(span_of(rest->why ? rest->why : ""), one->why, sizeof(one->why));
}

static void add_limits(const struct guess *g, const char *tenant_or_null, struct queue_shape *shape)
{
    const struct destination *d = g->destination;
    const struct rate_limit *l;
    size_t at = 0;
    while (d->limited > 0 && (l = pointer_table_next(&d->limits, &at))) {
        const struct tenant_rest rest = {l->tenant->name, l->why, l->rest.rest_until_ms};
        if (rate_limit_is_active(l) && is_about(tenant_or_null, l->tenant->id))
            add(g, shape, QUEUE_REST_REFUSED, &rest);
    }
}

static void add_shuns(const struct guess *g, const char *tenant_or_null, struct queue_shape *shape)
{
    const struct destination *d = g->destination;
    const struct shun *s;
    size_t at = 0;
    while (d->shunned > 0 && (s = pointer_table_next(&d->shuns, &at))) {
        const struct tenant_rest rest = {s->tenant ? s->name : "", s->why, s->wake_ms};
        if (s->state == SHUN_BARS && is_about(tenant_or_null, s->tenant))
            add(g, shape, QUEUE_REST_BROKEN, &rest);
    }
}

/* Of that tenant's mail, or anybody's; everybody's is of each. */
static bool is_paused_for(const struct pause *p, const char *tenant_or_null)
{
    return pause_is_shown(p) && (!p->tenant || is_about(tenant_or_null, p->tenant->id));
}

/* For mail to this domain. A mailbox's own are its own. */
static void add_pauses(const struct guess *g, const char *tenant_or_null, struct queue_shape *shape)
{
    const struct pause *p;
    char text[PAUSE_TEXT];
    for (size_t at = 0; (p = pointer_table_next(&g->destination->pauses, &at));) {
        const struct tenant_rest rest = {p->tenant ? p->tenant->name : "", text, p->until_ms};
        if (!is_paused_for(p, tenant_or_null) || p->kind == QUEUE_PAUSE_MAILBOX ||
            (p->domain[0] && strcmp(p->domain, g->line.domain->name) != 0))
            continue;
        pause_print(p, text);
        add(g, shape, QUEUE_REST_PAUSED, &rest);
    }
}

static unsigned count_pauses(const struct destination *d, const char *tenant_or_null)
{
    const struct pause *p;
    unsigned count = 0;
    for (size_t at = 0; (p = pointer_table_next(&d->pauses, &at));)
        count += is_paused_for(p, tenant_or_null);
    return count;
}

static void add_ceiling(const struct guess *g, const char *tenant_or_null,
                        struct queue_shape *shape)
{
    const struct destination *d = g->destination;
    const struct tenant_rest rest = {tenant_name(g->queue, d->own_tenant), "",
                                     d->own.ceiling_until_ms};
    size_t before = shape->rest_count;
    if (!window_is_capped(&d->own, g->now_ms) || !is_about(tenant_or_null, d->own_tenant))
        return;
    add(g, shape, QUEUE_REST_CEILING, &rest);
    if (shape->rest_count > before)
        shape->rests[before].connections = d->own.ceiling;
}

void shape_find_rests(const struct guess *g, const char *tenant_or_null, struct queue_shape *shape)
{
    const struct destination *d = g->destination;
    const struct lane *lane = g->line.domain->lane;
    const struct tenant_rest order = {"", d->why, d->operator_until_ms};
    const struct tenant_rest failure = {"", d->why, d->window.rest_until_ms};
    const struct tenant_rest hosts = {"", "", lane->resting ? lane->wake_ms : 0};
    if (order.until_ms > g->now_ms)
        add(g, shape, QUEUE_REST_ORDER, &order);
    if (failure.until_ms > g->now_ms)
        add(g, shape, QUEUE_REST_FAILURE, &failure);
    if (hosts.until_ms > g->now_ms)
        add(g, shape, QUEUE_REST_HOSTS, &hosts);
    add_ceiling(g, tenant_or_null, shape);
    add_limits(g, tenant_or_null, shape);
    add_shuns(g, tenant_or_null, shape);
    add_pauses(g, tenant_or_null, shape);
}

void shape_find_orders(const struct guess *g, const char *destination_or_null,
                       struct queue_shape *shape)
{
    const struct destination named = {.name = destination_or_null};
    struct tenant_rest rest = {.tenant = ""};
    if (!destination_or_null)
        return;
    rest.why = host_rests_of(g->queue, &named, &rest.until_ms, g->now_ms);
    if (!rest.why)
        return;
    add(g, shape, QUEUE_REST_ORDER, &rest);
    for (size_t i = 0; i < STREAM_CLASSES; i++)
        shape->classes[i] =
            (struct queue_shape_class){QUEUE_WAIT_OPERATOR, rest.until_ms - g->now_ms};
}

/* ---- all of them ---- */

/* What rests there of that tenant's mail, or any tenant's: what lasts longest. */
static struct tenant_rest longest(const struct destination *d, const char *tenant_or_null)
{
    struct tenant_rest best = {.tenant = NULL};
    const struct rate_limit *l;
    const struct shun *s;
    for (size_t at = 0; d->limited > 0 && (l = pointer_table_next(&d->limits, &at));)
        if (rate_limit_is_active(l) && is_about(tenant_or_null, l->tenant->id) &&
            (!best.tenant || l->wake_ms > best.until_ms))
            best = (struct tenant_rest){l->tenant->name, l->why, l->wake_ms};
    for (size_t at = 0; d->shunned > 0 && (s = pointer_table_next(&d->shuns, &at));)
        if (s->state == SHUN_BARS && is_about(tenant_or_null, s->tenant) &&
            (!best.tenant || s->wake_ms > best.until_ms))
            best = (struct tenant_rest){s->name, s->why, s->wake_ms};
    return best;
}

/* For everybody's mail, or that of this tenant. */
static bool is_limited(const struct destination *d, const char *tenant_or_null, int64_t now_ms)
{
    bool slowed = spacing_is_on(&d->spacing, now_ms) &&
                  (slowed_is_shared(d, now_ms) || is_about(tenant_or_null, d->fast_tenant));
    bool capped = window_is_capped(&d->own, now_ms) && is_about(tenant_or_null, d->own_tenant);
    return slowed || capped || d->operator_until_ms > now_ms || window_rests(&d->window, now_ms) ||
           window_is_capped(&d->window, now_ms) || count_pauses(d, tenant_or_null) > 0;
}

/* What of others' mail is so is not said. */
static void keep_to(const struct destination *d, const char *tenant, const struct tenant_rest *rest,
                    struct queue_destination_view *view, int64_t now_ms)
{
    view->tenant = rest->tenant ? rest->tenant : "";
    view->tenant_why = rest->tenant ? rest->why : "";
    view->tenant_rest_ms = rest->until_ms > now_ms ? rest->until_ms - now_ms : 0;
    if (!is_about(tenant, d->own_tenant))
        view->tenant_ceiling_ms = 0;
    if (!slowed_is_shared(d, now_ms) && !is_about(tenant, d->fast_tenant))
        view->a_minute = 0;
    view->paused = count_pauses(d, tenant);
}

void queue_each_limited(const struct queue *q, const char *tenant_or_null,
                        queue_on_destination *on_destination, void *context, int64_t now_ms)
{
    size_t at = 0;
    unsigned named = 0;
    for (const struct destination *d = pointer_table_next(&q->destinations, &at); d;
         d = pointer_table_next(&q->destinations, &at)) {
        struct queue_destination_view view;
        const struct tenant_rest rest = longest(d, tenant_or_null);
        if (!rest.tenant && !is_limited(d, tenant_or_null, now_ms))
            continue;
        destination_show(d, &view, now_ms);
        if (window_is_capped(&d->own, now_ms) && named++ < NAMED_MAX)
            destination_show_cap(q, d, &view, now_ms);
        if (tenant_or_null)
            keep_to(d, tenant_or_null, &rest, &view, now_ms);
        on_destination(context, &view);
    }
}
