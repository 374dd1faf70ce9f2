// SPDX-License-Identifier: BSD-2-Clause
/* shape.c - What mail of one domain, tenant and class waits for, if it came now.
 *
 * The rules are those by which mail goes, asked about a line that need not be there: so what is
 * said to operators is what happens. They are asked in the order of the table, and the first that
 * holds the mail back is the answer.
 */
#include "shape_parts.h"

#include "rate_limit.h"
#include "shun.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *word, *text;
} waits[] = {
#define X(name, word, text) [QUEUE_WAIT_##name] = {word, text},
    QUEUE_WAITS(X)
#undef X
};

const char *queue_wait_word(enum queue_wait wait)
{
    return waits[wait].word;
}

const char *queue_wait_text(enum queue_wait wait)
{
    return waits[wait].text;
}

/* ---- the rules: until when they hold it back; 0: they do not; FOREVER: that is not known ---- */

enum { ASK_MS = 1000 };
#define FOREVER INT64_MAX

static int64_t store(const struct guess *g)
{
    return g->queue->paused || g->queue->draining ? FOREVER : 0;
}

static int64_t operators(const struct guess *g)
{
    return g->destination->operator_until_ms;
}

/* What may try it though it rests does so. */
static int64_t rest(const struct guess *g)
{
    return destination_may_probe(g->destination, &g->line, g->now_ms)
               ? 0
               : g->destination->window.rest_until_ms;
}

static int64_t hosts_rest(const struct guess *g)
{
    return g->line.domain->lane->resting ? g->line.domain->lane->wake_ms : 0;
}

/* Where it rests no more, or comes to an end by this, one message asks. */
static int64_t limit_until(const struct guess *g, const struct lane *lane_or_null)
{
    const struct rate_limit *l = rate_limit_find(g->destination, g->line.tenant, lane_or_null);
    if (!l || !rate_limit_is_active(l))
        return 0;
    bool hastens = g->urgent && !ask_turn_is_awaited(l);
    int64_t until_ms = l->state != LIMIT_RESTS ? 0
                       : hastens               ? rate_limit_soon_ms(l, g->now_ms)
                                               : l->wake_ms;
    bool asks = until_ms <= g->now_ms && !rate_limit_is_tried(l, NULL);
    return asks || until_ms > g->now_ms ? until_ms : g->now_ms + ASK_MS;
}

static int64_t refused(const struct guess *g)
{
    int64_t all_ms = limit_until(g, NULL);
    int64_t own_ms = limit_until(g, g->line.domain->lane);
    return all_ms > own_ms ? all_ms : own_ms;
}

static int64_t broken(const struct guess *g)
{
    const struct shun *s = line_shun(&g->line);
    return s ? s->wake_ms : 0;
}

static int64_t speed(const struct guess *g)
{
    return slowed_bars(g->destination, &g->line, g->now_ms)
               ? spacing_next_ms(&g->destination->spacing, g->now_ms)
               : 0;
}

static int64_t paused(const struct guess *g)
{
    return pause_until_ms(&g->line);
}

static int64_t address(const struct guess *g)
{
    const struct destination *d = g->destination;
    return g->urgent && !d->blocked_urgent ? 0 : d->blocked_until_ms;
}

static int64_t tenant_ceiling(const struct guess *g)
{
    const struct destination *d = g->destination;
    bool is_full =
        d->own_tenant == g->line.tenant->id && place_held(d, g->line.tenant) >= d->own.ceiling;
    return is_full && window_is_capped(&d->own, g->now_ms) ? d->own.ceiling_until_ms : 0;
}

static int64_t provider(const struct guess *g)
{
    const struct destination *d = g->destination;
    return d->provider && d->provider->in_use >= provider_limit(d) ? FOREVER : 0;
}

static bool has_place(const struct guess *g)
{
    return destination_has_place(g->destination, &g->line, g->now_ms);
}

/* What is left of all that there may be is kept for class security. */
static bool is_kept(const struct guess *g)
{
    const struct destination *d = g->destination;
    const struct provider *p = d->provider;
    if (g->urgent)
        return false;
    return d->plain + reserve_at(d->window.limit, d->urgent_ms, g->now_ms) >= d->window.limit ||
           (p &&
            p->plain + reserve_at(provider_limit(d), p->urgent_ms, g->now_ms) >= provider_limit(d));
}

static int64_t window(const struct guess *g)
{
    const struct window *w = &g->destination->window;
    if (has_place(g) || is_kept(g))
        return 0;
    return window_is_capped(w, g->now_ms) ? w->ceiling_until_ms
                                          : destination_grows_at(g->destination, g->now_ms);
}

static int64_t reserve(const struct guess *g)
{
    return has_place(g) ? 0 : FOREVER;
}

/* A limit that it brings to its end holds it back no more. */
static bool asks(const struct guess *g)
{
    return rate_limit_bars(&g->line, NULL);
}

static int64_t tenant_share(const struct guess *g)
{
    return asks(g) || destination_bears(g->destination, &g->line, NULL, g->now_ms) ? 0 : FOREVER;
}

static int64_t first(const struct guess *g)
{
    return asks(g) || destination_may_open(g->destination, &g->line, g->now_ms) ? 0 : FOREVER;
}

static int64_t all(const struct guess *g)
{
    return queue_has_room(g->queue, g->urgent) ? 0 : FOREVER;
}

static int64_t all_share(const struct guess *g)
{
    return capacity_may_have(g->queue, &g->line) ? 0 : FOREVER;
}

struct rule {
    enum queue_wait wait;
    int64_t (*until)(const struct guess *g);
};

/* Those that hold whether or not it takes a connection that is there. */
static const struct rule any[] = {
    {QUEUE_WAIT_STORE, store},     {QUEUE_WAIT_OPERATOR, operators},
    {QUEUE_WAIT_REST, rest},       {QUEUE_WAIT_HOSTS_REST, hosts_rest},
    {QUEUE_WAIT_REFUSED, refused}, {QUEUE_WAIT_SPEED, speed},
    {QUEUE_WAIT_PAUSED, paused},
};

/* And those of a new one. */
static const struct rule of_new[] = {
    {QUEUE_WAIT_BROKEN, broken},
    {QUEUE_WAIT_ADDRESS, address},
    {QUEUE_WAIT_TENANT_CEILING, tenant_ceiling},
    {QUEUE_WAIT_PROVIDER, provider},
    {QUEUE_WAIT_WINDOW, window},
    {QUEUE_WAIT_RESERVE, reserve},
    {QUEUE_WAIT_TENANT_SHARE, tenant_share},
    {QUEUE_WAIT_FIRST, first},
    {QUEUE_WAIT_ALL, all},
    {QUEUE_WAIT_ALL_SHARE, all_share},
};

static struct queue_shape_class ask(const struct guess *g, const struct rule *rules, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int64_t until_ms = rules[i].until(g);
        if (until_ms > g->now_ms)
            return (struct queue_shape_class){rules[i].wait,
                                              until_ms == FOREVER ? 0 : until_ms - g->now_ms};
    }
    return (struct queue_shape_class){QUEUE_WAIT_NOTHING, 0};
}

static bool idle_takes_it(const struct guess *g)
{
    const struct connection *c = g->destination->idle;
    for (; c; c = c->next_idle)
        if (c->lane == g->line.domain->lane && connection_bears(c, &g->line, g->now_ms) &&
            connection_may_carry(g->queue, c, g->urgent))
            return true;
    return false;
}

static struct queue_shape_class ask_class(struct guess *g, enum stream_class class)
{
    g->line.class = class;
    g->urgent = class == STREAM_SECURITY;
    struct queue_shape_class found = ask(g, any, COUNT_OF(any));
    if (found.waits != QUEUE_WAIT_NOTHING || idle_takes_it(g))
        return found;
    return ask(g, of_new, COUNT_OF(of_new));
}

static void wait_all(struct queue_shape *shape, enum queue_wait wait)
{
    for (size_t i = 0; i < STREAM_CLASSES; i++)
        shape->classes[i] = (struct queue_shape_class){wait, 0};
}

/* ---- the line that is asked about ---- */

static struct tenant *find_tenant(const struct queue *q, const char *name)
{
    const struct tenant key = {.name = name};
    return pointer_table_find(&q->tenants, &key);
}

/* As it is, or as it would be: what is made up is in no table, and so has nothing. */
static void make_line(struct guess *g, const struct queue_shape_question *question)
{
    const char *tenant = question->tenant_or_null ? question->tenant_or_null : "";
    struct tenant *known = find_tenant(g->queue, tenant);
    g->tenant = (struct tenant){.name = tenant, .id = tenant_id(tenant)};
    g->lane = (struct lane){.destination = g->destination};
    g->made_up = (struct domain){.lane = &g->lane, .name = question->domain};
    g->line = (struct line){.tenant = known ? known : &g->tenant, .domain = &g->made_up};
    if (g->domain && g->domain->lane)
        g->made_up = *g->domain; /* a copy: nothing may change it */
}

static struct destination *find_destination(const struct guess *g,
                                            const struct queue_shape_question *question)
{
    if (g->domain && g->domain->lane)
        return g->domain->lane->destination;
    return question->destination_or_null ? destination_find(g->queue, question->destination_or_null)
                                         : NULL;
}

/* No destination is known. */
static enum queue_wait without(const struct guess *g, const struct queue_shape_question *question)
{
    if (store(g) != 0)
        return QUEUE_WAIT_STORE;
    if (g->domain && g->domain->state == DOMAIN_UNRESOLVABLE)
        return QUEUE_WAIT_HOSTS;
    return question->destination_or_null ? QUEUE_WAIT_NOTHING : QUEUE_WAIT_LOOKUP;
}

/* As it will be when the message comes: a copy, as nothing may change it. */
static void grow(struct guess *g)
{
    g->grown = *g->destination;
    destination_grow(&g->grown, g->now_ms);
    g->destination = &g->grown;
}

void queue_find_shape(const struct queue *q, const struct queue_shape_question *question,
                      struct queue_shape *shape_r, struct queue_destination_view *view_r,
                      int64_t now_ms)
{
    struct queue_domain_view domain;
    struct guess g = {.queue = q, .now_ms = now_ms, .domain = domain_find(q, question->domain)};
    queue_find_domain(q, question->domain, &domain, now_ms);
    g.destination = find_destination(&g, question);
    *shape_r = (struct queue_shape){.state = domain.state, .known = g.destination != NULL};
    snprintf(shape_r->why, sizeof(shape_r->why), "%s", domain.why);
    make_line(&g, question);
    shape_count_all(&g, shape_r);
    if (!g.destination) {
        wait_all(shape_r, without(&g, question));
        shape_find_orders(&g, question->destination_or_null, shape_r);
        return;
    }
    (void)!queue_find_destination(q, g.destination->name, view_r, now_ms);
    shape_count(&g, shape_r);
    shape_find_rests(&g, question->tenant_or_null, shape_r);
    grow(&g);
    for (size_t i = 0; i < STREAM_CLASSES; i++)
        shape_r->classes[i] = ask_class(&g, (enum stream_class)i);
}
