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

enum { WANT_AGAIN_MS = 1000 };
enum { DUE_AT_ONCE = 512 };

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
            struct entry *e = held_next(q, urgent);
            if (!e)
                break;
            if (i == DUE_AT_ONCE)
                return true;
            held_serves(q, e);
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
    shuns_wake(q, now_ms);
    rate_limits_wake(q, now_ms);
    pauses_wake(q, now_ms);
    while ((w = address_book_next_called(&q->addresses))) {
        struct destination *d = OWNER_OF(w, struct destination, address_waiter);
        d->blocked_until_ms = 0;
        destination_touch(q, d);
    }
    lookups_get_late(q, now_ms);
    while (q->busy && q->busy->began_ms + QUEUE_LONG_BUSY_MS <= now_ms)
        connection_is_stuck(q, q->busy);
    while (q->opening && q->opening->since_ms + QUEUE_SLOW_OPENING_MS <= now_ms)
        connection_is_slow(q, q->opening);
}

static void take_idle(struct queue *q, int64_t now_ms)
{
    while (q->idle && (q->draining || q->idle->since_ms + q->settings.idle_ms <= now_ms))
        connection_let_go(q, q->idle, q->draining ? QUEUE_DRAINING : QUEUE_IDLE_OVER, now_ms);
    while (q->count[CONNECTION_IDLE] > q->settings.idle_max)
        connection_let_go(q, connection_idle_first(q), QUEUE_IDLE_OVER, now_ms);
    if (q->idle)
        queue_wake_at(q, q->idle->since_ms + q->settings.idle_ms);
}

/* ---- one destination ---- */

static void hand_out(struct queue *q, struct connection *c, struct line *line,
                     enum queue_decision_kind kind, int64_t now_ms)
{
    struct destination *d = c->lane->destination;
    bool crowded = destination_is_crowded(d, line, c, now_ms);
    c->run++;
    want_take(d);
    struct attempt *attempt = attempt_make(q, line, now_ms);
    connection_carry(q, c, attempt, now_ms);
    if (crowded)
        d->manner = MANNER_TRIED;
    decide(q, (struct queue_decision){.kind = kind,
                                      .connection = c->id,
                                      .shard = c->shard,
                                      .attempt = &attempt->public,
                                      .destination = d->name,
                                      .turn = c->lane->opened});
}

static bool has_ready(const struct destination *d)
{
    size_t ready = 0;
    for (size_t i = 0; i < STREAM_CLASSES; i++)
        ready += d->ready[i];
    return ready > 0;
}

/* An idle connection takes what its lane has, unless something more urgent needs its place. Returns
 * when to look again, or INT64_MAX. */
static int64_t use_idle(struct queue *q, struct destination *d, int64_t now_ms)
{
    struct connection *c;
    struct connection *next;
    int64_t again_ms = INT64_MAX;
    for (c = d->idle; c && has_ready(d) && d->operator_until_ms <= now_ms; c = next) {
        const struct line *best = destination_first(c, POOLS, now_ms);
        struct line *line = lane_first(q, c, now_ms);
        int64_t look_ms = wide_look_again_ms(&c->lane->look[0], now_ms);
        next = c->next_idle;
        again_ms = look_ms < again_ms ? look_ms : again_ms;
        if (!best && !line)
            continue;
        if (connection_is_outdated(c, now_ms)) {
            connection_let_go(q, c, QUEUE_IDLE_OVER, now_ms);
            continue;
        }
        bool passed_over = !line || (best && line_goes_before(best, line));
        if (passed_over && !destination_has_room(d, best, now_ms)) {
            if (d->count[CONNECTION_CLOSING] == 0)
                connection_let_go(q, c, QUEUE_ROOM, now_ms);
        } else if (line && connection_may_carry(q, c, line->class == STREAM_SECURITY)) {
            connection_move(q, c, CONNECTION_BUSY, now_ms);
            hand_out(q, c, line, QUEUE_SEND, now_ms);
        }
    }
    return again_ms;
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

/* Until it may be tried again, may have one more, or may hurry those that it waits for. */
static int64_t may_have_more_at(struct queue *q, struct destination *d, int64_t now_ms)
{
    int64_t hurry_ms = q->paused || q->draining ? INT64_MAX : capacity_hurry_at(q, d, now_ms);
    int64_t grows_ms = destination_grows_at(d, now_ms);
    int64_t until_ms = d->window.rest_until_ms;
    if (d->blocked_until_ms > until_ms)
        until_ms = d->blocked_until_ms;
    if (d->operator_until_ms > until_ms)
        until_ms = d->operator_until_ms;
    if (grows_ms < hurry_ms)
        hurry_ms = grows_ms;
    if (window_is_capped(&d->own, now_ms) && d->own.ceiling_until_ms < hurry_ms)
        hurry_ms = d->own.ceiling_until_ms;
    return until_ms <= now_ms || hurry_ms < until_ms ? hurry_ms : until_ms;
}

/* What it wants stands under one tenant, that may then have no more, while another one may. */
static void sleep_until(struct queue *q, struct destination *d, int64_t until_ms, int64_t now_ms)
{
    int64_t look_ms = destination_looks_at(d, now_ms);
    if (wants_any(d) && d->turns.all.count > 1 && now_ms + WANT_AGAIN_MS < until_ms)
        until_ms = now_ms + WANT_AGAIN_MS;
    if (look_ms < until_ms)
        until_ms = look_ms;
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

/* What it wants of each pool, if it may have it, stands there. True: all may. */
static bool put_wants(struct queue *q, struct destination *d, int64_t now_ms)
{
    bool all = true;
    for (enum pool pool = POOL_URGENT; pool < POOLS; pool++) {
        bool full = false;
        const struct line *line = line_to_open(q, d, pool, now_ms, &full);
        if (full)
            return false; /* nor for whatever else there is */
        if (line &&
            (destination_may_open(d, line, now_ms) || destination_may_probe(d, line, now_ms)))
            want_put(q, &d->want[pool], line);
        else
            all = all && !line;
    }
    return all;
}

static void look_at(struct queue *q, struct destination *d, int64_t now_ms)
{
    DL_DELETE2(q->dirty, d, prev_dirty, next_dirty);
    d->dirty = false;
    tell_rest_over(q, d, now_ms);
    int64_t until_ms = q->paused || q->draining ? INT64_MAX : use_idle(q, d, now_ms);
    want_take(d);
    if (d->wake_place != 0)
        heap_take(&q->wakes, d);
    bool uses_turn = d->count[CONNECTION_OPENING] > 0;
    if (!destination_best(d, POOLS) || q->paused || q->draining) {
        if (!uses_turn)
            address_book_leave(&q->addresses, &d->address_waiter);
        return;
    }
    destination_grow(d, now_ms);
    bool all = put_wants(q, d, now_ms);
    if (!all && !wants_any(d)) {
        if (d->address_waiter.state == ADDRESS_WAIT_HAS_TURN && !uses_turn)
            address_book_leave(&q->addresses, &d->address_waiter);
        make_room_at_provider(q, d, now_ms);
    }
    if (!all) {
        int64_t more_ms = may_have_more_at(q, d, now_ms);
        until_ms = more_ms < until_ms ? more_ms : until_ms;
    }
    int64_t spaced_ms = spacing_next_ms(&d->spacing, now_ms);
    sleep_until(q, d, spaced_ms > now_ms && spaced_ms < until_ms ? spaced_ms : until_ms, now_ms);
}

/* ---- all of them ---- */

static void open_all(struct queue *q, int64_t now_ms)
{
    struct want *w;
    while (!q->dirty && (w = capacity_next(q))) {
        struct line *line = line_that_opens(q, w, now_ms);
        w->destination->since = 0;
        bool beyond = capacity_is_used_up(q, line->tenant, line_pool(line));
        struct connection *c = connection_new(q, line, now_ms);
        hand_out(q, c, line, QUEUE_OPEN, now_ms);
        if (beyond)
            w->destination->manner = MANNER_TRIED;
        c->lane->opened++;
    }
}

static void look_up_all(struct queue *q, int64_t now_ms)
{
    for (int urgent = 1; urgent >= 0; urgent--) {
        struct domain *d;
        while ((d = lookup_next(q, urgent, now_ms))) {
            domain_lookup_begins(q, d, now_ms);
            decide(q, (struct queue_decision){.kind = QUEUE_RESOLVE,
                                              .domain = d->name,
                                              .tenant = d->asked_by->name,
                                              .urgent = d->urgent,
                                              .anew = d->asks_anew,
                                              .merit = domain_merit(d, d->arrival)});
        }
        if (q->lookup[urgent].count > 0)
            queue_wake_at(q, wide_look_again_ms(&q->lookup_look[urgent], now_ms));
    }
    queue_wake_at(q, lookups_get_late_at(q));
}

static void explain(const struct queue *q, const struct line *line, struct queue_decision *decision,
                    char text[QUEUE_WHY_MAX], int64_t now_ms)
{
    const struct domain *domain = line->domain;
    decision->reason = line->late ? QUEUE_EXPIRED : QUEUE_UNRESOLVABLE;
    decision->result = line->late ? 0 : domain->result;
    decision->text = line->late ? text : domain_why(q, domain);
    if (line->late)
        line_waited_for(q, line, text, now_ms);
}

static void settle_all(struct queue *q, int64_t now_ms)
{
    while (q->settle.count > 0 && q->settling < q->settings.settling) {
        struct line *line = OWNER_OF(fair_first(&q->settle), struct line, settle);
        struct queue_decision decision = {.kind = QUEUE_SETTLE, .domain = line->domain->name};
        char text[QUEUE_WHY_MAX];
        explain(q, line, &decision, text, now_ms);
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
    take_wakes(q, now_ms);
    more = take_held(q, now_ms) || more;
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
    hangs_look(q, now_ms);
    return more;
}

bool queue_decide(struct queue *q, struct queue_decision *decision_r, int64_t now_ms)
{
    bool more = false;
    queue_check(q);
    q->now_ms = now_ms;
    if (q->decision_count == 0)
        more = go_on(q, now_ms);
    if (decision_take(q, decision_r))
        return true;
    answers_sweep(q, now_ms);
    destinations_sweep(q, now_ms);
    turn_table_sweep(&q->turn_parties, now_ms);
    if (more)
        queue_wake_at(q, now_ms);
    if (q->waiting.count > 0)
        queue_wake_at(q, ((struct entry *)heap_first(&q->waiting))->due_ms);
    if (held_count(q) > 0)
        queue_wake_at(q, held_looks_at(q, now_ms));
    if (q->deadlines.count > 0)
        queue_wake_at(q, ((struct entry *)heap_first(&q->deadlines))->expires_ms);
    if (q->lane_wakes.count > 0)
        queue_wake_at(q, ((struct lane *)heap_first(&q->lane_wakes))->wake_ms);
    queue_wake_at(q, rate_limits_wake_ms(q));
    queue_wake_at(q, pauses_wake_ms(q));
    queue_wake_at(q, shuns_wake_ms(q));
    if (q->wakes.count > 0)
        queue_wake_at(q, ((struct destination *)heap_first(&q->wakes))->wake_ms);
    return false;
}

int64_t queue_wake_ms(const struct queue *q)
{
    return q->wake_ms;
}
