// SPDX-License-Identifier: BSD-2-Clause
/* dispatch_decide.c - The lock around an event, and what the core decides then, carried out.
 *
 * The lock is held for one event and what it decides: nothing is read, written or waited for under
 * it but inbox_post(), and the store's inbox when a destination rests. The core's time is
 * clock_steady_ms(). Its wake-up is a timer of the main loop, which other threads set through the
 * loop's inbox.
 */
#include "dispatch_parts.h"

#include "clock.h"
#include "queue_pause.h"
#include "queue_speed.h"

#include <stdlib.h>

enum { PAUSED_CHECK_MS = 500, LONGEST_MS = 60 * 1000 };

/* Names are looked up, and outcomes without a connection settled, by each shard in turn. */
static struct deliveries *home_of(struct dispatch *d, const struct queue_decision *decision)
{
    if (decision->kind == QUEUE_RESOLVE || decision->kind == QUEUE_SETTLE)
        return d->homes[d->turn++ % d->shard_count];
    return d->homes[decision->shard];
}

static void on_wake(struct inbox_item *item);

struct wake {
    struct inbox_item item;
    struct dispatch *dispatch;
};

static void on_timer(uv_timer_t *timer);

static void set_timer(struct dispatch *d, int64_t now_ms)
{
    int64_t wait_ms = d->wake_ms - now_ms;
    uv_timer_start(&d->timer, on_timer, wait_ms > 0 ? (uint64_t)wait_ms : 1, 0);
}

/* The timer is set by its own thread. */
static void arm(struct dispatch *d, int64_t now_ms)
{
    int64_t wake_ms = queue_wake_ms(d->queue);
    int64_t latest_ms = now_ms + (d->paused ? PAUSED_CHECK_MS : LONGEST_MS);
    if (queue_pauses_changed(d->queue) && d->pauses_ms < latest_ms)
        latest_ms = d->pauses_ms;
    if (wake_ms > latest_ms)
        wake_ms = latest_ms;
    if (d->wake_ms > now_ms && d->wake_ms <= wake_ms)
        return; /* it comes in time */
    d->wake_ms = wake_ms;
    if (pthread_equal(pthread_self(), d->main)) {
        set_timer(d, now_ms);
        return;
    }
    struct wake *w = xcalloc(1, sizeof(*w));
    w->item = (struct inbox_item){.run = on_wake, .drop = inbox_free};
    w->dispatch = d;
    inbox_post(&d->inbox, &w->item);
}

/* Its shard has ended; the attempt that it may have is still the queue's. */
static void drop_work(struct inbox_item *item)
{
    dispatch_work_free((struct dispatch_work *)item);
}

/* After each event, with the lock held. */
static void decide(struct dispatch *d, int64_t now_ms)
{
    struct queue_decision decision;
    if (!d->running)
        return;
    bool paused = store_paused(d->store);
    if (paused != d->paused)
        queue_pause(d->queue, paused, now_ms);
    d->paused = paused;
    while (queue_decide(d->queue, &decision, now_ms)) {
        if (decision.kind == QUEUE_EVENT) {
            dispatch_tell(d, &decision, now_ms);
            continue;
        }
        if (decision.kind == QUEUE_RESOLVE && decision.domain[0] == '\0') {
            static const struct queue_no_answer none = {
                .result = MX_FAILED, .text = "", .retry_ms = DISPATCH_UNRESOLVABLE_MS};
            queue_unresolvable(d->queue, "", &none, now_ms);
            continue;
        }
        struct dispatch_work *work = dispatch_make_work(d, &decision);
        work->home = home_of(d, &decision);
        work->item = (struct inbox_item){.run = work->home->arrived, .drop = drop_work};
        inbox_post(&work->home->worker->inbox, &work->item);
    }
    if (queue_speeds_changed(d->queue) && d->speeds_ms <= now_ms)
        dispatch_keep_speeds(d, now_ms);
    if (queue_pauses_changed(d->queue) && d->pauses_ms <= now_ms)
        dispatch_keep_pauses(d, now_ms);
    arm(d, now_ms);
}

int64_t dispatch_begin(struct dispatch *d)
{
    pthread_mutex_lock(&d->mutex);
    return clock_steady_ms();
}

void dispatch_end(struct dispatch *d, int64_t now_ms)
{
    decide(d, now_ms);
    d->commanded = false;
    pthread_mutex_unlock(&d->mutex);
}

static void on_timer(uv_timer_t *timer)
{
    struct dispatch *d = timer->data;
    int64_t now_ms = dispatch_begin(d);
    d->wake_ms = 0; /* it is set to nothing now, though it may have come a little early */
    dispatch_end(d, now_ms);
}

static void on_wake(struct inbox_item *item)
{
    struct dispatch *d = ((struct wake *)item)->dispatch;
    free(item);
    int64_t now_ms = dispatch_begin(d);
    if (d->running)
        set_timer(d, now_ms);
    pthread_mutex_unlock(&d->mutex);
}
