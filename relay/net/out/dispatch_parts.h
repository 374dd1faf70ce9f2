// SPDX-License-Identifier: BSD-2-Clause
/* dispatch_parts.h - The inside of the queue's shell, for its own files. From below: places and
 * notes, decide, addresses, dispatch; and view, which answers questions. */
#ifndef DISPATCH_PARTS_H
#define DISPATCH_PARTS_H

#include "deliveries.h"
#include "incidents.h"

#include <pthread.h>
#include <uthash.h>

/* What DNS has said of where mail of a domain goes, with one need of TLS. */
struct place {
    char domain[HOP_TEXT]; /* hop.h */
    struct dispatch_hosts *hosts;
    unsigned port;
    UT_hash_handle hh;
};

struct dispatch {
    pthread_mutex_t mutex; /* guards all that follows up to `inbox` */
    struct queue *queue;
    struct place *places;
    struct queue_settings settings;
    struct settings *origin; /* held: whose mail leaves from which of our addresses */
    bool paused, running;
    bool commanded;    /* rests begin and end by a command, which writes its own event */
    int64_t speeds_ms; /* how fast destinations take mail is not kept anew before then */
    int64_t pauses_ms; /* the same of pauses */
    int64_t wake_ms;   /* what the timer is set to, or has been told to be */

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

enum { DISPATCH_UNRESOLVABLE_MS = 10 * 1000 }; /* so long a domain's failure is remembered */

/* ---- dispatch_decide.c ---- */

/* Every event stands between these two: take the lock, and what time it is; do what the core
 * decides, and leave the lock. */
int64_t dispatch_begin(struct dispatch *d);
void dispatch_end(struct dispatch *d, int64_t now_ms);

/* ---- dispatch_addresses.c ---- */

/* All addresses of these hosts. Returns how many. */
size_t dispatch_list_addresses(const struct hosts *hosts, unsigned port,
                               struct queue_address addresses_r[HOSTS_MAX * HOSTS_IPS_MAX]);
/* With the lock held: those of a place's addresses that rest. */
struct destinations_detail;
void dispatch_add_avoided(const struct dispatch *d, const struct place *place,
                          struct destinations_detail *detail, int64_t now_ms);
/* The rest of a place's addresses ends, and of no others. NULL does nothing. */
void dispatch_resume_place(struct dispatch *d, const struct place *place_or_null);

/* ---- dispatch_places.c, with the lock held ---- */

/* NULL: nothing is known of it. */
struct place *dispatch_find_place(struct dispatch *d, const char *domain);
/* Takes the hosts of `from`, and holds its facts. */
void dispatch_set_place(struct dispatch *d, const char *domain, const struct dispatch_hosts *from,
                        unsigned port);
/* What it takes. */
size_t dispatch_place_bytes(const struct dispatch_hosts *from);
/* `context`: the dispatch. The core has forgotten the answer. */
void dispatch_forget_place(void *context, const char *domain);
/* All. */
void dispatch_drop_places(struct dispatch *d);
/* With the hosts of its domain, where it is about a connection. */
struct dispatch_work *dispatch_make_work(struct dispatch *d, const struct queue_decision *decision);

/* ---- dispatch_notes.c, with the lock held ---- */

/* A QUEUE_EVENT, for the log, the events and the alerts. */
void dispatch_tell(struct dispatch *d, const struct queue_decision *decision, int64_t now_ms);

/* ---- dispatch_speeds.c, with the lock held ---- */

/* Have the store keep those that have changed: once a minute. */
void dispatch_keep_speeds(struct dispatch *d, int64_t now_ms);
/* What it has kept, before anything is handed out. */
struct database;
MUST_CHECK bool dispatch_restore_speeds(struct dispatch *d, struct database *db, int64_t now_ms,
                                        struct err *err);

/* ---- dispatch_pauses.c, with the lock held: the same of pauses, seconds later ---- */

/* See struct destinations_calls. */
struct destinations_pauses;
void dispatch_copy_pauses(const struct dispatch *d, struct destinations_pauses *pauses_r,
                          int64_t now_ms);
void dispatch_keep_pauses(struct dispatch *d, int64_t now_ms);
MUST_CHECK bool dispatch_restore_pauses(struct dispatch *d, struct database *db, int64_t now_ms,
                                        struct err *err);

/* See struct destinations_calls. */
struct progress;
void progress_read(struct dispatch *d, struct progress *progress_r);

#endif
