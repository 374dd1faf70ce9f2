// SPDX-License-Identifier: BSD-2-Clause
/* answer_turns.c - Whose answers make room, and for whom: answers.c says what each may have.
 *
 * Of a tenant that may have no more what does not move, as its hosts rest, makes room for its other
 * domains in turn: when its answer is out of date it is forgotten, and asked for again behind them.
 * What others wait for, too, is asked for them.
 */
#include "queue_moves.h"

#include <utlist.h>

enum { AGAIN_MS = 1000, FORGET_AT_ONCE = 256 };

/* Has it domains that are not looked up for what others of its take? */
static bool is_short(const struct queue *q, const struct tenant *tenant)
{
    for (size_t i = 0; i < COUNT_OF(q->lookup); i++)
        if (!answer_may_come(q, tenant, i == 1) && fair_waiting(&q->lookup[i], tenant) > 0)
            return true;
    return false;
}

/* Whose mail waits there, too, and may have the answer. */
static const struct line *find_other(const struct queue *q, const struct domain *domain)
{
    const struct line *l;
    DL_FOREACH (domain->lines, l)
        if (l->ready.count > 0 && !l->late &&
            answer_may_come(q, l->tenant, l->class == STREAM_SECURITY))
            return l;
    return NULL;
}

/* What waits for its turn goes over to others, whose mail is not to wait for it. */
static void hand_over(struct queue *q, const struct tenant *tenant, const struct fair *f)
{
    for (size_t i = fair_waiting(f, tenant); i-- > 0;) {
        const struct fair_item *first = fair_first_by(f, tenant);
        if (!first || i >= first->party->items.count)
            continue;
        struct domain *d = OWNER_OF(first->party->items.items[i], struct domain, lookup);
        const struct line *other = find_other(q, d);
        if (other)
            domain_ask(q, d, other);
    }
}

/* True: somebody is. */
static bool note_who_is_short(struct queue *q)
{
    bool any = false;
    size_t at = 0;
    for (struct tenant *t = pointer_table_next(&q->tenants, &at); t;
         t = pointer_table_next(&q->tenants, &at)) {
        t->is_short = is_short(q, t);
        any = any || t->is_short;
        t->users++; /* what goes over may have been all there was of it */
        for (size_t i = 0; t->is_short && i < COUNT_OF(q->lookup); i++)
            hand_over(q, t, &q->lookup[i]);
        t->users--;
        tenant_drop(q, t);
    }
    return any;
}

static bool makes_room(const struct domain *domain, int64_t now_ms)
{
    return domain->payer->is_short && domain->state == DOMAIN_LEADS && !domain->refreshing &&
           domain->attempts == 0 && domain->until_ms <= now_ms;
}

/* All are looked at, so once in a second at most. */
static void let_go_of_some(struct queue *q, int64_t now_ms)
{
    size_t forgotten = 0;
    struct domain *next;
    if (now_ms < q->answers_look_ms)
        return;
    q->answers_look_ms = now_ms + AGAIN_MS;
    if (!note_who_is_short(q))
        return;
    for (struct domain *d = q->answers; d && forgotten < FORGET_AT_ONCE; d = next) {
        next = d->next_answer;
        if (!makes_room(d, now_ms))
            continue;
        d->manner = ANSWERS_NOT;
        domain_forget(q, d);
        forgotten++;
    }
    if (forgotten > 0)
        queue_wake_at(q, now_ms);
}

void answers_sweep(struct queue *q, int64_t now_ms)
{
    struct domain *unused;
    while ((unused = answer_too_much(q)))
        domain_forget(q, unused);
    if (q->lookup[0].count + q->lookup[1].count == 0)
        return;
    let_go_of_some(q, now_ms);
    queue_wake_at(q, q->answers_look_ms);
}
