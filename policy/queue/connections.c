// SPDX-License-Identifier: BSD-2-Clause
/* connections.c - Connections, which attempt each carries, and what is counted because of it.
 *
 *   OPENING ─▶ BUSY ⇄ IDLE ─▶ CLOSING ─▶ gone
 *      └───────────────────────▲
 *
 * A connection's number is its slot and, above that, the slot's generation.
 */
#include "queue_moves.h"

#include <stdlib.h>
#include <utlist.h>

void connections_init(struct queue *q)
{
    address_book_init(&q->addresses);
    kept_init(&q->kept_idle);
}

void connections_fini(struct queue *q)
{
    struct attempt *a;
    struct attempt *next;
    for (size_t i = 0; i < q->slot_count; i++) {
        struct connection *c = q->slots[i].connection;
        for (size_t k = 0; c && k < ADDRESS_HOLDS_MAX; k++)
            address_book_release(&q->addresses, &c->holds[k], q->now_ms);
        free(c);
    }
    DL_FOREACH_SAFE (q->attempts, a, next)
        free(a);
    free(q->slots);
    free(q->free_slots);
    free(q->by_shard);
    kept_fini(&q->kept_idle);
    address_book_fini(&q->addresses);
}

/* ---- numbers ---- */

static uint64_t take_slot(struct queue *q, struct connection *c)
{
    if (q->free_slot_count == 0) {
        q->slots = xgrow(q->slots, q->slot_count + 1, sizeof(*q->slots));
        q->free_slots = xgrow(q->free_slots, q->slot_count + 1, sizeof(*q->free_slots));
        q->slots[q->slot_count] = (struct slot){0};
        q->free_slots[q->free_slot_count++] = (uint32_t)q->slot_count++;
    }
    uint32_t at = q->free_slots[--q->free_slot_count];
    q->slots[at].connection = c;
    q->slots[at].generation++;
    return (uint64_t)q->slots[at].generation << 32 | at;
}

struct connection *connection_find(const struct queue *q, uint64_t id)
{
    size_t at = (uint32_t)id;
    if (at >= q->slot_count || q->slots[at].generation != (uint32_t)(id >> 32))
        return NULL;
    return q->slots[at].connection;
}

static unsigned quietest_shard(const struct queue *q)
{
    unsigned best = 0;
    for (unsigned i = 1; i < q->settings.shards; i++)
        if (q->by_shard[i] < q->by_shard[best])
            best = i;
    return best;
}

/* ---- states ---- */

static struct connection **list_of(struct queue *q, const struct connection *c)
{
    switch (c->state) {
    case CONNECTION_OPENING:
        return c->slow ? &q->slow_opening : &q->opening;
    case CONNECTION_IDLE:
        return &q->idle;
    case CONNECTION_BUSY:
        if (c->hurried)
            return NULL;
        return c->stuck ? &q->stuck : &q->busy;
    case CONNECTION_CLOSING:
    case CONNECTION_STATES:
        break;
    }
    return NULL;
}

static void enter(struct queue *q, struct connection *c, enum connection_state state,
                  int64_t now_ms)
{
    struct destination *d = c->lane->destination;
    c->state = state;
    c->began_ms = now_ms;
    struct connection **list = list_of(q, c);
    c->since_ms = now_ms;
    d->count[state]++;
    q->count[state]++;
    if (list)
        DL_APPEND(*list, c);
    if (state != CONNECTION_IDLE)
        return;
    DL_PREPEND2(d->idle, c, prev_idle, next_idle);
    kept_put(&q->kept_idle, &c->users, &c->kept);
}

/* It carries nothing any more. */
static void no_longer_stuck(struct queue *q, struct connection *c)
{
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): it is the connection's queue */
    q->stuck_count -= c->stuck;
    c->lane->destination->stuck -= c->stuck;
    q->hurried -= c->hurried;
    if (q->hurried_before > q->hurried)
        q->hurried_before = q->hurried;
    c->stuck = c->hurried = false;
}

static void leave(struct queue *q, struct connection *c)
{
    struct connection **list = list_of(q, c);
    struct destination *d = c->lane->destination;
    d->count[c->state]--;
    q->count[c->state]--;
    if (list)
        DL_DELETE(*list, c);
    if (c->state == CONNECTION_IDLE)
        DL_DELETE2(d->idle, c, prev_idle, next_idle);
    kept_take(&q->kept_idle, &c->kept);
    if (c->state == CONNECTION_OPENING)
        lane_opens_no_more(q, c->lane);
    if (c->slow)
        q->slow--;
    c->slow = false;
    no_longer_stuck(q, c);
}

/* Its addresses count as held by `tenant`, which stays known. */
static void pay(struct queue *q, struct connection *c, struct tenant *tenant)
{
    struct tenant *old = c->payer;
    if (old == tenant)
        return;
    c->payer = tenant;
    if (tenant)
        tenant->users++;
    for (size_t i = 0; i < ADDRESS_HOLDS_MAX; i++)
        address_book_pays(&c->holds[i], tenant ? tenant->id : 0);
    if (!old)
        return;
    old->users--;
    tenant_drop(q, old);
}

void connection_move(struct queue *q, struct connection *c, enum connection_state state,
                     int64_t now_ms)
{
    leave(q, c);
    enter(q, c, state, now_ms);
    if (state == CONNECTION_IDLE)
        pay(q, c, NULL);
    destination_touch(q, c->lane->destination);
}

void connection_let_go(struct queue *q, struct connection *c, enum queue_reason reason,
                       int64_t now_ms)
{
    c->closing = reason;
    q->leaving++;
    connection_move(q, c, CONNECTION_CLOSING, now_ms);
    decide(q, (struct queue_decision){.kind = QUEUE_CLOSE,
                                      .reason = reason,
                                      .connection = c->id,
                                      .shard = c->shard,
                                      .destination = c->lane->destination->name});
}

struct connection *connection_idle_first(struct queue *q)
{
    struct kept_item *item = kept_first(&q->kept_idle);
    return item ? OWNER_OF(item, struct connection, kept) : NULL;
}

void connection_is_stuck(struct queue *q, struct connection *c)
{
    struct destination *d = c->lane->destination;
    DL_DELETE(q->busy, c);
    DL_APPEND(q->stuck, c);
    c->stuck = true;
    q->stuck_count++;
    d->stuck++;
    if (c->holder) {
        c->holder->stuck++;
        c->holder->answering -= c->answering;
        c->answering = false;
        d->manner = MANNER_SILENT;
        line_falls_behind(q, c->attempt->line);
    }
    rate_limit_was_asked(q, c);
    pause_was_asked(q, c, c->attempt ? c->attempt->line : NULL);
    destination_touch(q, d);
}

void connection_hurries(struct queue *q, struct connection *c)
{
    if (!c->stuck)
        connection_is_stuck(q, c);
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): it is in the list */
    DL_DELETE(q->stuck, c);
    c->hurried = true;
    q->hurried++;
}

/* The next message: it has its time again. */
static void begins_again(struct queue *q, struct connection *c, int64_t now_ms)
{
    if (c->state != CONNECTION_BUSY)
        return;
    struct connection **list = list_of(q, c);
    if (list)
        DL_DELETE(*list, c);
    no_longer_stuck(q, c);
    c->began_ms = now_ms;
    DL_APPEND(q->busy, c);
}

void connection_is_slow(struct queue *q, struct connection *c)
{
    DL_DELETE(q->opening, c);
    DL_APPEND(q->slow_opening, c);
    c->slow = true;
    q->slow++;
}

struct connection *connection_new(struct queue *q, struct line *line, int64_t now_ms)
{
    struct connection *c = xcalloc(1, sizeof(*c));
    struct lane *lane = line->domain->lane;
    struct destination *d = lane->destination;
    c->id = take_slot(q, c);
    c->lane = lane;
    c->shard = quietest_shard(q);
    lane->users++;
    q->by_shard[c->shard]++;
    q->in_use++;
    d->in_use++;
    if (d->provider)
        d->provider->in_use++;
    DL_APPEND2(d->connections, c, prev_of, next_of);
    c->trier = line->tenant;
    c->trier->users++;
    c->copied = line->domain->bytes - line->domain->lane_bytes;
    answer_copied(q, c->trier, c->copied);
    d->trying_count++;
    fair_charge(&d->trying, c->trier, 1);
    enter(q, c, CONNECTION_OPENING, now_ms);
    lane_opens(q, lane);
    destination_touch_all(q, d);
    return c;
}

void connection_has_worked(struct queue *q, struct connection *c)
{
    struct destination *d = c->lane->destination;
    struct tenant *tenant = c->trier;
    if (!tenant)
        return;
    c->trier = NULL;
    answer_copy_gone(q, tenant, c->copied);
    d->trying_count--;
    fair_refund(&d->trying, tenant, 1);
    tenant->users--;
    tenant_drop(q, tenant);
}

void connection_end(struct queue *q, struct connection *c, int64_t now_ms)
{
    struct destination *d = c->lane->destination;
    CHECK(!c->attempt && !c->carries);
    for (size_t i = 0; i < ADDRESS_HOLDS_MAX; i++)
        address_book_release(&q->addresses, &c->holds[i], now_ms);
    pay(q, c, NULL);
    connection_has_worked(q, c);
    leave(q, c);
    q->leaving -= c->state == CONNECTION_CLOSING;
    q->in_use--;
    d->in_use--;
    if (d->provider)
        d->provider->in_use--;
    q->by_shard[c->shard]--;
    DL_DELETE2(d->connections, c, prev_of, next_of);
    q->slots[(uint32_t)c->id].connection = NULL;
    q->free_slots[q->free_slot_count++] = (uint32_t)c->id;
    if (d->in_use == 0 && d->manner == MANNER_TRIED)
        d->manner = MANNER_UNKNOWN;
    destination_touch_all(q, d);
    c->lane->users--;
    lane_drop(q, c->lane);
    free(c);
}

/* ---- what it carries ---- */

static void count_plain(struct queue *q, struct connection *c, bool more)
{
    struct destination *d = c->lane->destination;
    unsigned step = more ? 1 : -1U;
    q->plain += more ? 1 : (size_t)-1;
    d->plain += step;
    if (d->provider)
        d->provider->plain += step;
}

static struct fair *pool_of(struct queue *q, const struct connection *c)
{
    return &q->connect[c->urgent ? POOL_URGENT : POOL_PLAIN];
}

void connection_carry(struct queue *q, struct connection *c, struct attempt *attempt,
                      int64_t now_ms)
{
    CHECK(!c->attempt && attempt->line->domain->lane == c->lane);
    begins_again(q, c, now_ms);
    struct destination *d = c->lane->destination;
    d->moved_ms = now_ms;
    slowed_goes(d, attempt->line, now_ms);
    c->attempt = attempt;
    c->holder = attempt->line->tenant;
    users_note(&c->users, c->holder->id);
    c->answering = d->manner == MANNER_ANSWERS;
    c->holder->answering += c->answering;
    place_taken(d, c->holder, now_ms);
    c->urgent = attempt->line->class == STREAM_SECURITY;
    c->carries = true;
    c->at_mail = MAIL_SAID;
    c->sender = 0;
    c->carried = ++q->serial;
    attempt->connection = c;
    attempt->public.connection = c->id;
    attempt->public.trust = c->lane->trust;
    if (!c->urgent)
        count_plain(q, c, true);
    fair_charge(pool_of(q, c), c->holder, 1);
    pay(q, c, c->holder);
    for (size_t i = 0; i < ADDRESS_HOLDS_MAX; i++)
        address_book_carries(&c->holds[i], c->urgent, c->payer->id, now_ms);
}

/* What it carries has kept it busy for so long. */
static void took(struct connection *c, int64_t for_ms)
{
    uint64_t turns = attempt_took(c->attempt, c->lane, for_ms);
    for (size_t i = 0; i < ADDRESS_HOLDS_MAX; i++)
        address_book_had(&c->holds[i], turns);
}

struct attempt *connection_uncarry(struct queue *q, struct connection *c, int64_t now_ms)
{
    struct attempt *attempt = c->attempt;
    if (!attempt)
        return NULL;
    if (c->state == CONNECTION_BUSY)
        took(c, now_ms - c->began_ms);
    if (!c->urgent)
        count_plain(q, c, false);
    fair_refund(pool_of(q, c), c->holder, 1);
    place_left(c->lane->destination, c->holder);
    c->holder->stuck -= c->stuck;
    c->holder->answering -= c->answering;
    c->answering = false;
    c->attempt = NULL;
    c->holder = NULL;
    c->carries = false;
    attempt->connection = NULL;
    attempt->public.connection = 0;
    rate_limit_was_asked(q, c);
    pause_was_asked(q, c, attempt->line);
    destination_touch_all(q, c->lane->destination);
    return attempt;
}

bool connection_may_carry(const struct queue *q, const struct connection *c, bool urgent)
{
    const struct destination *d = c->lane->destination;
    if (urgent)
        return true;
    if (q->plain >= plain_max(q) || !destination_may_carry_plain(d, q->now_ms))
        return false;
    for (size_t i = 0; i < ADDRESS_HOLDS_MAX; i++)
        if (!address_book_may_carry(&c->holds[i], d->window.limit))
            return false;
    return true;
}

void connection_refused(struct queue *q, struct connection *c, struct address_hold *hold,
                        int64_t now_ms)
{
    unsigned others = address_book_refused(&q->addresses, hold, now_ms);
    if (others > c->address_bears)
        c->address_bears = others;
}

bool connection_is_in_the_way_of_less(const struct connection *c)
{
    for (size_t i = 0; i < ADDRESS_HOLDS_MAX; i++)
        if (address_book_is_wanted_by_other(&c->holds[i], c->payer ? c->payer->id : 0))
            return true;
    return false;
}

bool connection_is_in_the_way(const struct connection *c)
{
    for (size_t i = 0; i < ADDRESS_HOLDS_MAX; i++)
        if (address_book_is_wanted(&c->holds[i], false))
            return true;
    return false;
}
