// SPDX-License-Identifier: BSD-2-Clause
/* decisions.c - What has been decided and not yet been taken: a ring; and when to look again. */
#include "queue_moves.h"

#include <stdlib.h>

/* What is said of may be forgotten before it is taken: there is a copy of it. */
static bool has_copy(const struct queue_decision *decision)
{
    return decision->kind == QUEUE_EVENT || decision->kind == QUEUE_SETTLE;
}

static void keep_texts(struct queue_decision *decision)
{
    if (!has_copy(decision))
        return;
    decision->text = decision->text ? xstrdup(decision->text) : NULL;
    decision->tenant = decision->tenant ? xstrdup(decision->tenant) : NULL;
}

static void drop_texts(const struct queue_decision *decision)
{
    if (!has_copy(decision))
        return;
    free((char *)decision->text);
    free((char *)decision->tenant);
}

void decide(struct queue *q, struct queue_decision decision)
{
    keep_texts(&decision);
    if (q->decision_count == q->decision_size) {
        size_t size = q->decision_size ? q->decision_size * 2 : 64;
        struct queue_decision *ring = xcalloc(size, sizeof(*ring));
        for (size_t i = 0; i < q->decision_count; i++)
            ring[i] = q->decisions[(q->decision_first + i) % q->decision_size];
        free(q->decisions);
        q->decisions = ring;
        q->decision_first = 0;
        q->decision_size = size;
    }
    q->decisions[(q->decision_first + q->decision_count++) % q->decision_size] = decision;
}

bool decision_take(struct queue *q, struct queue_decision *decision_r)
{
    drop_texts(&q->taken);
    q->taken = (struct queue_decision){0};
    if (q->decision_count == 0)
        return false;
    q->taken = *decision_r = q->decisions[q->decision_first];
    q->decision_first = (q->decision_first + 1) % q->decision_size;
    q->decision_count--;
    return true;
}

void decisions_fini(struct queue *q)
{
    struct queue_decision decision;
    while (decision_take(q, &decision))
        ;
    free(q->decisions);
}

void queue_wake_at(struct queue *q, int64_t at_ms)
{
    if (at_ms < q->wake_ms)
        q->wake_ms = at_ms;
}
