// SPDX-License-Identifier: BSD-2-Clause
/* speed.c - What a server says to messages shows how fast its destination takes mail (spacing.c).
 *
 * That is about us, whoever's mail it is: it holds for all tenants there, and for no other
 * destination. But a server may mean one tenant's mail only, and not say so: when it has taken some
 * of others since it last refused his, and none of his, what it refuses of his slows nobody,
 * and what has been learned of him alone is forgotten.
 */
#include "queue_moves.h"

#include <stdlib.h>

enum { OTHERS = 3 };

static void note_taken(struct destination *d, uint64_t tenant)
{
    d->fast_others = tenant == d->fast_tenant ? 0 : d->fast_others + 1;
}

/* It is, if others' mail was taken meanwhile and none of his. */
static bool is_of_one(struct destination *d, uint64_t tenant)
{
    bool same = tenant == d->fast_tenant;
    d->fast_shared = d->fast_shared || (!same && d->fast_tenant != 0);
    if (!same)
        d->fast_others = 0;
    d->fast_tenant = tenant;
    return same && d->fast_others >= OTHERS;
}

static void too_fast(struct queue *q, struct destination *d, const struct connection *c,
                     int64_t now_ms)
{
    bool was_on = spacing_is_on(&d->spacing, now_ms);
    d->fast_shared = d->fast_shared && was_on;
    bool alone = is_of_one(d, c->users.last);
    if (alone && !d->fast_shared) /* all of it was his */
        speed_forget(q, d);
    else if (!alone) {
        (void)!spacing_refused(&d->spacing, c->began_ms, now_ms);
        d->fast_since_ms = was_on ? d->fast_since_ms : now_ms;
        free(d->fast_why);
        d->fast_why = d->fast_said;
        d->fast_said = NULL;
        speed_changed(q, d);
    }
    destination_touch_all(q, d);
}

void queue_names_reply(struct queue *q, uint64_t connection, const char *reply)
{
    const struct connection *c = connection_find(q, connection);
    if (!c)
        return;
    free(c->lane->destination->fast_said);
    c->lane->destination->fast_said = xstrdup(reply);
}

static void taken(struct queue *q, struct destination *d, const struct connection *c,
                  int64_t now_ms)
{
    double before = d->spacing.level;
    note_taken(d, c->users.last);
    spacing_taken(&d->spacing, c->began_ms, now_ms);
    if (d->spacing.level != before)
        speed_changed(q, d);
}

void speed_answers(struct queue *q, const struct connection *c, enum queue_spoken spoken,
                   int64_t now_ms)
{
    struct destination *d = c->lane->destination;
    switch (spoken) {
    case QUEUE_TAKEN:
        taken(q, d, c, now_ms);
        return;
    case QUEUE_TOO_FAST:
        too_fast(q, d, c, now_ms);
        return;
    case QUEUE_SPOKEN:
    case QUEUE_NOT_SPOKEN:
        return;
    }
    UNREACHABLE();
}
