// SPDX-License-Identifier: BSD-2-Clause
/* destinations.c - Where domains lead: a provider or a set of hosts, with port and route; inside it
 * lanes, whose connections may carry each other's messages; over it providers.
 *
 * A destination is there while a lane of it is, and is kept for a while after that when something
 * was learned about it. A lane is there while a domain leads to it or a connection was opened for
 * it.
 */
#include "queue_moves.h"

#include "mx_providers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum { LIMIT_UNKNOWN = 1000, UNUSED_MAX = 1024, LANES_REST_MS = 5000, HOST_MAX = 255 };

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
    return pointer_table_text(((const struct provider *)item)->name);
}

static bool same_provider(const void *a, const void *b)
{
    return strcmp(((const struct provider *)a)->name, ((const struct provider *)b)->name) == 0;
}

static bool turn_before(const struct line *l, const struct line *m)
{
    return l->head_message != m->head_message ? l->head_message < m->head_message
                                              : l->head_number < m->head_number;
}

static bool by_turn(const void *a, const void *b)
{
    return turn_before(OWNER_OF(a, struct line, turn), OWNER_OF(b, struct line, turn));
}

static bool by_lane_turn(const void *a, const void *b)
{
    return turn_before(OWNER_OF(a, struct line, lane_turn), OWNER_OF(b, struct line, lane_turn));
}

/* Of one tenant's destinations: the most urgent mail, then the fewest connections, then who has
 * waited longest. */
static bool by_want(const void *a, const void *b)
{
    const struct destination *d = OWNER_OF(a, struct destination, want);
    const struct destination *e = OWNER_OF(b, struct destination, want);
    if (d->want_class != e->want_class)
        return d->want_class < e->want_class;
    return d->want_in_use != e->want_in_use ? d->want_in_use < e->want_in_use : d->since < e->since;
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
    for (size_t i = 0; i < POOLS; i++)
        fair_init(&q->connect[i], FAIR_HELD, &q->parties, by_want);
}

static void free_lane(struct queue *q, struct lane *lane)
{
    pointer_table_drop(&q->lanes, lane);
    if (lane->resting)
        heap_take(&q->lane_wakes, lane);
    for (size_t i = 0; i < STREAM_CLASSES; i++)
        fair_fini(&lane->turns[i]);
    free(lane);
}

static void free_destination(struct queue *q, struct destination *d)
{
    struct provider *p = d->provider;
    destination_unwanted(q, d);
    if (d->dirty)
        DL_DELETE2(q->dirty, d, prev_dirty, next_dirty);
    pointer_table_drop(&q->destinations, d);
    for (size_t i = 0; i < STREAM_CLASSES; i++)
        fair_fini(&d->turns[i]);
    fair_fini(&d->trying);
    if (p) {
        DL_DELETE(p->destinations, d);
        if (!p->destinations) {
            pointer_table_drop(&q->providers, p);
            free(p);
        }
    }
    free(d->why);
    free(d);
}

void destinations_fini(struct queue *q)
{
    for (size_t at = 0; q->lanes.count > 0; at = 0)
        free_lane(q, pointer_table_next(&q->lanes, &at));
    for (size_t at = 0; q->destinations.count > 0; at = 0)
        free_destination(q, pointer_table_next(&q->destinations, &at));
    pointer_table_fini(&q->lanes);
    pointer_table_fini(&q->destinations);
    pointer_table_fini(&q->providers);
    heap_fini(&q->wakes);
    for (size_t i = 0; i < POOLS; i++)
        fair_fini(&q->connect[i]);
}

/* ---- from hosts to a lane ---- */

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* "mx1.club.example,mx2.club.example": sorted, in lower case, each once. */
static void print_hosts(const struct queue_answer *answer, struct buf *text)
{
    char names[QUEUE_HOSTS_MAX][HOST_MAX + 1];
    const char *sorted[QUEUE_HOSTS_MAX];
    size_t count = answer->host_count < QUEUE_HOSTS_MAX ? answer->host_count : QUEUE_HOSTS_MAX;
    for (size_t i = 0; i < count; i++) {
        size_t len = strnlen(answer->hosts[i], HOST_MAX);
        if (len > 1 && answer->hosts[i][len - 1] == '.')
            len--;
        for (size_t k = 0; k < len; k++) {
            char c = answer->hosts[i][k];
            names[i][k] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
        }
        names[i][len] = '\0';
        sorted[i] = names[i];
    }
    qsort(sorted, count, sizeof(sorted[0]), by_name);
    for (size_t i = 0; i < count; i++)
        if (i == 0 || strcmp(sorted[i], sorted[i - 1]) != 0)
            CHECK(buf_addf(text, "%s%s", i > 0 ? "," : "", sorted[i]));
}

static struct provider *provider_need(struct queue *q, const struct mx_provider *row)
{
    char name[64];
    CHECK(span_copy(row->name, name, sizeof(name)));
    struct provider key = {.name = name};
    struct provider *p = pointer_table_find(&q->providers, &key);
    if (!p) {
        const char *copy = NULL;
        p = names_struct(sizeof(*p), name, &copy);
        p->name = copy;
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

static void join_provider(struct queue *q, struct destination *d, const struct mx_provider *row)
{
    if (!row || d->provider)
        return;
    d->provider = provider_need(q, row);
    DL_APPEND(d->provider->destinations, d);
}

static struct destination *destination_need(struct queue *q, const char *name,
                                            const struct mx_provider *row)
{
    struct destination *d = destination_find(q, name);
    if (d) {
        join_provider(q, d, row);
        return d;
    }
    const char *copy = NULL;
    d = names_struct(sizeof(*d), name, &copy);
    d->name = copy;
    d->urgent_ms = NEVER_MS;
    window_init(&d->window, LIMIT_UNKNOWN);
    for (size_t i = 0; i < STREAM_CLASSES; i++)
        fair_init(&d->turns[i], FAIR_TURNS, &q->parties, by_turn);
    fair_init(&d->trying, FAIR_HELD, &q->parties, by_turn);
    pointer_table_add(&q->destinations, d);
    join_provider(q, d, row);
    return d;
}

static void keep(struct queue *q, struct destination *d)
{
    DL_APPEND2(q->unused_destinations, d, prev_dirty, next_dirty);
    q->unused_destination_count++;
    d->unused = true;
}

struct destination *destination_keep(struct queue *q, const char *name)
{
    struct destination *d = destination_need(q, name, NULL);
    if (d->lanes == 0 && !d->unused)
        keep(q, d);
    return d;
}

static void use_again(struct queue *q, struct destination *d)
{
    if (!d->unused)
        return;
    DL_DELETE2(q->unused_destinations, d, prev_dirty, next_dirty);
    q->unused_destination_count--;
    d->unused = false;
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
    lane->opened = q->lanes_made++;
    for (size_t i = 0; i < STREAM_CLASSES; i++)
        fair_init(&lane->turns[i], FAIR_TURNS, &q->parties, by_lane_turn);
    pointer_table_add(&q->lanes, lane);
    d->lanes++;
    use_again(q, d);
    if (destination_has_lanes(d) && d->failed_lanes < LANES_TO_SHOW)
        d->window.rest_until_ms = 0; /* other hosts may do better */
    for (const struct connection *c = d->connections; c && d->lanes == 2; c = c->next_of)
        if (c->state == CONNECTION_OPENING)
            lane_opens(q, c->lane); /* it is no longer the only one */
    destination_touch(q, d);
    return lane;
}

struct lane *lane_need(struct queue *q, const struct queue_answer *answer)
{
    struct mx_provider row = {0};
    struct buf hosts;
    struct buf name;
    bool known = mx_provider_find(answer->hosts, answer->host_count, &row);
    const char *route = answer->route ? answer->route : "";
    buf_init(&hosts, QUEUE_HOSTS_MAX * (HOST_MAX + 2));
    buf_init(&name, QUEUE_HOSTS_MAX * (HOST_MAX + 2) + strlen(route) + 32);
    print_hosts(answer, &hosts);
    if (known)
        buf_add(&name, row.name);
    else
        buf_add(&name, buf_span(&hosts));
    buf_addf(&name, ":%u%s%s", answer->port, route[0] ? " " : "", route);
    CHECK(!name.overflow && !hosts.overflow && answer->trust != 0);
    struct destination *d = destination_need(q, buf_text(&name), known ? &row : NULL);
    unsigned limit = answer->connections ? answer->connections
                     : d->provider       ? d->provider->limit
                                         : q->settings.per_destination;
    window_set_limit(&d->window, limit);
    struct lane *lane = find_lane(q, d, answer->trust, buf_text(&hosts));
    buf_fini(&hosts);
    buf_fini(&name);
    return lane;
}

void lane_drop(struct queue *q, struct lane *lane)
{
    struct destination *d = lane->destination;
    if (lane->users > 0)
        return;
    free_lane(q, lane);
    if (--d->lanes > 0)
        return;
    CHECK(!d->unused);
    destination_unwanted(q, d);
    if (d->dirty)
        DL_DELETE2(q->dirty, d, prev_dirty, next_dirty);
    d->dirty = false;
    keep(q, d);
}

/* The longest unused first; what an operator has put to rest stays. */
void destinations_sweep(struct queue *q, int64_t now_ms)
{
    size_t left = q->unused_destination_count;
    while (q->unused_destination_count > UNUSED_MAX && left-- > 0) {
        struct destination *d = q->unused_destinations;
        use_again(q, d);
        if (d->operator_until_ms > now_ms)
            keep(q, d);
        else
            free_destination(q, d);
    }
}

/* ---- what goes next ---- */

static struct fair_item *first_of(const struct fair *turns)
{
    struct fair_item *item = NULL;
    for (size_t i = 0; !item && i < STREAM_CLASSES; i++)
        item = fair_first(&turns[i]);
    return item;
}

struct question {
    line_test *test;
    const void *context;
};

static bool passes(const struct fair_item *item, const void *context)
{
    const struct question *question = context;
    return question->test(OWNER_OF(item, struct line, turn), question->context);
}

struct line *destination_best_of(struct destination *d, line_test *test, const void *context)
{
    const struct question question = {test, context};
    for (size_t i = 0; i < STREAM_CLASSES;) {
        struct fair_item *item = fair_first_of(&d->turns[i], passes, &question);
        struct line *line = item ? OWNER_OF(item, struct line, turn) : NULL;
        if (line && !line->domain->lane->resting)
            return line;
        if (line)
            lane_hold(line->domain->lane, line);
        else
            i++;
    }
    return NULL;
}

/* What rests is set aside when it is met. */
struct line *destination_best(struct destination *d)
{
    struct fair_item *item;
    while ((item = first_of(d->turns))) {
        struct line *line = OWNER_OF(item, struct line, turn);
        if (!line->domain->lane->resting)
            return line;
        lane_hold(line->domain->lane, line);
    }
    return NULL;
}

/* The class that has been passed over most; of class security's mail but one in so many. */
struct line *destination_overdue(struct destination *d)
{
    size_t most = 0;
    unsigned passed = d->turns[STREAM_SECURITY].count > 0 ? 1 : PASSED_MAX;
    struct fair_item *item;
    if (d->turns[STREAM_SECURITY].count > 0 && d->codes < PASSED_MAX)
        return NULL;
    for (size_t i = 1; i < STREAM_CLASSES; i++)
        if (d->turns[i].count > 0 && d->passed[i] >= passed) {
            passed = d->passed[i] + 1;
            most = i;
        }
    while (most > 0 && (item = fair_first(&d->turns[most]))) {
        struct line *line = OWNER_OF(item, struct line, turn);
        if (!line->domain->lane->resting)
            return line;
        lane_hold(line->domain->lane, line);
    }
    return NULL;
}

void destination_serves(struct destination *d, enum stream_class class)
{
    size_t others = 0;
    d->passed[class] = 0;
    for (size_t i = 1; i < STREAM_CLASSES; i++) {
        others += d->turns[i].count;
        if (i > class)
            d->passed[i] = d->turns[i].count > 0 ? d->passed[i] + 1 : 0;
    }
    d->codes = class == STREAM_SECURITY && others > 0 ? d->codes + 1 : 0;
}

struct line *lane_best(const struct lane *lane)
{
    struct fair_item *item = first_of(lane->turns);
    return item ? OWNER_OF(item, struct line, lane_turn) : NULL;
}

/* ---- rest ---- */

void destination_unwanted(struct queue *q, struct destination *d)
{
    fair_take(&d->want);
    address_book_leave(&q->addresses, &d->address_waiter);
    if (d->wake_place != 0)
        heap_take(&q->wakes, d);
}

void destination_set_why(struct destination *d, const char *why)
{
    char text[QUEUE_WHY_MAX];
    snprintf(text, sizeof(text), "%s", why);
    free(d->why);
    d->why = xstrdup(text);
}

void destination_rest(struct queue *q, struct destination *d, const char *why, int64_t now_ms)
{
    d->proven = false;
    if (!window_rest(&d->window, destination_has_lanes(d) ? LANES_REST_MS : INT64_MAX, now_ms))
        return;
    destination_set_why(d, why);
    decide(q, (struct queue_decision){.kind = QUEUE_EVENT,
                                      .destination = d->name,
                                      .text = d->why,
                                      .rest_ms = d->window.rest_until_ms - now_ms});
    destination_touch(q, d);
}

void destination_works(struct queue *q, struct destination *d, int64_t now_ms)
{
    d->proven = true;
    d->worked_ms = now_ms;
    d->failed_lanes = 0;
    d->failed_lane = d->failed_tenant = NULL;
    if (window_greeted(&d->window))
        decide(q, (struct queue_decision){
                      .kind = QUEUE_EVENT, .destination = d->name, .text = d->why ? d->why : ""});
    destination_touch(q, d);
}
