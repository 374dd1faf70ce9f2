// SPDX-License-Identifier: BSD-2-Clause
/* dispatch_pauses.c - Mail that waits as some was refused is kept in the store: what has changed,
 * some seconds later, so that it still waits after a restart. */
#include "dispatch_parts.h"

#include "clock.h"
#include "destinations.h"
#include "pauses.h"

#include <stdlib.h>

enum { KEEP_MS = 3 * 1000, SHOWN_MAX = 10000 };
static const int64_t forgotten_ms = INT64_C(24) * 3600 * 1000; /* as the queue does */

struct kept_pauses {
    struct destinations_pauses copied;
    size_t most;
    int64_t later_ms; /* the wall clock before the queue's */
    struct dispatch *dispatch;
};

static void forget(void *context)
{
    struct kept_pauses *k = context;
    destinations_pauses_fini(&k->copied);
    free(k);
}

static void add(void *context, const struct queue_pause *pause)
{
    struct kept_pauses *k = context;
    struct destinations_pauses *c = &k->copied;
    if (c->count == k->most)
        return;
    if (c->count == c->size) {
        c->size = c->size > 0 ? c->size * 2 : 1;
        c->rows = xgrow(c->rows, c->size, sizeof(*c->rows));
        c->texts = xgrow(c->texts, c->size * QUEUE_PAUSE_TEXTS, sizeof(*c->texts));
    }
    char **texts = &c->texts[c->count * QUEUE_PAUSE_TEXTS];
    struct queue_pause *row = &c->rows[c->count++];
    *row = *pause;
    row->destination = texts[0] = xstrdup(pause->destination);
    row->tenant = texts[1] = xstrdup(pause->tenant);
    row->domain = texts[2] = xstrdup(pause->domain);
    row->about = texts[3] = xstrdup(pause->about);
    row->row = texts[4] = xstrdup(pause->row);
    row->why = texts[5] = xstrdup(pause->why);
    row->since_ms += k->later_ms;
    row->until_ms += k->later_ms;
}

void dispatch_copy_pauses(const struct dispatch *d, struct destinations_pauses *pauses_r,
                          int64_t now_ms)
{
    struct kept_pauses k = {.most = SHOWN_MAX, .later_ms = clock_now_ms() - now_ms};
    queue_each_pause(d->queue, add, &k);
    *pauses_r = k.copied;
}

static bool write_down(struct database *db, void *context, struct err *err)
{
    const struct kept_pauses *k = context;
    for (size_t i = 0; i < k->copied.count; i++)
        if (!database_keep_pause(db, &k->copied.rows[i], err))
            return false;
    return database_sweep_pauses(db, clock_now_ms() - forgotten_ms, err);
}

/* On the store's thread. */
static void on_kept(struct store_job *job)
{
    struct store_change *change = OWNER_OF(job, struct store_change, job);
    const struct kept_pauses *k = change->context;
    if (change->result != STORE_CHANGED) {
        pthread_mutex_lock(&k->dispatch->mutex);
        queue_pauses_unkept(k->dispatch->queue);
        pthread_mutex_unlock(&k->dispatch->mutex); /* no mail goes by that */
    }
    store_job_free(job);
}

void dispatch_keep_pauses(struct dispatch *d, int64_t now_ms)
{
    struct kept_pauses *k = xcalloc(1, sizeof(*k));
    k->dispatch = d;
    k->most = SIZE_MAX;
    k->later_ms = clock_now_ms() - now_ms;
    queue_take_pauses(d->queue, add, k);
    d->pauses_ms = now_ms + KEEP_MS;
    struct store_change *change = store_change_new(write_down, k);
    change->forget = forget;
    change->repeatable = true;
    change->job.answer = on_kept;
    store_put(d->store, &change->job);
}

/* ---- after a restart ---- */

static void restore(void *context, const struct queue_pause *pause)
{
    const struct kept_pauses *k = context;
    struct queue_pause row = *pause;
    row.since_ms -= k->later_ms;
    row.until_ms -= k->later_ms;
    queue_restore_pause(k->dispatch->queue, &row, clock_now_ms() - k->later_ms);
}

bool dispatch_restore_pauses(struct dispatch *d, struct database *db, int64_t now_ms,
                             struct err *err)
{
    int64_t wall_ms = clock_now_ms();
    struct kept_pauses k = {.dispatch = d, .later_ms = wall_ms - now_ms};
    return database_pauses(db, wall_ms - forgotten_ms, restore, &k, err);
}
