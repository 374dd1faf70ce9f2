// SPDX-License-Identifier: BSD-2-Clause
/* worker.h - What a thread that serves connections has: a loop, an inbox, the settings, and access
 * to the store.
 *
 * Sessions, deliveries and HTTP connections use a worker and nothing above it. Its owner (the
 * shard) has the lists of them, is told when one has ended, and ends the loop.
 */
#ifndef WORKER_H
#define WORKER_H

#include "database.h"
#include "handshakes.h"
#include "inbox.h"
#include "settings.h"
#include "store_read.h"

struct worker {
    uv_loop_t loop;
    struct inbox inbox;
    struct store *store;
    struct settings *settings;        /* held; the newest: what has begun goes on with its own */
    struct handshakes *handshakes;    /* with servers */
    struct handshakes *strangers;     /* all that is done for those who bring what comes back */
    struct key_loading *key_loadings; /* under way: key_loading.c */
    unsigned under_way;               /* jobs at the store, questions to others, work on the pool */
    unsigned clients;                 /* sessions: any of them may speak next */
    bool draining; /* nothing new is taken in; what is under way comes to its end */
    bool hastens;  /* it has drained for long enough: nothing is begun again */
    void (*ended)(struct worker *w); /* given by the owner */
};

/* Its loop and inbox. `settings` are held; `store` is borrowed. `ended` is called
 * whenever something has ended. */
void worker_init(struct worker *w, struct store *store, struct settings *settings,
                 void (*ended)(struct worker *w));
/* When the loop has ended. What has come to the inbox since then is one block each, and goes. */
void worker_fini(struct worker *w);

/* All else on its own thread. Takes `settings`. */
void worker_change_settings(struct worker *w, struct settings *settings);

/* Something has ended; when all has, and it drains, the loop ends. */
void worker_something_ended(struct worker *w);

/* The loop does not end in between. */
void worker_begin(struct worker *w);
void worker_end(struct worker *w);

/* Give a job to the store and call `done` with it on this loop. */
typedef void worker_on_stored(void *context, struct store_job *job);
void worker_ask_store(struct worker *w, struct store_job *job, worker_on_stored *done,
                      void *context);
/* The same for a job that borrows something of these settings. */
void worker_ask_store_by(struct worker *w, struct settings *settings, struct store_job *job,
                         worker_on_stored *done, void *context);

/* Give a question to the store's reader and call `done` with it, which owns it then, on this loop.
 * `settings`: of which the question borrows something, or NULL. */
typedef void worker_on_read(void *context, struct store_question *q);
void worker_ask_reader(struct worker *w, struct settings *settings, struct store_question *q,
                       worker_on_read *done, void *context);

#endif
