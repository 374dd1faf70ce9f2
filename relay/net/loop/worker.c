// SPDX-License-Identifier: BSD-2-Clause
/* worker.c - Counts operations in progress, and passes the store's answers to the loop. */
#include "worker.h"

#include <stdlib.h>

void worker_init(struct worker *w, struct store *store, struct settings *settings,
                 void (*ended)(struct worker *w))
{
    w->store = store;
    w->settings = settings_hold(settings);
    w->ended = ended;
    CHECK(uv_loop_init(&w->loop) == 0);
    w->handshakes = handshakes_new(&w->loop, &handshakes_with_servers);
    w->strangers = handshakes_new(&w->loop, &handshakes_for_strangers);
    inbox_init(&w->inbox, &w->loop);
}

void worker_fini(struct worker *w)
{
    CHECK(uv_loop_close(&w->loop) == 0);
    handshakes_free(w->handshakes);
    handshakes_free(w->strangers);
    settings_drop(w->settings);
}

void worker_change_settings(struct worker *w, struct settings *settings)
{
    settings_drop(w->settings);
    w->settings = settings;
}

void worker_something_ended(struct worker *w)
{
    w->ended(w);
}

void worker_begin(struct worker *w)
{
    w->under_way++;
}

void worker_end(struct worker *w)
{
    CHECK(w->under_way > 0);
    w->under_way--;
    w->ended(w);
}

/* ---- the way to the store and back ---- */

struct store_call {
    struct inbox_item item;
    struct worker *worker;
    struct store_job *job;
    struct settings *settings; /* held, or NULL */
    worker_on_stored *done;
    void *context;
};

static void on_returned(struct inbox_item *item)
{
    struct store_call e = *(struct store_call *)item;
    free(item);
    e.done(e.context, e.job);
    settings_drop(e.settings);
    worker_end(e.worker);
}

/* On the store's thread. */
static void on_answered(struct store_job *job)
{
    struct store_call *e = job->owner;
    inbox_post(&e->worker->inbox, &e->item);
}

void worker_ask_store(struct worker *w, struct store_job *job, worker_on_stored *done,
                      void *context)
{
    worker_ask_store_by(w, NULL, job, done, context);
}

void worker_ask_store_by(struct worker *w, struct settings *settings, struct store_job *job,
                         worker_on_stored *done, void *context)
{
    struct store_call *e = xcalloc(1, sizeof(*e));
    *e = (struct store_call){.item.run = on_returned,
                             .worker = w,
                             .job = job,
                             .settings = settings ? settings_hold(settings) : NULL,
                             .done = done,
                             .context = context};
    job->owner = e;
    job->answer = on_answered;
    worker_begin(w);
    store_put(w->store, job);
}

/* ---- the way to the reader and back ---- */

struct read_call {
    struct inbox_item item;
    struct worker *worker;
    struct store_question *question;
    struct settings *settings; /* held, or NULL */
    worker_on_read *done;
    void *context;
};

static void on_read_returned(struct inbox_item *item)
{
    struct read_call e = *(struct read_call *)item;
    free(item);
    e.done(e.context, e.question);
    settings_drop(e.settings);
    worker_end(e.worker);
}

/* On the reader's thread. */
static void on_read(struct store_question *q)
{
    struct read_call *e = q->owner;
    inbox_post(&e->worker->inbox, &e->item);
}

void worker_ask_reader(struct worker *w, struct settings *settings, struct store_question *q,
                       worker_on_read *done, void *context)
{
    struct read_call *e = xcalloc(1, sizeof(*e));
    *e = (struct read_call){.item.run = on_read_returned,
                            .worker = w,
                            .question = q,
                            .settings = settings ? settings_hold(settings) : NULL,
                            .done = done,
                            .context = context};
    q->owner = e;
    q->answer = on_read;
    worker_begin(w);
    store_ask(w->store, q);
}
