// SPDX-License-Identifier: BSD-2-Clause
/* decide.c - What is done next, when nothing is left to be taken: time passes, destinations that
 * something has happened to are looked at, and free capacity goes to who has least.
 *
 * Who waits stands in a fair: destinations that want a connection and may have it, domains that
 * want a lookup, lines that want to be settled. Nothing here looks at all of anything.
 *
 * How much of the capacity each may have is in capacity.c. What is decided stands in a ring until
 * the shell takes it: decisions.c.
 */
#include "queue_moves.h"

#include <utlist.h>

enum { DUE_AT_ONCE = 512, SLOW_LOOKUP_MS = 2000, SLOW_LOOKUPS = 4 };

/* ---- time ---- */

/* True: more is due. */
static bool take_due(struct queue *q, int64_t now_ms)
{
    for (size_t i = 0; q->waiting.count > 0; i++) {
        struct entry *e = heap_first(&q->waiting);
        if (e->due_ms > now_ms)
            return false;
        if (i == DUE_AT_ONCE)
            return true;
        int64_t due_ms = e->due_ms;
        entry_out(q, e);
        entry_is_due(q, e, due_ms, now_ms);
    }
    return false;
}

/* What has been held stands as soon as there is less. */
static bool take_held(struct queue *q, int64_t now_ms)
{
    for (int urgent = 1; urgent >= 0; urgent--)
        for (size_t i = 0; q->held[urgent].count > 0; i++) {
            struct entry *e = entry_held(q, urgent);
            if (!e)
                break;
            if (i == DUE_AT_ONCE)
                return true;
            entry_out(q, e);
            entry_stands(q, e, INT64_MIN, now_ms);
        }
    return false;
}

/* Whose time is over is settled, wherever it stood. */
static void take_late(struct queue *q, int64_t now_ms)
{
    for (size_t i = 0; q->deadlines.count > 0 && i < DUE_AT_ONCE; i++) {
        struct entry *e = heap_first(&q->deadlines);
        struct line *line = entry_line(e);
        if (e->expires_ms > now_ms)
            return;
        entry_out(q, e);
        entry_assign(q, e, entry_line_need(q, e, true));
        entry_ready(q, e, INT64_MIN);
        line_changed(q, e->line, now_ms);
        if (line)
            line_changed(q, line, now_ms);
    }
}

static void take_wakes(struct queue *q, int64_t now_ms)
{
    struct address_waiter *w;
    while (q->wakes.count > 0 && ((struct destination *)heap_first(&q->wakes))->wake_ms <= now_ms)
        destination_touch(q, heap_pop(&q->wakes));
    lanes_wake(q, now_ms);
    while ((w = address_book_next_called(&q->addresses))) {
        struct destination *d = OWNER_OF(w, struct destination, address_waiter);
        d->blocked_until_ms = 0;
        destination_touch(q, d);
    }
    while (q->lookups && q->lookups->asked_ms + SLOW_LOOKUP_MS <= now_ms &&
           q->slow_lookups < (size_t)SLOW_LOOKUPS * q->settings.lookups)
        domain_lookup_is_slow(q, q->lookups);
    while (q->opening && q->opening->since_ms + QUEUE_SLOW_OPENING_MS <= now_ms)
        connection_is_slow(q, q->opening);
}

static void take_idle(struct queue *q, int64_t now_ms)
{
    while (q->idle && (q->draining || q->count[CONNECTION_IDLE] > q->settings.idle_max ||
                       q->idle->since_ms + q->settings.idle_ms <= now_ms))
        connection_let_go(q, q->idle, q->draining ? QUEUE_DRAINING : QUEUE_IDLE_OVER, now_ms);
    if (q->idle)
        queue_wake_at(q, q->idle->since_ms + q->settings.idle_ms);
}

/* ---- one destination ---- */

static void hand_out(struct queue *q, struct connection *c, struct line *line,
                     enum queue_decision_kind kind, int64_t now_ms)
{
    struct attempt *attempt = NULL;
    c->run++;
    fair_take(&c->lane->destination->want);
    attempt = attempt_make(q, line, now_ms);
    connection_carry(q, c, attempt, now_ms);
    decide(q, (struct queue_decision){.kind = kind,
                                      .connection = c->id,
                                      .shard = c->shard,
                                      .attempt = &attempt->public,
                                      .destination = c->lane->destination->name,
                                      .turn = c->lane->opened});
}

/* An idle connection takes what its lane has, unless something more urgent needs its place. */
static void use_idle(struct queue *q, struct destination *d, int64_t now_ms)
{
    struct connection *c;
    struct connection *next;
    for (c = d->idle; c && d->operator_until_ms <= now_ms; c = next) {
        const struct line *best = destination_best(d);
        struct line *line = lane_best(c->lane);
        next = c->next_idle;
        if (!best)
            return;
        bool passed_over = !line || best->class < line->class;
        if (passed_over && !destination_has_room(d, best, now_ms)) {
            if (d->count[CONNECTION_CLOSING] == 0)
                connection_let_go(q, c, QUEUE_ROOM, now_ms);
        } else if (line && connection_may_carry(q, c, line->class == STREAM_SECURITY)) {
            connection_move(q, c, CONNECTION_BUSY, now_ms);
            hand_out(q, c, line, QUEUE_SEND, now_ms);
        }
    }
}

/* The provider's connections are all taken, and idle ones of other routes are among them. */
static void make_room_at_provider(struct queue *q, struct destination *d, int64_t now_ms)
{
    struct destination *other;
    if (!d->provider || d->provider->in_use < d->provider->limit)
        return;
    DL_FOREACH (d->provider->destinations, other) {
        if (other->count[CONNECTION_CLOSING] > 0)
            return;
        if (other != d && other->idle) {
            connection_let_go(q, other->idle, QUEUE_ROOM, now_ms);
            return;
        }
    }
}

/* Until it may be tried again, or may hurry those that it waits for. */
static void sleep_until(struct queue *q, struct destination *d, int64_t now_ms)
{
    int64_t hurry_ms = q->paused || q->draining ? INT64_MAX : capacity_hurry_at(q, d, now_ms);
    int64_t until_ms = d->window.rest_until_ms;
    if (d->blocked_until_ms > until_ms)
        until_ms = d->blocked_until_ms;
    if (d->operator_until_ms > until_ms)
        until_ms = d->operator_until_ms;
    if (until_ms <= now_ms || hurry_ms < until_ms)
        until_ms = hurry_ms;
    if (until_ms == INT64_MAX)
        return;
    d->wake_ms = until_ms;
    heap_push(&q->wakes, d);
}

/* An operator's rest ends by its time. */
static void tell_rest_over(struct queue *q, struct destination *d, int64_t now_ms)
{
    if (d->operator_until_ms == 0 || d->operator_until_ms > now_ms)
        return;
    d->operator_until_ms = 0;
    decide(q, (struct queue_decision){.kind = QUEUE_EVENT,
                                      .reason = QUEUE_REST_OVER,
                                      .destination = d->name,
                                      .text = d->why ? d->why : ""});
}

static void look_at(struct queue *q, struct destination *d, int64_t now_ms)
{
    DL_DELETE2(q->dirty, d, prev_dirty, next_dirty);
    d->dirty = false;
    tell_rest_over(q, d, now_ms);
    if (!q->paused && !q->draining)
        use_idle(q, d, now_ms);
    const struct line *best = line_to_open(q, d, now_ms);
    fair_take(&d->want);
    if (d->wake_place != 0)
        heap_take(&q->wakes, d);
    bool uses_turn = d->count[CONNECTION_OPENING] > 0;
    if (!best || q->paused || q->draining) {
        if (!uses_turn)
            address_book_leave(&q->addresses, &d->address_waiter);
        return;
    }
    if (!destination_may_open(d, best, now_ms) && !destination_may_probe(d, best, now_ms)) {
        if (d->address_waiter.state == ADDRESS_WAIT_HAS_TURN && !uses_turn)
            address_book_leave(&q->addresses, &d->address_waiter);
        make_room_at_provider(q, d, now_ms);
        sleep_until(q, d, now_ms);
        return;
    }
    d->want_class = best->class;
    d->want_in_use = destination_group_in_use(d);
    if (d->since == 0)
        d->since = ++q->serial;
    bool urgent = best->class == STREAM_SECURITY;
    fair_put(&q->connect[urgent ? POOL_URGENT : POOL_PLAIN], best->tenant, &d->want);
}

/* ---- all of them ---- */

static void open_all(struct queue *q, int64_t now_ms)
{
    struct destination *d;
    while (!q->dirty && (d = capacity_next(q))) {
        struct line *line = line_that_opens(q, d, now_ms);
        d->since = 0;
        struct connection *c = connection_new(q, line, now_ms);
        hand_out(q, c, line, QUEUE_OPEN, now_ms);
        c->lane->opened++;
    }
}

static void look_up_all(struct queue *q, int64_t now_ms)
{
    size_t max = q->settings.lookups;
    size_t plain = max - reserve_of(q->settings.lookups);
    for (int urgent = 1; urgent >= 0; urgent--) {
        struct fair *f = &q->lookup[urgent];
        while (f->count > 0 && q->resolving[0] + q->resolving[1] < max) {
            size_t left =
                urgent ? max - q->resolving[0] - q->resolving[1] : plain - q->resolving[0];
            if ((!urgent && q->resolving[0] >= plain) || !is_within_share(fair_first_used(f), left))
                break;
            struct domain *d = OWNER_OF(fair_first(f), struct domain, lookup);
            domain_lookup_begins(q, d, now_ms);
            decide(q, (struct queue_decision){.kind = QUEUE_RESOLVE,
                                              .domain = d->name,
                                              .tenant = d->asked_by->name,
                                              .urgent = d->urgent});
        }
    }
    if (q->lookup[0].count + q->lookup[1].count > 0 && q->lookups &&
        q->lookups->asked_ms + SLOW_LOOKUP_MS > now_ms)
        queue_wake_at(q, q->lookups->asked_ms + SLOW_LOOKUP_MS);
}

static void explain(const struct line *line, struct queue_decision *decision, int64_t now_ms)
{
    const struct domain *domain = line->domain;
    const struct destination *d = domain->lane ? domain->lane->destination : NULL;
    if (!line->late) {
        decision->reason = QUEUE_UNRESOLVABLE;
        decision->result = domain->result;
        decision->text = domain->why ? domain->why : "";
        return;
    }
    decision->reason = QUEUE_EXPIRED;
    if (d && d->why && (window_rests(&d->window, now_ms) || d->operator_until_ms > now_ms))
        decision->text = d->why;
    else if (d)
        decision->text = "no connection became free in time";
    else
        decision->text = domain->why ? domain->why : "DNS gave no answer in time";
}

static void settle_all(struct queue *q, int64_t now_ms)
{
    while (q->settle.count > 0 && q->settling < q->settings.settling) {
        struct line *line = OWNER_OF(fair_first(&q->settle), struct line, turn);
        struct queue_decision decision = {.kind = QUEUE_SETTLE, .domain = line->domain->name};
        explain(line, &decision, now_ms);
        q->settling++;
        fair_charge(&q->settle, line->tenant, 1);
        struct attempt *attempt = attempt_make(q, line, now_ms);
        attempt->settling = true;
        decision.attempt = &attempt->public;
        decide(q, decision);
    }
}

/* ---- the public face ---- */

/* One round. True: more is due than was looked at. */
static bool go_on(struct queue *q, int64_t now_ms)
{
    q->wake_ms = INT64_MAX;
    bool more = take_due(q, now_ms);
    take_late(q, now_ms);
    more = take_held(q, now_ms) || more;
    take_wakes(q, now_ms);
    take_idle(q, now_ms);
    do {
        while (q->dirty)
            look_at(q, q->dirty, now_ms);
        open_all(q, now_ms);
    } while (q->dirty);
    if (!q->paused && !q->draining) {
        look_up_all(q, now_ms);
        settle_all(q, now_ms);
    }
    capacity_make_room(q, now_ms);
    return more;
}

bool queue_decide(struct queue *q, struct queue_decision *decision_r, int64_t now_ms)
{
    bool more = false;
    queue_check(q);
    q->now_ms = now_ms;
    if (q->decision_count == 0)
        more = go_on(q, now_ms);
    if (q->decision_count > 0) {
        *decision_r = q->decisions[q->decision_first];
        q->decision_first = (q->decision_first + 1) % q->decision_size;
        q->decision_count--;
        return true;
    }
    domains_sweep(q, now_ms);
    destinations_sweep(q, now_ms);
    if (more)
        queue_wake_at(q, now_ms);
    if (q->waiting.count > 0)
        queue_wake_at(q, ((struct entry *)heap_first(&q->waiting))->due_ms);
    if (q->deadlines.count > 0)
        queue_wake_at(q, ((struct entry *)heap_first(&q->deadlines))->expires_ms);
    if (q->lane_wakes.count > 0)
        queue_wake_at(q, ((struct lane *)heap_first(&q->lane_wakes))->wake_ms);
    if (q->wakes.count > 0)
        queue_wake_at(q, ((struct destination *)heap_first(&q->wakes))->wake_ms);
    return false;
}

int64_t queue_wake_ms(const struct queue *q)
{
    return q->wake_ms;
}
