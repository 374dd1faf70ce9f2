// SPDX-License-Identifier: BSD-2-Clause
/* dispatch_speeds.c - How fast destinations take mail is kept in the store: those that have
 * changed, once a minute, so that after a restart they are not sent again more than they take. */
#include "dispatch_parts.h"

#include "clock.h"
#include "speeds.h"

#include <stdlib.h>
#include <string.h>

enum { KEEP_MS = 60 * 1000, FORGOTTEN_MS = 60 * 60 * 1000 };

/* Rows, and the texts that they borrow. */
struct kept_speeds {
    struct queue_speed *rows;
    char **texts;
    size_t count, size;
    int64_t later_ms; /* the wall clock before the queue's */
    struct dispatch *dispatch;
};

enum { TEXTS = 3 };

static void forget(void *context)
{
    struct kept_speeds *k = context;
    for (size_t i = 0; i < k->count * TEXTS; i++)
        free(k->texts[i]);
    free(k->texts);
    free(k->rows);
    free(k);
}

static void add(void *context, const struct queue_speed *speed)
{
    struct kept_speeds *k = context;
    if (k->count == k->size) {
        k->size = k->size > 0 ? k->size * 2 : 1;
        k->rows = xgrow(k->rows, k->size, sizeof(*k->rows));
        k->texts = xgrow(k->texts, k->size * TEXTS, sizeof(*k->texts));
    }
    char **texts = &k->texts[k->count * TEXTS];
    struct queue_speed *row = &k->rows[k->count++];
    *row = *speed;
    row->destination = texts[0] = xstrdup(speed->destination);
    row->tenant = texts[1] = xstrdup(speed->tenant);
    row->why = texts[2] = xstrdup(speed->why);
    row->since_ms += k->later_ms;
    row->refused_ms += k->later_ms;
}

static bool write_down(struct database *db, void *context, struct err *err)
{
    const struct kept_speeds *k = context;
    for (size_t i = 0; i < k->count; i++)
        if (!database_keep_speed(db, &k->rows[i], err))
            return false;
    return database_sweep_speeds(db, clock_now_ms() - FORGOTTEN_MS, err);
}

/* On the store's thread. What could not be written is the next minute's. */
static void on_kept(struct store_job *job)
{
    struct store_change *change = OWNER_OF(job, struct store_change, job);
    const struct kept_speeds *k = change->context;
    if (change->result != STORE_CHANGED) {
        pthread_mutex_lock(&k->dispatch->mutex);
        for (size_t i = 0; i < k->count; i++)
            queue_speed_unkept(k->dispatch->queue, k->rows[i].destination);
        pthread_mutex_unlock(&k->dispatch->mutex); /* no mail goes by that */
    }
    store_job_free(job);
}

void dispatch_keep_speeds(struct dispatch *d, int64_t now_ms)
{
    struct kept_speeds *k = xcalloc(1, sizeof(*k));
    k->dispatch = d;
    k->later_ms = clock_now_ms() - now_ms;
    queue_take_speeds(d->queue, add, k, now_ms);
    d->speeds_ms = now_ms + KEEP_MS;
    struct store_change *change = store_change_new(write_down, k);
    change->forget = forget;
    change->repeatable = true;
    change->job.answer = on_kept;
    store_put(d->store, &change->job);
}

/* ---- after a restart ---- */

struct restoring {
    struct dispatch *dispatch;
    int64_t now_ms, later_ms;
};

static void restore(void *context, const struct queue_speed *speed)
{
    const struct restoring *r = context;
    struct queue_speed row = *speed;
    row.since_ms -= r->later_ms;
    row.refused_ms -= r->later_ms;
    queue_restore_speed(r->dispatch->queue, &row, r->now_ms);
}

bool dispatch_restore_speeds(struct dispatch *d, struct database *db, int64_t now_ms,
                             struct err *err)
{
    int64_t wall_ms = clock_now_ms();
    struct restoring r = {.dispatch = d, .now_ms = now_ms, .later_ms = wall_ms - now_ms};
    return database_speeds(db, wall_ms - FORGOTTEN_MS, restore, &r, err);
}
