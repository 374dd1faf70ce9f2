// SPDX-License-Identifier: BSD-2-Clause
/* shard.h - One thread with its own loop: its listeners' sessions, its resolver, its outbound
 * connections, its reader.
 *
 * Shards are handed work and told things through their inbox only. What they share: the store's
 * inbox, the queue, the keyring, and the settings, which never change once made.
 */
#ifndef SHARD_H
#define SHARD_H

#include "connection_limits.h"
#include "descriptors.h"
#include "dispatch.h"
#include "inbox.h"
#include "keyring.h"
#include "resolver.h"
#include "settings.h"
#include "store.h"

#include <pthread.h>
#include <stdatomic.h>

/* What all shards share. */
struct common {
    struct store *store;
    struct alignment_service *alignment_service;
    struct dispatch *dispatch;
    struct keyring *keyring;
    struct login_limits *watch;
    struct incidents *incidents;
    struct refusals *refusals;
    struct connection_limits *connection_limits, *visitors; /* of mail, and of the page */
    struct rejects *rejected_clients, *rejected_http;       /* what they had no place for */
    atomic_bool short_of_memory;
    struct web *web;           /* NULL: no page is served */
    struct shard *shards;      /* all of them */
    atomic_size_t shard_count; /* 0 until all have begun */
    struct descriptors descriptors;
    /* The steady time until which recipients are looked at when they are named: somebody was over a
     * limit lately. */
    _Atomic int64_t flood_until_ms;
};

struct session;
struct alignment_service;
struct alignment_cache;
struct outbound;
struct attempt;
struct next_hop;
struct dial_try;
struct listener;
struct http_connection;
struct login_limits;
struct incidents;
struct refusals;
struct rejects;
struct web;

struct shard {
    uv_loop_t loop;
    pthread_t thread;
    struct inbox inbox;
    struct common *common;
    struct settings
        *settings; /* held; the newest: a delivery that has begun goes on with its own */
    struct database *reader;
    struct resolver *resolver;
    struct listener *listeners;
    struct alignment_cache *verdicts;
    struct session *sessions;   /* hash by id */
    struct session *strangers;  /* list of those that have not authenticated, first come first */
    _Atomic uint64_t oldest_ms; /* when the first of them came; UINT64_MAX: there are none */
    struct outbound *outbounds; /* list */
    struct outbound *outbounds_by_number;     /* hash of the same */
    struct dial_try *tries;                   /* list; connections that have not been greeted */
    struct attempt *attempts;                 /* list */
    struct next_hop *next_hops;               /* list */
    struct http_connection *http_connections; /* list */
    uint64_t next_session;
    unsigned errands; /* jobs at the store, questions to the alignment service */
    uv_timer_t drain_timer, patience;
    uv_prepare_t turn;
    struct inbox_item *works, **works_end; /* what the queue wants done, first come first */
    uv_idle_t works_turn;
    unsigned unrecorded; /* outcomes on their way to the store */
    bool draining, stopped;
    bool hastens;         /* it has drained for long enough: nothing new is begun */
    struct inbox *notify; /* `ended` is posted there when the thread ends */
    struct inbox_item ended;
};

/* Open listeners, reader and resolver, begin the thread. `notify` and `ended.run` are set.
 * `sockets`: one for each listener, bound. Also when it fails: join it.
 */
MUST_CHECK bool shard_start(struct shard *s, struct common *common, struct settings *settings,
                            const int *sockets, struct err *err);
/* From any thread. Drain: accept nothing new, end what is under way, then the thread ends. */
void shard_drain(struct shard *s);
void shard_check_access(struct shard *s); /* credentials or domains have changed */
void shard_check_rows(struct shard *s);   /* people have ended some mail */
void shard_change_settings(struct shard *s, struct settings *settings);
void shard_dispatch(struct shard *s, struct dispatch_work *work); /* takes `work` */
/* The same on its own thread: in a turn of the loop of its own. */
void shard_add_work(struct shard *s, struct dispatch_work *work);
void shard_recorded(struct shard *s); /* an outcome has come back from the store */
void shard_join(struct shard *s);

/* On the shard's thread: a connection that holds such a place has to go, here or at the next shard
 * that has one. */
void shard_make_room(struct shard *s, const struct connection_place *place);
/* The same among the HTTP connections of the page. */
void shard_make_room_for_http(struct shard *s, const struct connection_place *place);

/* On the shard's thread: something has ended; when all has, and it drains, the loop ends. */
void shard_something_ended(struct shard *s);

/* Give a job to the store and call `done` with it on this shard's loop. */
typedef void shard_on_stored(struct shard *s, struct store_job *job);
void shard_ask_store(struct shard *s, struct store_job *job, shard_on_stored *done);
/* The same for a job that borrows something of these settings. */
void shard_ask_store_by(struct shard *s, struct settings *settings, struct store_job *job,
                        shard_on_stored *done);

#endif
