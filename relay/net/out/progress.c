// SPDX-License-Identifier: BSD-2-Clause
/* progress.c - Asks the shards what their outbound connections do; each answers on its own thread.
 *
 * The last one to answer frees the question: a shard that is busy answers too late, and nobody
 * waits for it. One that has ended does nothing.
 */
#include "progress.h"

#include "dispatch_parts.h"
#include "outbound_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <utlist.h>

enum { PATIENCE_S = 2 };

struct question {
    pthread_mutex_t mutex;
    pthread_cond_t answered;
    size_t holders, open; /* open: shards that have not answered */
    struct progress progress;
};

struct asked {
    struct inbox_item item;
    struct question *question;
    struct deliveries *home;
};

static struct progress_row *add(struct progress *all)
{
    if (all->count == all->size) {
        all->size = all->size ? all->size * 2 : 16;
        all->rows = xgrow(all->rows, all->size, sizeof(*all->rows));
    }
    return &all->rows[all->count++];
}

/* The first that is being tried, while no host has spoken. */
static void describe_dial(const struct outbound *c, struct progress_row *row)
{
    row->stage = "connection";
    for (size_t i = 0; i < c->candidates.count; i++) {
        const struct candidate *one = &c->candidates.all[i];
        if (one->state != CANDIDATE_CONNECTING && one->state != CANDIDATE_CONNECTED)
            continue;
        if (one->state == CANDIDATE_CONNECTED)
            row->stage = "greeting";
        snprintf(row->host, sizeof(row->host), "%s",
                 c->attempt->work->hosts->hosts.all[one->host].name);
        ip_print(&one->at.ip, row->ip);
        return;
    }
}

static void describe(const struct outbound *c, struct progress_row *row)
{
    const struct queue_attempt *attempt = c->attempt->work->attempt;
    *row = (struct progress_row){
        .message = attempt->message,
        .for_ms = (int64_t)(uv_now(&c->home->worker->loop) - c->attempt->begun_ms),
        .count = attempt->count};
    memcpy(row->numbers, attempt->numbers, attempt->count * sizeof(row->numbers[0]));
    hop_print(c->attempt->work->domain, c->attempt->work->need, c->attempt->work->source, row->hop);
    if (!c->connection) {
        describe_dial(c, row);
        return;
    }
    row->stage = c->delivery.want == DELIVERY_TLS ? "TLS" : delivery_stage_name(&c->delivery);
    snprintf(row->host, sizeof(row->host), "%s", c->host_name);
    snprintf(row->ip, sizeof(row->ip), "%s", c->peer);
}

static void let_go(struct question *q)
{
    bool last = --q->holders == 0;
    pthread_mutex_unlock(&q->mutex);
    if (!last)
        return;
    progress_fini(&q->progress);
    pthread_cond_destroy(&q->answered);
    pthread_mutex_destroy(&q->mutex);
    free(q);
}

static void answer(struct inbox_item *item, bool has_ended)
{
    struct asked asked = *(struct asked *)item;
    const struct outbound *c;
    free(item);
    pthread_mutex_lock(&asked.question->mutex);
    DL_FOREACH (has_ended ? NULL : asked.home->outbounds, c) {
        if (c->attempt && !c->ending)
            describe(c, add(&asked.question->progress));
    }
    if (--asked.question->open == 0)
        pthread_cond_signal(&asked.question->answered);
    let_go(asked.question);
}

static void on_asked(struct inbox_item *item)
{
    answer(item, false);
}

/* Its connections are gone, or are another thread's to look at. */
static void on_asked_too_late(struct inbox_item *item)
{
    answer(item, true);
}

static struct question *ask(struct deliveries *const *homes, size_t count)
{
    struct question *q = xcalloc(1, sizeof(*q));
    pthread_condattr_t by_steady;
    pthread_mutex_init(&q->mutex, NULL);
    pthread_condattr_init(&by_steady);
    pthread_condattr_setclock(&by_steady, CLOCK_MONOTONIC);
    pthread_cond_init(&q->answered, &by_steady);
    pthread_condattr_destroy(&by_steady);
    q->holders = count + 1;
    q->open = count;
    for (size_t i = 0; i < count; i++) {
        struct asked *asked = xcalloc(1, sizeof(*asked));
        *asked = (struct asked){
            .item = {.run = on_asked, .drop = on_asked_too_late}, .question = q, .home = homes[i]};
        inbox_post(&homes[i]->worker->inbox, &asked->item);
    }
    return q;
}

void progress_read(struct dispatch *d, struct progress *progress_r)
{
    struct timespec until;
    int waited = 0;
    dispatch_begin(d);
    size_t count = d->running ? d->shard_count : 0;
    struct deliveries *const *homes = d->homes;
    pthread_mutex_unlock(&d->mutex);
    struct question *q = ask(homes, count);
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += PATIENCE_S;
    pthread_mutex_lock(&q->mutex);
    while (q->open > 0 && waited == 0)
        waited = pthread_cond_timedwait(&q->answered, &q->mutex, &until);
    *progress_r = q->progress;
    q->progress = (struct progress){0};
    let_go(q);
}
