// SPDX-License-Identifier: BSD-2-Clause
/* speed.c - What a server says to messages shows how fast its destination takes mail (spacing.c).
 *
 * Most say nothing of whose mail they mean: that may be ours as a whole, one tenant's, or what is
 * for one of their own domains, whose owner may even have chosen the words. So it holds for the
 * tenant who met it, for the domain that his mail was for, and for no other destination; for all
 * tenants, where two have met it within half an hour, and for all domains, where it was said for
 * three (slow_domains.c). From where it is one's to where it is everybody's it is looked for anew:
 * how slow he has become says nothing of others. Even then, when some mail of others was taken
 * since his was last refused, and none of his, what is refused of his slows nobody; and so with
 * domains.
 */
#include "queue_moves.h"

#include <stdlib.h>

enum { OTHERS = 3 };

static void note_taken(struct destination *d, uint64_t tenant)
{
    d->fast_others = tenant == d->fast_tenant ? 0 : d->fast_others + 1;
}

static const char *domain_of(const struct connection *c)
{
    return c->attempt->line->domain->name;
}

/* Others' mail was taken meanwhile and none of his. */
static bool is_of_one(const struct destination *d, uint64_t tenant)
{
    return tenant == d->fast_tenant && d->fast_others >= OTHERS;
}

/* Whose is it, after one more refusal? */
static void note_refused(struct queue *q, struct destination *d, const struct connection *c,
                         int64_t now_ms)
{
    uint64_t tenant = c->users.last;
    bool is_on = spacing_is_on(&d->spacing, now_ms);
    bool another = is_on && d->fast_tenant != 0 && d->fast_tenant != tenant;
    bool wider = slow_domains_said(&d->slow, domain_of(c), now_ms);
    if ((another && !slowed_is_shared(d, now_ms)) || (is_on && wider))
        spacing_anew(&d->spacing);
    if (!is_on || wider)
        d->fast_beside = false;
    d->turns.deep = !slow_domains_is_all(&d->slow, now_ms);
    if (another)
        d->fast_shared_until_ms = now_ms + SLOWED_SHARED_MS;
    else if (!is_on)
        d->fast_shared_until_ms = 0;
    if (tenant == d->fast_tenant)
        return;
    d->fast_others = 0;
    d->fast_tenant = tenant;
    free(d->fast_name);
    d->fast_name = xstrdup(tenant_name(q, tenant));
}

static void too_fast(struct queue *q, struct destination *d, const struct connection *c,
                     int64_t now_ms)
{
    if ((slowed_is_shared(d, now_ms) && is_of_one(d, c->users.last)) ||
        slow_domains_is_of_one(&d->slow, domain_of(c), now_ms))
        return;
    note_refused(q, d, c, now_ms);
    bool was_on = spacing_is_on(&d->spacing, now_ms);
    (void)!spacing_refused(&d->spacing, c->began_ms, now_ms);
    d->fast_since_ms = was_on ? d->fast_since_ms : now_ms;
    free(d->fast_why);
    d->fast_why = d->fast_said;
    d->fast_said = NULL;
    speed_changed(q, d);
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

void queue_sent_too_fast(struct queue *q, uint64_t connection, int64_t now_ms)
{
    const struct connection *c = connection_find(q, connection);
    if (c && c->attempt)
        too_fast(q, c->lane->destination, c, now_ms);
}

static void taken(struct queue *q, struct destination *d, const struct connection *c,
                  int64_t now_ms)
{
    double before = d->spacing.level;
    pauses_taken(q, c, now_ms);
    note_taken(d, c->users.last);
    slow_domains_taken(&d->slow, domain_of(c));
    if (slowed_is_for(d, c->users.last, domain_of(c), now_ms))
        spacing_taken(&d->spacing, c->began_ms, now_ms);
    else
        spacing_seen(&d->spacing, now_ms);
    if (d->spacing.level != before)
        speed_changed(q, d);
}

void speed_answers(struct queue *q, const struct connection *c, enum queue_spoken spoken,
                   int64_t now_ms)
{
    struct destination *d = c->lane->destination;
    if (!c->attempt) /* somebody has ended it meanwhile */
        return;
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
