// SPDX-License-Identifier: BSD-2-Clause
/* addresses.c - Events of addresses: which one a connection tries, and what becomes of it. */
#include "queue_moves.h"

#include "address_parts.h"

/* So long ago is lately. */
enum { SERVED_LATELY_MS = 10 * 60 * 1000 };

bool queue_address_take(struct queue *q, uint64_t connection,
                        const struct queue_address *candidates, size_t count, size_t *index_r,
                        bool *probes_r, int64_t now_ms)
{
    struct connection *c = connection_find(q, connection);
    if (!c || c->state == CONNECTION_CLOSING)
        return false;
    struct destination *d = c->lane->destination;
    struct address_question ask = {.candidates = candidates,
                                   .count = count,
                                   .limit = d->window.limit,
                                   .urgent = c->urgent,
                                   .tenant = c->payer ? c->payer->id : 0};
    if (!address_book_take(&q->addresses, &ask, c->holds, &d->address_waiter, index_r,
                           &c->address_again_ms, now_ms))
        return false;
    *probes_r = address_book_held(c->holds, &candidates[*index_r])->probes;
    return true;
}

static struct address_hold *held(struct queue *q, uint64_t connection,
                                 const struct queue_address *a)
{
    struct connection *c = connection_find(q, connection);
    return c ? address_book_held(c->holds, a) : NULL;
}

void queue_address_failed(struct queue *q, uint64_t connection, const struct queue_address *a,
                          int64_t now_ms)
{
    struct connection *c = connection_find(q, connection);
    struct address_hold *hold = held(q, connection, a);
    if (!hold)
        return;
    c->address_failed = true;
    address_book_failed(&q->addresses, hold, now_ms);
}

void queue_address_refused(struct queue *q, uint64_t connection, const struct queue_address *a,
                           int64_t now_ms)
{
    struct connection *c = connection_find(q, connection);
    struct address_hold *hold = held(q, connection, a);
    if (hold)
        connection_refused(q, c, hold, now_ms);
}

/* Others' messages have gone through there meanwhile; or lately, while it never answered for this
 * domain. */
static bool is_about_domain(const struct connection *c, const struct address_hold *hold,
                            int64_t now_ms)
{
    if (!c->attempt)
        return false;
    bool good = domain_is_good(c->attempt->line->domain);
    return address_book_served_since(hold, good ? c->began_ms : now_ms - SERVED_LATELY_MS);
}

void queue_address_stalled(struct queue *q, uint64_t connection, const struct queue_address *a,
                           int64_t now_ms)
{
    struct connection *c = connection_find(q, connection);
    struct address_hold *hold = held(q, connection, a);
    if (!hold)
        return;
    if (is_about_domain(c, hold, now_ms))
        address_book_release(&q->addresses, hold, now_ms);
    else
        address_book_stalled(&q->addresses, hold, now_ms);
}

void queue_address_left(struct queue *q, uint64_t connection, const struct queue_address *a,
                        int64_t now_ms)
{
    struct address_hold *hold = held(q, connection, a);
    if (hold)
        address_book_release(&q->addresses, hold, now_ms);
}

void queue_address_spoke(struct queue *q, uint64_t connection, const struct queue_address *a)
{
    struct address_hold *hold = held(q, connection, a);
    if (hold)
        address_book_works(hold);
}

bool queue_address_probes_on(struct queue *q, uint64_t connection, const struct queue_address *a)
{
    struct address_hold *hold = held(q, connection, a);
    return hold && address_book_detach(hold);
}

void queue_probe_ended(struct queue *q, const struct queue_address *a, enum queue_probe what,
                       int64_t now_ms)
{
    struct address_hold *hold = address_book_detached(&q->addresses, a);
    if (!hold)
        return;
    switch (what) {
    case QUEUE_PROBE_WORKS:
        address_book_works(hold);
        break;
    case QUEUE_PROBE_FAILED:
        address_book_failed(&q->addresses, hold, now_ms);
        return;
    case QUEUE_PROBE_LEFT:
        break;
    }
    address_book_release(&q->addresses, hold, now_ms);
}

void queue_find_address(const struct queue *q, const struct queue_address *address,
                        struct queue_address_view *view_r, int64_t now_ms)
{
    struct address key = {.key = *address};
    const struct address *a = pointer_table_find(&q->addresses.all, &key);
    *view_r = (struct queue_address_view){0};
    if (a && a->rest_until_ms > now_ms)
        *view_r =
            (struct queue_address_view){a->rest_until_ms - now_ms, a->failures, a->stalls > 0};
}

void queue_resume_addresses(struct queue *q, const struct queue_address *addresses, size_t count)
{
    for (size_t i = 0; i < count; i++)
        address_book_resume(&q->addresses, &addresses[i]);
}

int64_t queue_address_rest_ms(const struct queue *q, const struct queue_address *a,
                              unsigned *failures_r, int64_t now_ms)
{
    int64_t until_ms = address_book_rest(&q->addresses, a, failures_r);
    return until_ms > now_ms ? until_ms - now_ms : 0;
}
