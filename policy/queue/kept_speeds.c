// SPDX-License-Identifier: BSD-2-Clause
/* kept_speeds.c - What has been learned of speeds goes out to be kept, and comes back. */
#include "queue_moves.h"

#include "queue_speed.h"

#include <stdlib.h>
#include <string.h>

enum { TAKEN_MAX = 200 };

void speed_changed(struct queue *q, struct destination *d)
{
    d->speed_changed = q->speeds_changed = true;
}

void speed_forget(struct queue *q, struct destination *d)
{
    if (d->spacing.level > 0)
        speed_changed(q, d);
    d->spacing = (struct spacing){0};
    d->slow = (struct slow_domains){0};
    d->fast_beside = d->turns.deep = false;
    free(d->fast_why);
    d->fast_why = NULL;
}

bool queue_speeds_changed(const struct queue *q)
{
    return q->speeds_changed;
}

/* What is one domain's among several is learned again: it would come back as that of all. */
static bool is_kept(const struct destination *d, int64_t now_ms)
{
    return spacing_is_on(&d->spacing, now_ms) &&
           (slow_domains_is_all(&d->slow, now_ms) || !d->fast_beside);
}

static struct queue_speed describe(const struct destination *d, int64_t now_ms)
{
    bool shared = slowed_is_shared(d, now_ms);
    const struct spacing *s = &d->spacing;
    return (struct queue_speed){.destination = d->name,
                                .tenant = d->fast_name && !shared ? d->fast_name : "",
                                .why = d->fast_why ? d->fast_why : "",
                                .level = is_kept(d, now_ms) ? s->level : 0,
                                .good = s->good,
                                .bad = s->bad,
                                .before = s->before,
                                .closed = s->state == SPACING_CLOSED,
                                .since_ms = d->fast_since_ms,
                                .refused_ms = s->refused_ms,
                                .hold_for_ms = s->hold_for_ms};
}

struct taking {
    queue_on_speed *on_speed;
    void *context;
    int64_t now_ms;
    unsigned left; /* how many more may be taken at once */
};

/* Goes on to that slot of the table. False: it was too many, and the next walk begins there. */
static bool take_until(struct queue *q, size_t end, struct taking *t)
{
    while (q->speeds_at < end) {
        struct destination *d = pointer_table_next(&q->destinations, &q->speeds_at);
        if (!d)
            return true;
        if (!d->speed_changed)
            continue;
        if (t->left == 0) {
            q->speeds_at--;
            return false;
        }
        t->left--;
        struct queue_speed speed = describe(d, t->now_ms);
        d->speed_changed = false;
        t->on_speed(t->context, &speed);
    }
    return true;
}

/* In turn: where all change again and again, those behind are kept, too. */
void queue_take_speeds(struct queue *q, queue_on_speed *on_speed, void *context, int64_t now_ms)
{
    struct taking t = {on_speed, context, now_ms, TAKEN_MAX};
    size_t begun = q->speeds_at;
    bool all = take_until(q, SIZE_MAX, &t);
    if (all) {
        q->speeds_at = 0;
        all = take_until(q, begun, &t);
    }
    q->speeds_changed = !all;
}

void queue_speed_unkept(struct queue *q, const char *destination)
{
    struct destination *d = destination_find(q, destination);
    if (d)
        speed_changed(q, d);
}

void queue_restore_speed(struct queue *q, const struct queue_speed *speed, int64_t now_ms)
{
    struct spacing s = {.level = speed->level,
                        .good = speed->good,
                        .bad = speed->bad,
                        .before = speed->before,
                        .refused_ms = speed->refused_ms,
                        .hold_for_ms = speed->hold_for_ms};
    spacing_restore(&s, speed->closed, now_ms);
    if (!spacing_is_on(&s, now_ms))
        return;
    struct destination *d = destination_keep(q, speed->destination);
    speed_forget(q, d);
    d->spacing = s;
    slowed_is_of(d, speed->tenant, now_ms);
    d->fast_why = xstrdup(speed->why);
    d->fast_since_ms = speed->since_ms;
}
