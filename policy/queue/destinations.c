// SPDX-License-Identifier: BSD-2-Clause
/* destinations.c - Where domains lead: a provider or a set of hosts, with port and route; inside it
 * lanes, of the same hosts in the same order of preference, whose connections may carry each
 * other's messages; over it providers. Who publishes more hosts than are used has one of its own.
 *
 * A destination is there while a lane of it is, and is kept for a while after that when something
 * was learned about it. A lane is there while a domain leads to it, a connection was opened for it
 * or an attempt took a turn there.
 */
#include "queue_moves.h"

#include "host_lists.h"
#include "mx_providers.h"
#include "queue_shape.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum { UNUSED_MAX = 1024, LANES_REST_MS = 5000 };

/* ---- tables ---- */

static uint64_t hash_lane(const void *item)
{
    const struct lane *l = item;
    return pointer_table_mix((uint64_t)(uintptr_t)l->destination * 31 + l->trust) ^
           pointer_table_text(l->hosts);
}

static bool same_lane(const void *a, const void *b)
{
    const struct lane *l = a;
    const struct lane *m = b;
    return l->destination == m->destination && l->trust == m->trust &&
           strcmp(l->hosts, m->hosts) == 0;
}

static uint64_t hash_destination(const void *item)
{
    return pointer_table_text(((const struct destination *)item)->name);
}

static bool same_destination(const void *a, const void *b)
{
    return strcmp(((const struct destination *)a)->name, ((const struct destination *)b)->name) ==
           0;
}

static uint64_t hash_provider(const void *item)
{
    return pointer_table_text(((const struct provider *)item)->key);
}

static bool same_provider(const void *a, const void *b)
{
    return strcmp(((const struct provider *)a)->key, ((const struct provider *)b)->key) == 0;
}

static bool by_turn(const void *a, const void *b)
{
    return line_turn_before(OWNER_OF(a, struct line, turn), OWNER_OF(b, struct line, turn));
}

static bool by_lane_turn(const void *a, const void *b)
{
    return line_turn_before(OWNER_OF(a, struct line, lane_turn),
                            OWNER_OF(b, struct line, lane_turn));
}

static bool by_wake(const void *a, const void *b)
{
    return ((const struct destination *)a)->wake_ms < ((const struct destination *)b)->wake_ms;
}

void destinations_init(struct queue *q)
{
    pointer_table_init(&q->lanes, hash_lane, same_lane);
    pointer_table_init(&q->destinations, hash_destination, same_destination);
    pointer_table_init(&q->providers, hash_provider, same_provider);
    heap_init(&q->wakes, by_wake, offsetof(struct destination, wake_place));
    kept_init(&q->unused_destinations);
}

static void free_lane(struct queue *q, struct lane *lane)
{
    rate_limits_leave(q, lane);
    shuns_leave(q, lane);
    pointer_table_drop(&q->lanes, lane);
    if (lane->resting)
        heap_take(&q->lane_wakes, lane);
    class_turns_fini(&lane->turns);
    free(lane->addresses);
    free(lane);
}

static void free_destination(struct queue *q, struct destination *d)
{
    struct provider *p = d->provider;
    rate_limits_free(q, d); /* which touches it */
    pauses_free(q, d);      /* the same */
    shuns_free(q, d);
    destination_unwanted(q, d);
    if (d->dirty)
        DL_DELETE2(q->dirty, d, prev_dirty, next_dirty);
    d->dirty = false;
    pointer_table_drop(&q->destinations, d);
    class_turns_fini(&d->turns);
    fair_fini(&d->trying);
    free(d->places.of);
    if (p) {
        DL_DELETE(p->destinations, d);
        if (!p->destinations) {
            pointer_table_drop(&q->providers, p);
            free(p);
        }
    }
    CHECK(!d->dirty);
    free(d->why);
    free(d->ordered_why);
    free(d->fast_name);
    free(d->fast_why);
    free(d->fast_said);
    free(d->hosts);
    free(d->marks);
    free(d);
}

void destinations_fini(struct queue *q)
{
    for (size_t at = 0; q->lanes.count > 0; at = 0)
        free_lane(q, pointer_table_next(&q->lanes, &at));
    for (size_t at = 0; q->destinations.count > 0; at = 0)
        free_destination(q, pointer_table_next(&q->destinations, &at));
    kept_fini(&q->unused_destinations);
    pointer_table_fini(&q->lanes);
    pointer_table_fini(&q->destinations);
    pointer_table_fini(&q->providers);
    heap_fini(&q->wakes);
}

/* ---- from hosts to a lane ---- */

/* What a provider allows it allows each address that calls. */
static struct provider *provider_need(struct queue *q, const struct mx_provider *row,
                                      const char *source)
{
    char name[128];
    CHECK(row->name.len < 64);
    int len = snprintf(name, sizeof(name), "%.*s %.60s", SPAN_ARG(row->name), source);
    struct provider key = {.key = name};
    struct provider *p = pointer_table_find(&q->providers, &key);
    if (!p) {
        const char *copy = NULL;
        p = names_struct(sizeof(*p) + (size_t)len + 1, name, &copy);
        p->key = copy;
        memcpy(p + 1, row->name.ptr, row->name.len); /* ended by the zeros there */
        p->name = (const char *)(p + 1);
        p->limit = row->connections;
        p->urgent_ms = NEVER_MS;
        p->messages = row->messages;
        pointer_table_add(&q->providers, p);
    }
    return p;
}

struct destination *destination_find(const struct queue *q, const char *name)
{
    struct destination key = {.name = name};
    return pointer_table_find(&q->destinations, &key);
}

static void join_provider(struct queue *q, struct destination *d, const struct mx_provider *row,
                          const char *source)
{
    if (!row || d->provider)
        return;
    d->provider = provider_need(q, row, source ? source : "");
    DL_APPEND(d->provider->destinations, d);
}

static struct destination *destination_need(struct queue *q, const char *name,
                                            const struct mx_provider *row, const char *source)
{
    struct destination *d = destination_find(q, name);
    if (d) {
        join_provider(q, d, row, source);
        return d;
    }
    const char *copy = NULL;
    d = names_struct(sizeof(*d), name, &copy);
    d->name = copy;
    d->urgent_ms = NEVER_MS;
    window_init(&d->window, LIMIT_UNKNOWN);
    window_init(&d->own, LIMIT_UNKNOWN);
    class_turns_init(&d->turns, &q->turn_parties, by_turn);
    rate_limits_begin(d);
    pauses_begin(d);
    shuns_begin(d);
    fair_init(&d->trying, FAIR_HELD, &q->parties, by_turn);
    for (size_t i = 0; i < POOLS; i++)
        d->want[i].destination = d;
    pointer_table_add(&q->destinations, d);
    join_provider(q, d, row, source);
    return d;
}

struct destination *destination_keep(struct queue *q, const char *name)
{
    struct destination *d = destination_need(q, name, NULL, NULL);
    if (d->lanes == 0 && !d->unused.of)
        kept_put(&q->unused_destinations, &d->users, &d->unused);
    return d;
}

static struct lane *find_lane(struct queue *q, struct destination *d, uint64_t trust,
                              const char *hosts)
{
    struct lane key = {.destination = d, .trust = trust, .hosts = hosts};
    struct lane *lane = pointer_table_find(&q->lanes, &key);
    if (lane)
        return lane;
    const char *copy = NULL;
    lane = names_struct(sizeof(*lane), hosts, &copy);
    lane->hosts = copy;
    lane->destination = d;
    lane->trust = trust;
    lane->rotates_ms = NEVER_MS;
    lane->id = ++q->serial;
    lane->opened = q->lanes_made++;
    class_turns_init(&lane->turns, &q->turn_parties, by_lane_turn);
    pointer_table_add(&q->lanes, lane);
    d->lanes++;
    kept_take(&q->unused_destinations, &d->unused);
    if (destination_has_lanes(d) && d->failed_lanes < LANES_TO_SHOW)
        d->window.rest_until_ms = 0; /* other hosts may do better */
    for (const struct connection *c = d->connections; c && d->lanes == 2; c = c->next_of)
        if (c->state == CONNECTION_OPENING)
            lane_opens(q, c->lane); /* it is no longer the only one */
    destination_touch(q, d);
    return lane;
}

/* What its name does not say: of more hosts than one list has room for others are tried each time.
 * True: others. */
static bool note_hosts(struct destination *d, const struct host_list *list)
{
    uint64_t marks[QUEUE_HOSTS_MAX];
    struct buf text;
    size_t count = host_list_marks(list, marks);
    if (d->hosts && d->mark_count == count &&
        memcmp(d->marks, marks, count * sizeof(marks[0])) == 0)
        return false;
    buf_init(&text, HOST_LIST_ROOM);
    host_list_print_some(list, &text);
    free(d->hosts);
    d->hosts = xstrdup(buf_text(&text));
    d->marks = xgrow(d->marks, count, sizeof(d->marks[0]));
    memcpy(d->marks, marks, count * sizeof(marks[0]));
    d->mark_count = count;
    buf_fini(&text);
    return true;
}

/* What its connections may be shared by, and what its destination is called. */
static bool print_names(const struct queue_answer *answer, const struct host_list *list,
                        struct mx_provider *row_r, struct buf *hosts, struct buf *name)
{
    const char *route = answer->route ? answer->route : "";
    bool known = !answer->alone && mx_provider_find(answer->hosts, answer->host_count, row_r);
    if (answer->alone) { /* no host has that name */
        buf_addf(hosts, "%s/mx", answer->alone);
        buf_add(name, buf_span(hosts));
    } else {
        host_list_print_order(list, hosts);
        if (known)
            buf_add(name, row_r->name);
        else
            host_list_print_set(list, name);
    }
    buf_addf(name, ":%u%s%s", answer->port, route[0] ? " " : "", route);
    CHECK(!name->overflow && !hosts->overflow);
    return known;
}

void queue_prospect(const struct queue_answer *answer, struct buf *name,
                    struct queue_prospect *prospect_r)
{
    struct host_list list;
    struct mx_provider row = {0};
    struct buf hosts;
    host_list_read(answer, &list);
    buf_init(&hosts, HOST_LIST_ROOM);
    *prospect_r = (struct queue_prospect){0};
    if (print_names(answer, &list, &row, &hosts, name)) {
        CHECK(span_copy(row.name, prospect_r->provider, sizeof(prospect_r->provider)));
        prospect_r->connections = row.connections;
        prospect_r->messages = row.messages;
    }
    buf_fini(&hosts);
}

struct lane *lane_need(struct queue *q, const struct queue_answer *answer)
{
    struct host_list list;
    struct mx_provider row = {0};
    struct buf hosts;
    struct buf name;
    host_list_read(answer, &list);
    buf_init(&hosts, HOST_LIST_ROOM);
    buf_init(&name, HOST_LIST_ROOM + (answer->route ? strlen(answer->route) : 0) + 32);
    CHECK(answer->trust != 0);
    bool known = print_names(answer, &list, &row, &hosts, &name);
    bool is_new = !destination_find(q, buf_text(&name));
    struct destination *d =
        destination_need(q, buf_text(&name), known ? &row : NULL, answer->source);
    bool named = !answer->alone && (known || host_list_has_room(&list));
    if ((!named && note_hosts(d, &list)) || is_new)
        destination_follow_orders(q, d, true, q->now_ms);
    unsigned limit = answer->connections ? answer->connections
                     : d->provider       ? d->provider->limit
                                         : q->settings.per_destination;
    window_set_limit(&d->window, limit);
    struct lane *lane = find_lane(q, d, answer->trust, buf_text(&hosts));
    buf_fini(&hosts);
    buf_fini(&name);
    return lane;
}

size_t lane_bytes(const struct lane *lane)
{
    const struct destination *d = lane->destination;
    return sizeof(*lane) + strlen(lane->hosts) + lane_addresses_bytes(lane) + sizeof(*d) +
           strlen(d->name) +
           (d->hosts ? strlen(d->hosts) + d->mark_count * sizeof(d->marks[0]) : 0);
}

void lane_drop(struct queue *q, struct lane *lane)
{
    struct destination *d = lane->destination;
    if (lane->users > 0)
        return;
    free_lane(q, lane);
    if (--d->lanes > 0)
        return;
    CHECK(!d->unused.of);
    destination_unwanted(q, d);
    if (d->dirty)
        DL_DELETE2(q->dirty, d, prev_dirty, next_dirty);
    d->dirty = false;
    kept_put(&q->unused_destinations, &d->users, &d->unused);
}

/* What an operator has put to rest stays. */
void destinations_sweep(struct queue *q, int64_t now_ms)
{
    struct kept *unused = &q->unused_destinations;
    for (size_t left = unused->count; unused->count > UNUSED_MAX && left > 0; left--) {
        struct destination *d = OWNER_OF(kept_first(unused), struct destination, unused);
        kept_take(unused, &d->unused);
        if (d->operator_until_ms > now_ms)
            kept_put(unused, &d->users, &d->unused);
        else
            free_destination(q, d);
    }
}

/* ---- rest ---- */

void destination_unwanted(struct queue *q, struct destination *d)
{
    want_take(d);
    address_book_leave(&q->addresses, &d->address_waiter);
    if (d->wake_place != 0)
        heap_take(&q->wakes, d);
}

/* A tenant's mail alone may rest, or be capped. */
static bool holds_back_some(const struct destination *d, int64_t now_ms)
{
    return window_is_capped(&d->window, now_ms) || window_is_capped(&d->own, now_ms) ||
           d->limited > 0 || d->shunned > 0;
}

void destination_forget_why(struct destination *d, int64_t now_ms)
{
    if (!d->why || d->operator_until_ms > now_ms || holds_back_some(d, now_ms) ||
        destination_rests(d, now_ms))
        return;
    free(d->why);
    d->why = NULL;
}

void destination_rest(struct queue *q, struct destination *d, const struct tenant *whose,
                      const char *why, int64_t now_ms)
{
    d->proven = false;
    if (d->manner == MANNER_ANSWERS)
        d->manner = MANNER_UNKNOWN;
    if (!window_rest(&d->window, destination_has_lanes(d) ? LANES_REST_MS : INT64_MAX, now_ms))
        return;
    destination_set_why(d, why, now_ms);
    decide(q, (struct queue_decision){.kind = QUEUE_EVENT,
                                      .destination = d->name,
                                      .text = d->why,
                                      .tenant = whose ? whose->name : NULL,
                                      .rest_ms = d->window.rest_until_ms - now_ms});
    destination_touch(q, d);
}

bool destination_rests(const struct destination *d, int64_t now_ms)
{
    unsigned failures = 0;
    return window_rests(&d->window, now_ms) || rate_limit_rest_ms(d, &failures, now_ms) > 0;
}

void destination_works(struct queue *q, struct destination *d, int64_t now_ms)
{
    d->proven = true;
    d->worked_ms = now_ms;
    d->failed_lanes = 0;
    d->failed_lane = d->failed_tenant = 0;
    if (window_greeted(&d->window))
        decide(q, (struct queue_decision){
                      .kind = QUEUE_EVENT, .destination = d->name, .text = d->why ? d->why : ""});
    destination_touch(q, d);
}

void destination_follow_orders(struct queue *q, struct destination *d, bool told, int64_t now_ms)
{
    int64_t until_ms = 0;
    const char *why = host_rests_of(q, d, &until_ms, now_ms);
    if (d->ordered_until_ms > now_ms && d->ordered_until_ms >= until_ms) {
        until_ms = d->ordered_until_ms;
        why = d->ordered_why;
    }
    bool changed = d->operator_until_ms != until_ms;
    if (why)
        destination_set_why(d, why, now_ms);
    else if (d->operator_until_ms > now_ms)
        until_ms = d->unused.of ? 0 : now_ms; /* it is over, which only one in use has to be told */
    if (why || d->operator_until_ms > now_ms)
        d->operator_until_ms = until_ms;
    if (why && told && changed)
        decide(q, (struct queue_decision){.kind = QUEUE_EVENT,
                                          .destination = d->name,
                                          .text = d->why,
                                          .rest_ms = until_ms - now_ms});
    destination_touch(q, d);
}
