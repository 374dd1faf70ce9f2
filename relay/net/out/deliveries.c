// SPDX-License-Identifier: BSD-2-Clause
/* deliveries.c - Passes each decision of the queue to the function that carries it out, and ends
 * everything at shutdown. */
#include "deliveries.h"

#include "attempt.h"
#include "dial.h"
#include "dispatch_parts.h"
#include "next_hop.h"
#include "outbound.h"
#include "works.h"

#include <stdlib.h>

static void run(struct deliveries *home, struct dispatch_work *work)
{
    if (attempt_holds_back(home, work))
        return;
    switch (work->kind) {
    case QUEUE_RESOLVE:
        next_hop_find(home, work);
        break;
    case QUEUE_OPEN:
        outbound_open(home, work);
        break;
    case QUEUE_SEND:
        outbound_send(home, work);
        break;
    case QUEUE_CLOSE:
        outbound_close(home, work);
        break;
    case QUEUE_HURRY:
        outbound_hurry(home, work);
        break;
    case QUEUE_SETTLE:
        if (attempt_read(home, work))
            attempt_start(work);
        break;
    case QUEUE_EVENT:
        UNREACHABLE();
    }
}

static void on_arrived(struct inbox_item *item)
{
    struct dispatch_work *work = (struct dispatch_work *)item;
    works_add(work->home, work);
}

void deliveries_init(struct deliveries *home, struct worker *worker,
                     const struct deliveries_shared *shared)
{
    home->worker = worker;
    home->shared = shared;
    home->arrived = on_arrived;
    works_init(home, run);
}

bool deliveries_open(struct deliveries *home, struct err *err)
{
    return resolver_new(&home->worker->loop, home->worker->settings->config, &home->resolver, err);
}

void deliveries_change_settings(struct deliveries *home)
{
    resolver_change_config(home->resolver, home->worker->settings->config);
}

void deliveries_drain(struct deliveries *home)
{
    outbound_close_idle(home);
    outbound_close_opening(home);
    next_hop_abandon_all(home);
}

bool deliveries_are_under_way(const struct deliveries *home)
{
    return home->attempts || home->reading || home->works.first;
}

void deliveries_end_all(struct deliveries *home)
{
    outbound_close_all(home);
}

bool deliveries_have_ended(struct deliveries *home)
{
    outbound_close_all(home);
    dial_close_probes(home);
    return !home->outbounds && !home->tries;
}

void deliveries_close(struct deliveries *home)
{
    next_hop_abandon_all(home);
    works_close(home);
}

/* ---- rows that a person has ended ---- */

struct order {
    struct inbox_item item;
    struct deliveries *home;
};

static void on_check_rows(struct inbox_item *item)
{
    struct deliveries *home = ((struct order *)item)->home;
    free(item);
    outbound_check_rows(home);
}

void deliveries_check_rows(struct dispatch *d)
{
    dispatch_begin(d);
    for (size_t i = 0; d->running && i < d->shard_count; i++) {
        struct order *o = xcalloc(1, sizeof(*o));
        *o =
            (struct order){.item = {.run = on_check_rows, .drop = inbox_free}, .home = d->homes[i]};
        inbox_post(&o->home->worker->inbox, &o->item);
    }
    pthread_mutex_unlock(&d->mutex);
}
