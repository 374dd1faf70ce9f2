// SPDX-License-Identifier: BSD-2-Clause
/* decisions.c - What has been decided and not yet been taken: a ring; and when to look again. */
#include "queue_moves.h"

#include <stdlib.h>

void decide(struct queue *q, struct queue_decision decision)
{
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

void queue_wake_at(struct queue *q, int64_t at_ms)
{
    if (at_ms < q->wake_ms)
        q->wake_ms = at_ms;
}
