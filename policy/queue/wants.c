// SPDX-License-Identifier: BSD-2-Clause
/* wants.c - Destinations that want a connection and may have one, each at most once for class
 * security and once for the rest; and those of them that may have it beyond their tenant's share.
 *
 * Beyond it goes who is not known to fall silent (enum manner): who answered when last given a
 * message, or who was never given one, and has none now. Either may have one such connection until
 * it has answered.
 */
#include "queue_moves.h"

/* Of one tenant's: the most urgent mail, then the fewest connections, then who has waited longest.
 */
static bool want_before(const struct want *w, const struct want *v)
{
    const struct destination *d = w->destination;
    const struct destination *e = v->destination;
    if (w->class != v->class)
        return w->class < v->class;
    return d->want_in_use != e->want_in_use ? d->want_in_use < e->want_in_use : d->since < e->since;
}

static bool by_turn(const void *a, const void *b)
{
    return want_before(OWNER_OF(a, struct want, turn), OWNER_OF(b, struct want, turn));
}

static bool by_turn_beyond(const void *a, const void *b)
{
    return want_before(OWNER_OF(a, struct want, turn_beyond),
                       OWNER_OF(b, struct want, turn_beyond));
}

void wants_init(struct queue *q)
{
    for (size_t i = 0; i < POOLS; i++) {
        fair_init(&q->connect[i], FAIR_HELD, &q->parties, by_turn);
        for (size_t k = 0; k < BEYOND_KINDS; k++)
            fair_init(&q->beyond[i][k], FAIR_HELD, &q->parties, by_turn_beyond);
    }
}

void wants_fini(struct queue *q)
{
    for (size_t i = 0; i < POOLS; i++) {
        fair_fini(&q->connect[i]);
        for (size_t k = 0; k < BEYOND_KINDS; k++)
            fair_fini(&q->beyond[i][k]);
    }
}

enum beyond destination_beyond(const struct destination *d)
{
    switch (d->manner) {
    case MANNER_UNKNOWN:
        return d->in_use == 0 ? BEYOND_UNKNOWN : BEYOND_KINDS;
    case MANNER_ANSWERS:
        return BEYOND_ANSWERS;
    case MANNER_TRIED:
    case MANNER_SILENT:
        break;
    }
    return BEYOND_KINDS;
}

void want_put(struct queue *q, struct want *w, const struct line *line)
{
    struct destination *d = w->destination;
    enum pool pool = line_pool(line);
    enum beyond beyond = destination_beyond(d);
    w->class = line->class;
    d->want_in_use = destination_group_in_use(d);
    if (d->since == 0)
        d->since = ++q->serial;
    fair_put(&q->connect[pool], line->tenant, &w->turn);
    if (beyond != BEYOND_KINDS)
        fair_put(&q->beyond[pool][beyond], line->tenant, &w->turn_beyond);
}

bool wants_any(const struct destination *d)
{
    return d->want[POOL_URGENT].turn.party || d->want[POOL_PLAIN].turn.party;
}

void want_take(struct destination *d)
{
    for (size_t i = 0; i < POOLS; i++) {
        fair_take(&d->want[i].turn);
        fair_take(&d->want[i].turn_beyond);
    }
}
