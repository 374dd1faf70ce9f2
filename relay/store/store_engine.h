// SPDX-License-Identifier: BSD-2-Clause
/* store_engine.h - Inside the store: what an engine does, and what it may count on.
 *
 * An engine keeps messages, accounts and events somewhere durable, and runs jobs (jobs.h) on them.
 * What says the statements is rows.h, which an engine has its own of; all that stands above rows.h
 * (accept.c, settle.c, accounts.c …) serves any. What is promised is at the head of store.c.
 */
#ifndef STORE_ENGINE_H
#define STORE_ENGINE_H

#include "receiving.h"
#include "recent.h"
#include "reports.h"
#include "store.h"

#include <pthread.h>
#include <stdatomic.h>

struct leases;
struct reader;

/* What each has, made by store.c before start() and freed by it after stop(). An engine's own
 * struct begins with it. */
struct store {
    char *state_dir;
    struct store_events events;
    atomic_bool giving_up;         /* outcomes that cannot be recorded are not kept any longer */
    pthread_mutex_t reports_mutex; /* guards `reports` */
    struct reports reports;
    /* filled in by start(), kept up by the engine behind each commit */
    unsigned char content_key[CONTENT_KEY];
    struct directory *directory;
    struct leases *leases; /* of its database */
    struct reader *reader; /* started and stopped by the engine, with its database */
    struct recent recent;
    struct receiving receiving;
    _Atomic uint64_t revision;    /* see store_revision() */
    _Atomic uint64_t outbox_news; /* see store_outbox_news() */
};

/* Each is what the function of store.h with the same name says; run_alone() and create() need no
 * store. */
struct store_engine {
    size_t size; /* of its own struct */
    bool (*create)(const char *state_dir, struct err *err);
    bool (*run_alone)(const char *state_dir, store_on_change *run, void *context, struct err *err);
    bool (*start)(struct store *store, struct err *err); /* false: nothing is left behind */
    bool (*stop)(struct store *store);
    void (*put)(struct store *store, struct store_job *job);
    int64_t (*new_id)(struct store *store);
    int64_t (*new_segment)(struct store *store);
    bool (*paused)(struct store *store);
};

extern const struct store_engine store_engine_sqlite;

#endif
