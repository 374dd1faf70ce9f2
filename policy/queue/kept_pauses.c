// SPDX-License-Identifier: BSD-2-Clause
/* kept_pauses.c - Pauses are shown, go out to be kept, and come back. */
#include "pause.h"

#include <stdlib.h>

enum { TAKEN_MAX = 200 };

static struct queue_pause describe(const struct pause *p)
{
    return (struct queue_pause){.destination = p->destination->name,
                                .tenant = p->tenant ? p->tenant->name : "",
                                .domain = p->domain,
                                .about = p->about,
                                .row = p->row,
                                .why = p->why,
                                .kind = p->kind,
                                .state = p->state,
                                .since_ms = p->since_ms,
                                .until_ms = p->until_ms,
                                .for_ms = p->for_ms,
                                .allowed = p->allowed};
}

unsigned pauses_shown(const struct destination *d)
{
    const struct pause *p;
    unsigned shown = 0;
    for (size_t at = 0; (p = pointer_table_next(&d->pauses, &at));)
        shown += pause_is_shown(p);
    return shown;
}

void queue_each_pause(const struct queue *q, queue_on_pause *on_pause, void *context)
{
    for (size_t i = 0; i < q->pause_wakes.count; i++) {
        const struct pause *p = q->pause_wakes.items[i];
        if (!pause_is_shown(p))
            continue;
        const struct queue_pause pause = describe(p);
        on_pause(context, &pause);
    }
}

bool queue_pauses_changed(const struct queue *q)
{
    return q->pauses_changed;
}

void queue_take_pauses(struct queue *q, queue_on_pause *on_pause, void *context)
{
    unsigned taken = 0;
    q->pauses_changed = false;
    for (size_t i = 0; i < q->pause_wakes.count; i++) {
        struct pause *p = q->pause_wakes.items[i];
        if (!p->changed || p->kind == QUEUE_PAUSE_ALARM)
            continue;
        if (taken++ == TAKEN_MAX) {
            q->pauses_changed = true;
            return;
        }
        struct queue_pause pause = describe(p);
        if (!pause_is_active(p))
            pause.state = QUEUE_PAUSE_OVER;
        p->changed = false;
        on_pause(context, &pause);
    }
}

void queue_pauses_unkept(struct queue *q)
{
    for (size_t i = 0; i < q->pause_wakes.count; i++)
        pause_changed(q, q->pause_wakes.items[i]);
}

/* How long it goes on, of one that was kept. */
static int64_t left_of(const struct queue_pause *kept, int64_t now_ms)
{
    int64_t left_ms = kept->until_ms - now_ms;
    return left_ms < PAUSE_MAX_MS ? left_ms : PAUSE_MAX_MS;
}

void queue_restore_pause(struct queue *q, const struct queue_pause *kept, int64_t now_ms)
{
    if ((unsigned)kept->kind >= QUEUE_PAUSE_ALARM || kept->for_ms <= 0 ||
        kept->until_ms + PAUSE_FORGET_MS <= now_ms)
        return;
    struct destination *d = destination_keep(q, kept->destination);
    const struct pause_key key = {*kept->tenant ? tenant_need(q, kept->tenant) : NULL, kept->kind,
                                  kept->domain, kept->about};
    if (pause_find(d, &key))
        return;
    int64_t left_ms = left_of(kept, now_ms);
    struct pause *p = pause_add(q, d, &key);
    free(p->row);
    free(p->why);
    p->row = xstrdup(kept->row);
    p->why = xstrdup(kept->why);
    p->since_ms = kept->since_ms;
    p->for_ms = kept->for_ms < PAUSE_MAX_MS ? kept->for_ms : PAUSE_MAX_MS;
    p->until_ms = now_ms + (left_ms > 0 ? left_ms : 0);
    p->count = 1;
    p->allowed = 1;
    bool grows = kept->state == QUEUE_PAUSE_GROWS;
    if (left_ms > 0 && !grows)
        pause_move(q, p, QUEUE_PAUSE_RESTS, p->until_ms);
    else
        pause_move(q, p, grows ? QUEUE_PAUSE_GROWS : QUEUE_PAUSE_ASKS, now_ms + PAUSE_FORGET_MS);
    p->changed = false;
    q->pauses_changed = false; /* nothing else is there yet */
}
