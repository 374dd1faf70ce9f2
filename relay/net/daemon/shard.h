// SPDX-License-Identifier: BSD-2-Clause
/* shard.h - One thread with its own loop: its listeners, and the sessions, deliveries and HTTP
 * connections on its worker.
 *
 * Shards are handed work and told things through their inbox only. What they share: the store's
 * inbox, the queue, the keyring, and the settings, which never change once made.
 */
#ifndef SHARD_H
#define SHARD_H

#include "deliveries.h"
#include "http_connection.h"
#include "return_sessions.h"
#include "sessions.h"

#include <pthread.h>
#include <stdatomic.h>

struct listener;

/* What all shards share. */
struct common {
    struct store *store;
    struct sessions_shared sessions;
    struct deliveries_shared deliveries;
    struct http_shared http;
    struct return_shared returns;
    struct shard *shards;      /* all of them */
    atomic_size_t shard_count; /* 0 until all have begun */
};

struct shard {
    struct worker worker;
    struct sessions sessions;
    struct deliveries deliveries;
    struct http_connections http;
    struct return_sessions returns;
    pthread_t thread;
    struct common *common;
    struct listener *listeners;
    uv_timer_t drain_timer, patience;
    uv_prepare_t turn;
    uv_check_t woken;
    bool awake; /* not waiting for events */
    bool stopped;
    struct inbox *notify; /* `ended` is posted there when the thread ends */
    struct inbox_item ended;
};

/* Open listeners and resolver, begin the thread. `notify` and `ended.run` are set.
 * `sockets`: one for each listener, bound. Also when it fails: join it.
 */
MUST_CHECK bool shard_start(struct shard *s, struct common *common, struct settings *settings,
                            const int *sockets, struct err *err);
/* From any thread. Drain: accept nothing new, end what is under way, then the thread ends. */
void shard_drain(struct shard *s);
void shard_check_access(struct shard *s); /* credentials or domains have changed */
void shard_change_settings(struct shard *s, struct settings *settings);
void shard_join(struct shard *s);

#endif
