// SPDX-License-Identifier: BSD-2-Clause
/* shuns.c - A set of hosts ends connections over one tenant's mail (failures.c), or over mail to
 * domains that it does not know: nothing is opened there for that for a while.
 *
 *   SUSPECTED ──▶ BARS ──(LANE_SHUN_MS)──▶ SUSPECTED ──(SUSPECTED_MS)──▶ forgotten
 *                  ▲──────(met again)──────────╯
 *
 * Each tenant has one of its own in each lane, so that what others meet there tells them apart. Of
 * a provider's lanes three show that it is all of its hosts that do so: then the tenant has one for
 * the whole destination, at once when it is met again. From the first on it tries new hosts there
 * one at a time, also when what it met is a limit at MAIL.
 */
#include "shun.h"

#include <stdlib.h>

enum { SUSPECTED_MS = 10 * 1000 };

static uint64_t hash_shun(const void *item)
{
    const struct shun *s = item;
    return pointer_table_mix(s->tenant + (s->lane ? s->lane->id : 0));
}

static bool same_shun(const void *a, const void *b)
{
    const struct shun *s = a;
    const struct shun *t = b;
    return s->tenant == t->tenant && s->lane == t->lane;
}

static bool by_wake(const void *a, const void *b)
{
    return ((const struct shun *)a)->wake_ms < ((const struct shun *)b)->wake_ms;
}

void shuns_init(struct queue *q)
{
    heap_init(&q->shun_wakes, by_wake, offsetof(struct shun, place));
}

void shuns_begin(struct destination *d)
{
    pointer_table_init(&d->shuns, hash_shun, same_shun);
}

static struct shun *find(const struct destination *d, uint64_t tenant,
                         const struct lane *lane_or_null)
{
    const struct shun key = {.tenant = tenant, .lane = (struct lane *)(uintptr_t)lane_or_null};
    return d->shuns.count > 0 ? pointer_table_find(&d->shuns, &key) : NULL;
}

/* What it holds up may go again. */
static void ceases(struct queue *q, struct shun *s)
{
    s->destination->shunned -= s->state == SHUN_BARS;
    s->state = SHUN_SUSPECTED;
    if (s->lane)
        lane_puts_back(q, s->lane);
    destination_touch(q, s->destination);
}

static void drop(struct queue *q, struct shun *s)
{
    ceases(q, s);
    heap_take(&q->shun_wakes, s);
    pointer_table_drop(&s->destination->shuns, s);
    if (s->lane)
        s->lane->shuns--;
    free(s->name);
    free(s->why);
    free(s);
}

static struct shun *need(struct queue *q, struct destination *d, uint64_t tenant,
                         struct lane *lane_or_null, int64_t now_ms)
{
    struct shun *s = find(d, tenant, lane_or_null);
    if (!s) {
        s = xcalloc(1, sizeof(*s));
        s->destination = d;
        s->tenant = tenant;
        s->lane = lane_or_null;
        if (s->lane)
            s->lane->shuns++;
        s->since = ++q->serial;
        s->wake_ms = now_ms + SUSPECTED_MS;
        pointer_table_add(&d->shuns, s);
        heap_push(&q->shun_wakes, s);
    } else if (s->state == SHUN_SUSPECTED) {
        s->wake_ms = now_ms + SUSPECTED_MS;
        heap_moved(&q->shun_wakes, s);
    }
    return s;
}

static void bar(struct queue *q, struct shun *s, const struct tenant *tenant, int64_t now_ms)
{
    struct destination *d = s->destination;
    d->shunned += s->state != SHUN_BARS;
    s->state = SHUN_BARS;
    s->shown = true;
    s->wake_ms = now_ms + LANE_SHUN_MS;
    heap_moved(&q->shun_wakes, s);
    free(s->name);
    free(s->why);
    s->name = xstrdup(tenant ? tenant->name : "(any)");
    s->why = xstrdup(d->why ? d->why : "");
    destination_touch(q, d);
}

/* ---- what shows it ---- */

void shun_suspect(struct queue *q, struct destination *d, const struct tenant *tenant,
                  int64_t now_ms)
{
    if (d->provider)
        need(q, d, tenant->id, NULL, now_ms);
}

/* When several sets of hosts show it, it is about all of them. */
static bool is_of_all(const struct destination *d, const struct shun *all)
{
    const struct shun *s;
    unsigned lanes = 0;
    for (size_t at = 0; !all->shown && (s = pointer_table_next(&d->shuns, &at));)
        lanes += s->lane && s->tenant == all->tenant && !s->spares_good && s->state == SHUN_BARS;
    return all->shown || lanes >= LANES_TO_SHOW;
}

void lane_shun(struct queue *q, struct lane *lane, const struct tenant *tenant, bool spares_good,
               int64_t now_ms)
{
    struct destination *d = lane->destination;
    struct shun *own = need(q, d, tenant ? tenant->id : 0, lane, now_ms);
    if (own->lane && own->state == SHUN_BARS)
        lane_puts_back(q, lane); /* it may spare others than before */
    own->spares_good = spares_good;
    bar(q, own, tenant, now_ms);
    if (spares_good || !tenant || !d->provider)
        return;
    struct shun *all = need(q, d, tenant->id, NULL, now_ms);
    if (is_of_all(d, all))
        bar(q, all, tenant, now_ms);
}

/* ---- what it bars ---- */

static bool bars(const struct shun *s, const struct line *line)
{
    return s && s->state == SHUN_BARS && !(s->spares_good && domain_is_good(line->domain));
}

const struct shun *line_shun_in_lane(const struct line *line)
{
    const struct lane *lane = line->domain->lane;
    if (!lane || lane->shuns == 0)
        return NULL;
    const struct shun *own = find(lane->destination, line->tenant->id, lane);
    if (bars(own, line))
        return own;
    const struct shun *any = find(lane->destination, 0, lane);
    return bars(any, line) ? any : NULL;
}

const struct shun *line_shun(const struct line *line)
{
    const struct lane *lane = line->domain->lane;
    if (!lane || lane->destination->shunned == 0)
        return NULL;
    const struct shun *all = find(lane->destination, line->tenant->id, NULL);
    return bars(all, line) ? all : line_shun_in_lane(line);
}

bool line_is_shunned(const struct line *line)
{
    return line_shun(line) != NULL;
}

bool tenant_is_suspected(const struct destination *d, const struct tenant *tenant)
{
    return find(d, tenant->id, NULL) != NULL;
}

/* ---- whose fault it is ---- */

void lane_answers(struct lane *lane, const struct connection *c)
{
    struct lane_answer *last = lane->answers;
    if (last[0].tenant != c->holder->id)
        last[1] = last[0];
    last[0] = (struct lane_answer){c->holder->id, c->carried};
}

bool lane_answered_others(const struct lane *lane, uint64_t tenant, uint64_t since)
{
    for (size_t i = 0; i < COUNT_OF(lane->answers); i++)
        if (lane->answers[i].tenant != tenant && lane->answers[i].carried > since)
            return true;
    return false;
}

bool lane_shuns(const struct lane *lane, const struct tenant *tenant)
{
    const struct shun *s = find(lane->destination, tenant->id, lane);
    return s && s->state == SHUN_BARS && !s->spares_good;
}

static bool spares_good(const struct lane *lane, uint64_t but)
{
    const struct shun *s;
    size_t at = 0;
    while (lane->shuns > 0 && (s = pointer_table_next(&lane->destination->shuns, &at)))
        if (s->lane == lane && s->state == SHUN_BARS && s->spares_good && s->tenant != but)
            return true;
    return false;
}

bool lane_spares_good(const struct lane *lane)
{
    return spares_good(lane, UINT64_MAX);
}

bool lane_shuns_others_good(const struct lane *lane, const struct tenant *tenant)
{
    return spares_good(lane, tenant->id);
}

bool lane_shuns_all(const struct lane *lane, const struct tenant *but)
{
    const struct shun *s;
    size_t at = 0;
    while (lane->shuns > 0 && (s = pointer_table_next(&lane->destination->shuns, &at)))
        if (s->lane == lane && s->state == SHUN_BARS && !s->spares_good && s->tenant != but->id &&
            !lane_answered_others(lane, s->tenant, s->since))
            return true;
    return false;
}

/* ---- its end ---- */

void shuns_forget(struct queue *q, struct destination *d, const struct lane *lane_or_null)
{
    struct shun *s;
    size_t at = 0;
    while ((s = pointer_table_next(&d->shuns, &at)))
        if (!lane_or_null || !s->lane || s->lane == lane_or_null) {
            drop(q, s);
            at = 0;
        }
}

void shuns_leave(struct queue *q, const struct lane *lane)
{
    struct shun *s;
    size_t at = 0;
    while (lane->shuns > 0 && (s = pointer_table_next(&lane->destination->shuns, &at)))
        if (s->lane == lane) {
            drop(q, s);
            at = 0;
        }
}

void shuns_free(struct queue *q, struct destination *d)
{
    shuns_forget(q, d, NULL);
    pointer_table_fini(&d->shuns);
}

void shuns_forget_all(struct queue *q)
{
    while (q->shun_wakes.count > 0)
        drop(q, heap_first(&q->shun_wakes));
}

void shuns_fini(struct queue *q)
{
    shuns_forget_all(q);
    heap_fini(&q->shun_wakes);
}

int64_t shuns_wake_ms(const struct queue *q)
{
    const struct shun *first = heap_first(&q->shun_wakes);
    return first ? first->wake_ms : INT64_MAX;
}

void shuns_wake(struct queue *q, int64_t now_ms)
{
    while (shuns_wake_ms(q) <= now_ms) {
        struct shun *s = heap_first(&q->shun_wakes);
        if (s->state == SHUN_SUSPECTED) {
            drop(q, s);
            continue;
        }
        ceases(q, s);
        s->wake_ms = now_ms + SUSPECTED_MS;
        heap_moved(&q->shun_wakes, s);
    }
}

/* ---- for operators ---- */

struct tenant_rest shun_longest(const struct destination *d, const struct lane *lane_or_null,
                                bool spared)
{
    const struct shun *best = NULL;
    const struct shun *s;
    size_t at = 0;
    while (d->shunned > 0 && (s = pointer_table_next(&d->shuns, &at)))
        if (s->state == SHUN_BARS && !(spared && s->spares_good) &&
            (!lane_or_null || !s->lane || s->lane == lane_or_null) &&
            (!best || s->wake_ms > best->wake_ms))
            best = s;
    return best ? (struct tenant_rest){best->name, best->why, best->wake_ms}
                : (struct tenant_rest){0};
}

void shuns_check(const struct destination *d)
{
    const struct shun *s;
    unsigned shunned = 0;
    size_t at = 0;
    while ((s = pointer_table_next(&d->shuns, &at))) {
        CHECK(s->destination == d && s->place != 0);
        CHECK(s->lane ? s->lane->shuns > 0 : s->tenant != 0 && !s->spares_good);
        CHECK(s->state != SHUN_BARS || s->why);
        shunned += s->state == SHUN_BARS;
    }
    CHECK(d->shunned == shunned);
}
