// SPDX-License-Identifier: BSD-2-Clause
/* failures.c - A connection has failed: what that shows of its address, of its set of hosts, of its
 * destination, or only of the mail that it carried. */
#include "queue_moves.h"

#include <stdio.h>

enum { NO_ADDRESS_MS = 100, BROKEN_MAX = 10, BROKEN_GOOD_MAX = 3 };

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
    uint64_t tenant = c->payer ? c->payer->id : 0;
    if (c->lane->id != d->failed_lane && (tenant != d->failed_tenant || q->tenants.count < 2))
        d->failed_lanes++;
    d->failed_lane = c->lane->id;
    d->failed_tenant = tenant;
    if (d->failed_lanes < LANES_TO_SHOW)
        return false;
    d->failed_lanes = 0;
    return true;
}

/* Its entries wait behind what is there from now on. True: it has happened to none before. */
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

/* Nothing is opened for a while for this tenant's mail, NULL: for any. */
static void shun(struct queue *q, struct lane *lane, const struct tenant *tenant, bool spares_good,
                 const char *text, int64_t now_ms)
{
    struct destination *d = lane->destination;
    destination_set_why_of(d, tenant, text, now_ms);
    lane_shun(q, lane, tenant, spares_good, now_ms);
    decide(q, (struct queue_decision){.kind = QUEUE_EVENT,
                                      .destination = d->name,
                                      .text = d->why,
                                      .rest_ms = LANE_SHUN_MS});
}

static void shun_one(struct queue *q, struct lane *lane, const struct tenant *tenant,
                     const char *why, int64_t now_ms)
{
    char text[QUEUE_WHY_MAX];
    snprintf(text, sizeof(text), "mail of tenant %.60s only: %s", tenant->name, why);
    shun(q, lane, tenant, false, text, now_ms);
}

/* Only mail to domains that it has not answered for: of one tenant, or of all. `last`: whose was
 * the last that it broke over. */
static void shun_unknown(struct queue *q, struct lane *lane, const struct tenant *last,
                         const char *why, int64_t now_ms)
{
    char text[QUEUE_WHY_MAX];
    bool several = lane->broken_by == 0 || lane_shuns_others_good(lane, last);
    snprintf(text, sizeof(text), "mail to some domains only: %s", why);
    shun(q, lane, several ? NULL : last, true, text, now_ms);
}

/* It happened while a message of this tenant's was spoken of. Only that tenant's mail rests there,
 * unless another's does already and no other's was answered since: then it is not about the mail.
 * True: it is not. */
static bool shows_of_others(struct queue *q, struct lane *lane, const struct tenant *tenant,
                            const char *why, int64_t now_ms)
{
    if (lane_shuns_all(lane, tenant))
        return true;
    if (!lane_shuns(lane, tenant))
        shun_one(q, lane, tenant, why, now_ms);
    return false;
}

/* True: it has happened often enough to show something. */
static bool count_broken(struct lane *lane, struct line *line)
{
    uint64_t tenant = line->tenant->id;
    if (lane->broken == 0)
        lane->broken_by = tenant;
    else if (lane->broken_by != tenant)
        lane->broken_by = 0;
    lane->broken++;
    lane->broken_good += domain_broke(line->domain, lane) && lane_spares_good(lane);
    return lane->broken >= BROKEN_MAX || lane->broken_good >= BROKEN_GOOD_MAX;
}

static void broke(struct queue *q, struct connection *c, const char *why, int64_t now_ms)
{
    struct lane *lane = c->lane;
    destination_set_why_of(lane->destination, c->attempt ? c->attempt->line->tenant : NULL, why,
                           now_ms);
    if (!c->attempt || !becomes_suspect(q, c->attempt))
        return;
    const struct tenant *tenant = c->attempt->line->tenant;
    if (!count_broken(lane, c->attempt->line))
        return;
    bool all = lane->good == 0 || lane->broken_good >= BROKEN_GOOD_MAX;
    lane->broken = lane->broken_good = 0;
    if (others_that_work(c) > 0)
        return;
    if (!all)
        shun_unknown(q, lane, tenant, why, now_ms);
    else if (lane->broken_by == 0 || shows_of_others(q, lane, tenant, why, now_ms))
        destination_rest(q, lane->destination, tenant, why, now_ms);
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

/* Is another tenant's mail spoken of there just now? */
static bool works_for_another(const struct connection *c)
{
    const struct connection *other = c->lane->destination->connections;
    for (; other; other = other->next_of)
        if (other->state == CONNECTION_BUSY && other->holder && other->holder != c->holder)
            return true;
    return false;
}

/* So many of this tenant's are what the destination bears of its mail. */
static void cap(struct queue *q, struct destination *d, const struct tenant *tenant, unsigned works,
                const char *why, int64_t now_ms)
{
    char text[QUEUE_WHY_MAX];
    snprintf(text, sizeof(text), "mail of tenant %.60s only: %s", tenant->name, why);
    destination_set_why_of(d, tenant, text, now_ms);
    if (d->own_tenant != tenant->id || !window_is_capped(&d->own, now_ms))
        d->own_since = ++q->serial;
    if (d->own_tenant != tenant->id)
        window_forget(&d->own);
    d->own_tenant = tenant->id;
    window_refused(&d->own, works, now_ms);
}

/* At MAIL, and so perhaps for its sender's sake; while its tenant's are all that work there, they
 * may be too many. What a second tenant meets while the first one's mail is held up is not about
 * the sender. */
static bool is_refused_to_one(struct queue *q, struct connection *c, const char *why,
                              int64_t now_ms)
{
    struct destination *d = c->lane->destination;
    if (c->state != CONNECTION_BUSY || !c->attempt)
        return false;
    const struct tenant *tenant = c->attempt->line->tenant;
    bool another = d->own_tenant != tenant->id && window_is_capped(&d->own, now_ms);
    if (another && !lane_answered_others(c->lane, d->own_tenant, d->own_since))
        return false;
    unsigned works = place_held(d, tenant) - 1;
    if (another || works == 0 || works_for_another(c))
        return !shows_of_others(q, c->lane, tenant, why, now_ms);
    cap(q, d, tenant, works, why, now_ms);
    return true;
}

/* It does not come to anything. While others work, that many are what the destination bears; else
 * it rests. True: its attempt goes back: it was not this one that showed it. */
static bool failed_to_open(struct queue *q, struct connection *c, enum queue_failure how,
                           const char *why, int64_t now_ms)
{
    struct destination *d = c->lane->destination;
    unsigned working = others_that_work(c);
    if (c->address_bears > working) { /* it has enough of us, by other names */
        destination_set_why(d, why, now_ms);
        no_address(q, c, now_ms);
        return true;
    }
    bool back = window_rests(&d->window, now_ms) || working > 0;
    bool all_refuse = how == QUEUE_FAIL_REFUSED && c->lane->worked && working > 0;
    bool only_lane = destination_has_lanes(d) && !lane_has_others(c) && !all_refuse;
    destination_set_why(d, why, now_ms);
    if (only_lane)
        back = !lane_rest(q, c->lane, now_ms);
    else if (working > 0)
        window_refused(&d->window, working, now_ms);
    if (working == 0 && (!only_lane || shows_of_all(q, c)))
        destination_rest(q, d, c->payer, why, now_ms);
    return back;
}

static bool was_refused(struct queue *q, struct connection *c, const char *why, int64_t now_ms)
{
    bool rested = c->attempt && line_is_shunned(c->attempt->line);
    if (is_refused_to_one(q, c, why, now_ms))
        return rested || others_that_work(c) > 0;
    for (size_t i = 0; i < ADDRESS_HOLDS_MAX; i++)
        if (c->holds[i].address)
            connection_refused(q, c, &c->holds[i], now_ms);
    return failed_to_open(q, c, QUEUE_FAIL_REFUSED, why, now_ms);
}

/* Others waited for the place; what it has tried for long rests longer than the destination does,
 * so that the next try begins at another host, when there is one. */
static void leave_slow(struct queue *q, struct connection *c, int64_t now_ms)
{
    for (size_t i = 0; i < ADDRESS_HOLDS_MAX; i++)
        if (c->holds[i].address && c->holds[i].since_ms + QUEUE_SLOW_OPENING_MS <= now_ms)
            address_book_stalled(&q->addresses, &c->holds[i], now_ms);
}

bool failure_gives_back(struct queue *q, struct connection *c, enum queue_failure how,
                        const char *why, int64_t now_ms)
{
    struct destination *d = c->lane->destination;
    if (c->state == CONNECTION_CLOSING) {
        if (c->closing == QUEUE_GIVEN_UP && c->attempt)
            failed_to_open(q, c, QUEUE_FAIL_CONNECT, "connection did not open while others waited",
                           now_ms);
        else if (how == QUEUE_FAIL_REFUSED)
            was_refused(q, c, why, now_ms);
        return how != QUEUE_FAIL_LOST && how != QUEUE_FAIL_BROKE; /* somebody has an answer */
    }
    switch (how) {
    case QUEUE_FAIL_CONNECT:
        return failed_to_open(q, c, how, why, now_ms);
    case QUEUE_FAIL_REFUSED:
        return was_refused(q, c, why, now_ms);
    case QUEUE_FAIL_BROKE:
        broke(q, c, why, now_ms);
        return false;
    case QUEUE_FAIL_LOST:
        destination_set_why_of(d, c->attempt ? c->attempt->line->tenant : NULL, why, now_ms);
        return false;
    case QUEUE_FAIL_STALE:
        return true;
    case QUEUE_FAIL_LOCAL:
        destination_rest(q, d, c->payer, why, now_ms);
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

void failure_gives_up(struct queue *q, struct connection *c, int64_t now_ms)
{
    if (c->closing == QUEUE_GIVEN_UP)
        leave_slow(q, c, now_ms);
    failure_gives_back(q, c, QUEUE_FAIL_CONNECT, "", now_ms);
}
