// SPDX-License-Identifier: BSD-2-Clause
/* watch.c - The guard with a lock around it, and what it learns handed to the store. */
#include "watch.h"

#include "accounts.h"
#include "clock.h"
#include "log.h"
#include "notices.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS = 32 * 1024 };
static const int64_t hour_ms = 3600 * 1000;

struct watch {
    pthread_mutex_t mutex;
    struct guard *guard;
    struct store *store;
    struct notices *notices;
};

static void on_login(void *context, const char *name, const char *network, int64_t at_ms)
{
    struct watch *w = context;
    guard_remember(w->guard, span_of(name), network, at_ms - clock_offset_ms());
}

bool watch_new(struct store *store, struct notices *notices, const char *state_dir,
               struct watch **watch_r, struct err *err)
{
    struct watch *w = xcalloc(1, sizeof(*w));
    struct database *db = NULL;
    int64_t since_ms = clock_now_ms() - GUARD_KNOWN_DAYS * 24 * hour_ms;
    pthread_mutex_init(&w->mutex, NULL);
    w->guard = guard_new(SLOTS);
    w->store = store;
    w->notices = notices;
    *watch_r = w;
    bool ok = database_open(state_dir, DATABASE_READ, &db, err) &&
              database_logins(db, since_ms, on_login, w, err);
    database_close(db);
    return ok;
}

void watch_free(struct watch *w)
{
    if (!w)
        return;
    guard_free(w->guard);
    pthread_mutex_destroy(&w->mutex);
    free(w);
}

/* ---- what the store is told ---- */

struct login {
    char name[GUARD_TEXT], network[GUARD_TEXT];
    int64_t at_ms;
};

static bool write_login(struct database *db, void *context, struct err *err)
{
    const struct login *n = context;
    return database_add_login(db, n->name, n->network, n->at_ms, err);
}

static void on_written(struct store_job *job)
{
    free(job->context);
    store_job_free(job);
}

static void keep(struct watch *w, const struct login *login)
{
    struct store_job *job = store_job_new(on_written, NULL);
    struct login *copy = xcalloc(1, sizeof(*copy));
    *copy = *login;
    job->run = write_login;
    job->context = copy;
    store_put(w->store, job);
}

/* ---- from any thread ---- */

struct guard_judgement watch_judge(struct watch *w, struct span name, const char *address)
{
    pthread_mutex_lock(&w->mutex);
    struct guard_judgement j = guard_judge(w->guard, name, address, clock_steady_ms());
    pthread_mutex_unlock(&w->mutex);
    return j;
}

bool watch_knows(struct watch *w, const char *address)
{
    pthread_mutex_lock(&w->mutex);
    bool knows = guard_knows(w->guard, address, clock_steady_ms());
    pthread_mutex_unlock(&w->mutex);
    return knows;
}

int64_t watch_failed(struct watch *w, struct span name, const char *address)
{
    pthread_mutex_lock(&w->mutex);
    struct guard_outcome o = guard_failed(w->guard, name, address, clock_steady_ms());
    pthread_mutex_unlock(&w->mutex);
    for (size_t i = 0; i < o.count; i++) {
        char text[160];
        if (o.locked[i].for_ms > 0)
            snprintf(text, sizeof(text),
                     "locked for %lld s after too many failed logins, last from %s",
                     (long long)o.locked[i].for_ms / 1000, address);
        else
            snprintf(text, sizeof(text), "slowed down after too many failed logins, last from %s",
                     address);
        log_end(log_text(log_text(log_begin(LOG_WARN, "auth_locked"), "what", o.locked[i].text),
                         "reply", text));
        notices_add(w->notices, ALERT_LOCKED, o.locked[i].text, text);
    }
    return o.delay_ms;
}

void watch_succeeded(struct watch *w, struct span name, const char *address)
{
    struct login n = {.at_ms = clock_now_ms()};
    pthread_mutex_lock(&w->mutex);
    bool is_new = guard_succeeded(w->guard, name, address, clock_steady_ms());
    pthread_mutex_unlock(&w->mutex);
    guard_network(address, GUARD_ADDRESS, n.network);
    if (is_new && span_copy(name, n.name, sizeof(n.name)))
        keep(w, &n);
}

bool watch_unlock(struct watch *w, const char *what)
{
    pthread_mutex_lock(&w->mutex);
    bool was = guard_unlock(w->guard, what);
    pthread_mutex_unlock(&w->mutex);
    return was;
}

void watch_list(struct watch *w, guard_on_row *on_row, void *context)
{
    pthread_mutex_lock(&w->mutex);
    guard_list(w->guard, clock_steady_ms(), on_row, context);
    pthread_mutex_unlock(&w->mutex);
}
