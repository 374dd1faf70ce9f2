// SPDX-License-Identifier: BSD-2-Clause
/* queue.c - Events: what the shell tells the core of the queue. What follows from them is decided
 * in decide.c, and at a message's end in boundary.c. */
#include "queue_moves.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NO_ADDRESS_MS = 100, BROKEN_MAX = 10 };

/* ---- birth and death ---- */

static void use_settings(struct queue *q, const struct queue_settings *given)
{
    struct queue_settings *s = &q->settings;
    *s = *given;
    s->connections = s->connections ? s->connections : 400;
    s->per_destination = s->per_destination ? s->per_destination : 20;
    s->idle_max = s->idle_max ? s->idle_max : 100;
    s->lookups = s->lookups ? s->lookups : 100;
    s->settling = s->settling ? s->settling : 64;
    s->shards = s->shards ? s->shards : 1;
    s->standing = s->standing ? s->standing : 1024 + 2 * s->connections;
    s->idle_ms = s->idle_ms ? s->idle_ms : 5000;
    s->give_up_ms = s->give_up_ms ? s->give_up_ms : 5000;
    if (s->shards > q->shard_room) {
        q->by_shard = xgrow(q->by_shard, s->shards, sizeof(*q->by_shard));
        for (unsigned i = q->shard_room; i < s->shards; i++)
            q->by_shard[i] = 0;
        q->shard_room = s->shards;
    }
}

struct queue *queue_new(const struct queue_settings *settings, int64_t now_ms)
{
    struct queue *q = xcalloc(1, sizeof(*q));
    q->wake_ms = q->now_ms = now_ms;
    q->urgent_ms = NEVER_MS;
    use_settings(q, settings);
    fair_table_init(&q->parties);
    entries_init(q);
    domains_init(q);
    lanes_init(q);
    destinations_init(q);
    connections_init(q);
    return q;
}

void queue_free(struct queue *q)
{
    if (!q)
        return;
    domains_fini(q);
    destinations_fini(q);
    lanes_fini(q);
    connections_fini(q);
    entries_fini(q);
    fair_table_fini(&q->parties);
    free(q->decisions);
    free(q);
}

void queue_configure(struct queue *q, const struct queue_settings *settings, int64_t now_ms)
{
    q->wake_ms = now_ms;
    use_settings(q, settings);
}

/* ---- what waits ---- */

static void assign(struct queue *q, struct entry *e, const struct queue_entry *given)
{
    struct tenant *tenant = tenant_need(q, given->tenant);
    struct domain *domain = domain_need(q, given->domain);
    entry_assign(q, e, line_need(q, domain, tenant, given->class, false));
}

static void place(struct queue *q, struct entry *e, const struct queue_entry *given, int64_t now_ms)
{
    e->expires_ms = given->expires_ms;
    if (given->due_ms > now_ms) {
        entry_label(q, e, given->domain, given->tenant, given->class);
        entry_wait(q, e, given->due_ms);
    } else if (entries_may_stand(q)) {
        assign(q, e, given);
        entry_ready(q, e, given->due_ms);
        line_changed(q, e->line, now_ms);
    } else {
        entry_label(q, e, given->domain, given->tenant, given->class);
        entry_is_due(q, e, given->due_ms, now_ms);
    }
}

/* It is known: it takes the new times and line. */
static void renew(struct queue *q, struct entry *e, const struct queue_entry *given, int64_t now_ms)
{
    struct line *old = entry_line(e);
    entry_out(q, e);
    if (e->state == ENTRY_UNDER_WAY) {
        assign(q, e, given);
        e->again = true;
        e->dropped = false;
        e->due_ms = given->due_ms;
        e->expires_ms = given->expires_ms;
        line_changed(q, e->line, now_ms);
    } else {
        place(q, e, given, now_ms);
    }
    if (old && old != entry_line(e))
        line_changed(q, old, now_ms);
}

void queue_add(struct queue *q, const struct queue_entry *entries, size_t count, int64_t now_ms)
{
    q->now_ms = now_ms;
    for (size_t i = 0; i < count; i++) {
        const struct queue_entry *given = &entries[i];
        struct entry *e = entry_find(q, given->message, given->number);
        if (e)
            renew(q, e, given, now_ms);
        else
            place(q, entry_new(q, given->message, given->number), given, now_ms);
    }
}

void queue_drop(struct queue *q, int64_t message, unsigned number, int64_t now_ms)
{
    struct entry *e = entry_find(q, message, number);
    if (!e)
        return;
    if (e->state == ENTRY_UNDER_WAY) {
        e->dropped = true;
        e->again = false;
        return;
    }
    struct line *line = entry_line(e);
    entry_out(q, e);
    entry_free(q, e);
    if (line)
        line_changed(q, line, now_ms);
}

static void touch_all(struct queue *q)
{
    size_t at = 0;
    for (struct destination *d = pointer_table_next(&q->destinations, &at); d;
         d = pointer_table_next(&q->destinations, &at))
        destination_touch(q, d);
}

void queue_pause(struct queue *q, bool paused, int64_t now_ms)
{
    (void)now_ms;
    if (q->paused != paused)
        touch_all(q);
    q->paused = paused;
}

void queue_drain(struct queue *q, int64_t now_ms)
{
    (void)now_ms;
    q->draining = true;
    touch_all(q);
}

/* ---- names ---- */

static struct domain *looked_up(struct queue *q, const char *name)
{
    struct domain *domain = domain_find(q, name);
    if (!domain || (domain->state != DOMAIN_RESOLVING && !domain->refreshing))
        return NULL;
    domain_lookup_ends(q, domain);
    return domain;
}

void queue_resolved(struct queue *q, const char *name, const struct queue_answer *answer,
                    int64_t now_ms)
{
    struct domain *domain = looked_up(q, name);
    if (!domain)
        return;
    int64_t valid_ms = answer->valid_ms > 1000 ? answer->valid_ms : 1000;
    domain_leads(q, domain, lane_need(q, answer), now_ms + valid_ms, now_ms);
}

void queue_unresolvable(struct queue *q, const char *name, int result, const char *text,
                        int64_t retry_ms, int64_t now_ms)
{
    struct domain *domain = domain_find(q, name);
    bool waits = domain && domain->asked_twice && domain->state == DOMAIN_RESOLVING;
    if (waits && !domain->failed_once) { /* the other question may know more */
        domain->failed_once = true;
        return;
    }
    domain = looked_up(q, name);
    if (!domain)
        return;
    free(domain->why);
    domain->why = xstrdup(text);
    domain->result = result;
    domain_unresolvable(q, domain, now_ms + retry_ms, now_ms);
}

void queue_forget_answers(struct queue *q, const char *domain_or_null, int64_t now_ms)
{
    struct domain *domain = domain_or_null ? domain_find(q, domain_or_null) : NULL;
    if (domain)
        domain_forget(q, domain, now_ms);
    if (!domain_or_null)
        domains_forget_all(q, now_ms);
}

/* ---- connections ---- */

bool queue_opened(struct queue *q, uint64_t connection, const struct queue_address *a,
                  int64_t now_ms)
{
    struct connection *c = connection_find(q, connection);
    if (!c || c->state == CONNECTION_CLOSING)
        return false;
    struct address_hold *hold = address_book_held(c->holds, a);
    for (size_t i = 0; i < ADDRESS_HOLDS_MAX; i++)
        if (&c->holds[i] != hold)
            address_book_release(&q->addresses, &c->holds[i], now_ms);
    if (hold)
        address_book_opened(hold, now_ms);
    if (c->state == CONNECTION_OPENING)
        connection_move(q, c, CONNECTION_BUSY, now_ms);
    lane_works(q, c->lane);
    destination_works(q, c->lane->destination, now_ms);
    return true;
}

enum queue_next queue_message_done(struct queue *q, uint64_t connection, bool reusable,
                                   const struct queue_attempt **next_r, int64_t now_ms)
{
    struct connection *c = connection_find(q, connection);
    struct line *line = NULL;
    *next_r = NULL;
    q->now_ms = now_ms;
    if (!c || c->state != CONNECTION_BUSY)
        return QUEUE_NEXT_CLOSE;
    struct destination *d = c->lane->destination;
    d->worked_ms = now_ms;
    d->broken = 0;
    for (size_t i = 0; i < ADDRESS_HOLDS_MAX; i++) /* it is left with one */
        address_book_serves(&c->holds[i]);
    if (connection_uncarry(q, c)) {
        c->messages++;
        c->lane->worked = true;
        connection_has_worked(q, c);
        window_succeeded(&d->window, d->in_use - d->count[CONNECTION_CLOSING], now_ms);
    }
    enum queue_next next = reusable ? boundary_next(q, c, &line, now_ms) : QUEUE_NEXT_CLOSE;
    switch (next) {
    case QUEUE_NEXT_SEND: {
        struct attempt *attempt = attempt_make(q, line, now_ms);
        c->run++;
        connection_carry(q, c, attempt, now_ms);
        *next_r = &attempt->public;
        break;
    }
    case QUEUE_NEXT_IDLE:
        connection_move(q, c, CONNECTION_IDLE, now_ms);
        break;
    case QUEUE_NEXT_CLOSE:
        q->leaving++;
        connection_move(q, c, CONNECTION_CLOSING, now_ms);
        break;
    }
    return next;
}

bool queue_is_urgent_next(struct queue *q, uint64_t connection, int64_t now_ms)
{
    const struct connection *c = connection_find(q, connection);
    return c && c->state == CONNECTION_BUSY && boundary_is_urgent(q, c, now_ms);
}

static unsigned others_that_work(const struct connection *c)
{
    const struct destination *d = c->lane->destination;
    unsigned working = d->count[CONNECTION_BUSY] + d->count[CONNECTION_IDLE];
    return working - (c->state == CONNECTION_BUSY || c->state == CONNECTION_IDLE);
}

/* Do others of the same hosts work? */
static bool lane_has_others(const struct connection *c)
{
    const struct connection *other = c->lane->destination->connections;
    for (; other; other = other->next_of)
        if (other != c && other->lane == c->lane &&
            (other->state == CONNECTION_BUSY || other->state == CONNECTION_IDLE))
            return true;
    return false;
}

/* One set of hosts of a provider says little of the others, and one that never worked nothing: it
 * takes three that have, and not one tenant's word alone. */
static bool shows_of_all(const struct queue *q, const struct connection *c)
{
    struct destination *d = c->lane->destination;
    if (!c->lane->worked)
        return false;
    if (c->lane != d->failed_lane && (c->payer != d->failed_tenant || q->tenants.count < 2))
        d->failed_lanes++;
    d->failed_lane = c->lane;
    d->failed_tenant = c->payer;
    if (d->failed_lanes < LANES_TO_SHOW)
        return false;
    d->failed_lanes = 0;
    return true;
}

/* Its entries wait behind others from now on. True: it has happened to none of them before. */
static bool becomes_suspect(struct queue *q, const struct attempt *a)
{
    bool fresh = true;
    for (size_t i = 0; i < a->public.count; i++) {
        struct entry *e = entry_find(q, a->public.message, a->public.numbers[i]);
        fresh = fresh && !e->suspect;
        e->suspect = true;
    }
    return fresh;
}

static void broke(struct queue *q, struct connection *c, const char *why, int64_t now_ms)
{
    struct destination *d = c->lane->destination;
    destination_set_why(d, why);
    if (!c->attempt || !becomes_suspect(q, c->attempt) || ++d->broken < BROKEN_MAX)
        return;
    d->broken = 0;
    if (others_that_work(c) == 0)
        destination_rest(q, d, why, now_ms);
}

/* It waits for one, which is nobody's failure. Idle connections of others may hold it. */
static void no_address(struct queue *q, struct connection *c, int64_t now_ms)
{
    struct destination *d = c->lane->destination;
    struct connection *idle = q->idle;
    int64_t again_ms = now_ms + NO_ADDRESS_MS;
    if (c->address_again_ms > again_ms)
        again_ms = c->address_again_ms;
    if (destination_has_lanes(d) && d->address_waiter.state == ADDRESS_WAIT_NONE) {
        lane_opens_no_more(q, c->lane);
        lane_block(q, c->lane, again_ms);
        return;
    }
    d->blocked_until_ms = again_ms;
    d->blocked_urgent = c->urgent;
    if (d->address_waiter.state == ADDRESS_WAIT_HAS_TURN)
        address_book_leave(&q->addresses, &d->address_waiter);
    if (d->address_waiter.state == ADDRESS_WAIT_NONE)
        return;
    while (idle && !connection_is_in_the_way(idle))
        idle = idle->next;
    if (idle)
        connection_let_go(q, idle, QUEUE_ROOM, now_ms);
}

/* It does not come to anything. While others work, that many are what the destination bears; else
 * it rests. True: its attempt goes back: it was not this one that showed it. */
static bool failed_to_open(struct queue *q, struct connection *c, enum queue_failure how,
                           const char *why, int64_t now_ms)
{
    struct destination *d = c->lane->destination;
    unsigned working = others_that_work(c);
    if (c->address_bears > working) { /* it has enough of us, by other names */
        destination_set_why(d, why);
        no_address(q, c, now_ms);
        return true;
    }
    bool back = window_rests(&d->window, now_ms) || working > 0;
    bool all_refuse = how == QUEUE_FAIL_REFUSED && c->lane->worked && working > 0;
    bool only_lane = destination_has_lanes(d) && !lane_has_others(c) && !all_refuse;
    destination_set_why(d, why);
    if (only_lane)
        back = !lane_rest(q, c->lane, now_ms);
    else if (working > 0)
        window_refused(&d->window, working, now_ms);
    if (working == 0 && (!only_lane || shows_of_all(q, c)))
        destination_rest(q, d, why, now_ms);
    return back;
}

/* Others waited for the place; what it has tried for long rests longer than the destination does,
 * so that the next try begins at another host, when there is one. */
static void leave_slow(struct queue *q, struct connection *c, int64_t now_ms)
{
    for (size_t i = 0; i < ADDRESS_HOLDS_MAX; i++)
        if (c->holds[i].address && c->holds[i].since_ms + QUEUE_SLOW_OPENING_MS <= now_ms)
            address_book_stalled(&q->addresses, &c->holds[i], now_ms);
}

static bool goes_back(struct queue *q, struct connection *c, enum queue_failure how,
                      const char *why, int64_t now_ms)
{
    struct destination *d = c->lane->destination;
    if (c->state == CONNECTION_CLOSING) {
        if (c->closing == QUEUE_GIVEN_UP && c->attempt)
            failed_to_open(q, c, QUEUE_FAIL_CONNECT, "connection did not open while others waited",
                           now_ms);
        else if (how == QUEUE_FAIL_REFUSED)
            failed_to_open(q, c, how, why, now_ms);
        return how != QUEUE_FAIL_LOST && how != QUEUE_FAIL_BROKE; /* somebody has an answer */
    }
    switch (how) {
    case QUEUE_FAIL_CONNECT:
    case QUEUE_FAIL_REFUSED:
        return failed_to_open(q, c, how, why, now_ms);
    case QUEUE_FAIL_BROKE:
        broke(q, c, why, now_ms);
        return false;
    case QUEUE_FAIL_LOST:
        destination_set_why(d, why);
        return false;
    case QUEUE_FAIL_STALE:
        return true;
    case QUEUE_FAIL_LOCAL:
        destination_rest(q, d, why, now_ms);
        return true;
    case QUEUE_FAIL_NO_ADDRESS:
        if (c->address_failed && d->address_waiter.state == ADDRESS_WAIT_NONE)
            return failed_to_open(q, c, QUEUE_FAIL_CONNECT, why, now_ms);
        no_address(q, c, now_ms);
        return true;
    case QUEUE_FAILURES:
        break;
    }
    UNREACHABLE();
}

bool queue_connection_failed(struct queue *q, uint64_t connection, enum queue_failure how,
                             const char *why, int64_t now_ms)
{
    struct connection *c = connection_find(q, connection);
    if (!c)
        return false;
    for (size_t i = 0; i < ADDRESS_HOLDS_MAX && how == QUEUE_FAIL_REFUSED; i++)
        if (c->holds[i].address)
            connection_refused(q, c, &c->holds[i], now_ms);
    bool back = goes_back(q, c, how, why, now_ms);
    struct attempt *attempt = connection_uncarry(q, c);
    connection_end(q, c, now_ms);
    if (attempt && back)
        attempt_back(q, attempt, now_ms);
    return attempt && back;
}

void queue_connection_closed(struct queue *q, uint64_t connection, int64_t now_ms)
{
    struct connection *c = connection_find(q, connection);
    if (!c)
        return;
    if (c->state == CONNECTION_CLOSING && c->closing == QUEUE_GIVEN_UP)
        leave_slow(q, c, now_ms);
    if (c->state == CONNECTION_CLOSING) /* one that was given up shows something */
        goes_back(q, c, QUEUE_FAIL_CONNECT, "", now_ms);
    struct attempt *attempt = connection_uncarry(q, c);
    connection_end(q, c, now_ms);
    if (attempt)
        attempt_back(q, attempt, now_ms);
}

/* ---- attempts come back ---- */

static struct attempt *own(struct queue *q, const struct queue_attempt *attempt)
{
    struct attempt *a = (struct attempt *)(uintptr_t)attempt;
    if (a->connection)
        connection_uncarry(q, a->connection);
    return a;
}

void queue_settled(struct queue *q, const struct queue_attempt *attempt, const int64_t *due_ms,
                   int64_t now_ms)
{
    attempt_over(q, own(q, attempt), due_ms, now_ms);
}

void queue_gave_back(struct queue *q, const struct queue_attempt *attempt, int64_t again_in_ms,
                     int64_t now_ms)
{
    int64_t due_ms[QUEUE_RECIPIENTS_MAX];
    for (size_t i = 0; i < attempt->count; i++)
        due_ms[i] = now_ms + again_in_ms;
    attempt_over(q, own(q, attempt), due_ms, now_ms);
}
