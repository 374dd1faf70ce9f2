// SPDX-License-Identifier: BSD-2-Clause
/* dispatch_parts.h - The inside of the queue's shell, for its own files: dispatch.c, which carries
 * events and decisions, dispatch_addresses.c, which does so for addresses, and dispatch_view.c,
 * which answers questions. */
#ifndef DISPATCH_PARTS_H
#define DISPATCH_PARTS_H

#include "deliveries.h"
#include "incidents.h"

#include <pthread.h>
#include <uthash.h>

/* What DNS has said of a domain. */
struct place {
    char domain[ADDRESS_DOMAIN_MAX + 1];
    struct dispatch_hosts *hosts;
    unsigned port;
    UT_hash_handle hh;
};

struct dispatch {
    pthread_mutex_t mutex; /* guards all that follows up to `inbox` */
    struct queue *queue;
    struct place *places;
    int64_t forget_ms; /* when to look for places that nobody needs */
    struct queue_settings settings;
    bool paused, running;
    const char *resumed_by; /* why rests end in this event; NULL: a connection works */
    bool commanded;         /* they begin and end by a command, which writes its own event */
    int64_t wake_ms;        /* what the timer is set to, or has been told to be */

    struct inbox inbox; /* of the main loop */
    uv_timer_t timer;
    pthread_t main;
    struct deliveries *const *homes;
    size_t shard_count;
    uint64_t first_turn; /* of connections to the same hosts; random, so that no start is special */
    size_t turn;         /* which shard looks up or settles next; with the lock held */
    struct store *store;
    struct incidents *incidents;
};

/* Every event stands between these two: take the lock, and what time it is; do what the core
 * decides, and leave the lock. */
int64_t dispatch_begin(struct dispatch *d);
void dispatch_end(struct dispatch *d, int64_t now_ms);

/* With the lock held; NULL: nothing is known of it. */
struct place *dispatch_find_place(struct dispatch *d, const char *domain);
/* dispatch_addresses.c: the rest of its addresses ends, and of no others. NULL does nothing. */
void dispatch_resume_place(struct dispatch *d, const struct place *place_or_null);

/* dispatch_view.c: a QUEUE_EVENT, for the log, the events and the alerts. With the lock held. */
void dispatch_tell(struct dispatch *d, const struct queue_decision *decision, int64_t now_ms);

/* See struct destinations_calls. */
struct progress;
void progress_read(struct dispatch *d, struct progress *progress_r);

#endif
