// SPDX-License-Identifier: BSD-2-Clause
/* shape_parts.h - What an operator's question is about (shape.c), and what shape_limits.c finds. */
#ifndef SHAPE_PARTS_H
#define SHAPE_PARTS_H

#include "queue_moves.h"
#include "queue_shape.h"

/* One line of mail that may not be there. */
struct guess {
    const struct queue *queue;
    const struct domain *domain;     /* NULL: not known */
    struct destination *destination; /* NULL: the same */
    int64_t now_ms;
    bool urgent;
    struct line line;
    struct tenant tenant; /* where it has none, and the following; in no table */
    struct lane lane;
    struct domain made_up;
    struct destination grown; /* a copy */
};

/* ---- shape_limits.c ---- */

/* Of the whole relay, and of the destination. */
void shape_count_all(const struct guess *g, struct queue_shape *shape);
void shape_count(const struct guess *g, struct queue_shape *shape);
/* What rests there, of one tenant's mail or of any; and of a destination that is not known. */
void shape_find_rests(const struct guess *g, const char *tenant_or_null, struct queue_shape *shape);
void shape_find_orders(const struct guess *g, const char *destination_or_null,
                       struct queue_shape *shape);

#endif
