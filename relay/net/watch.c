// SPDX-License-Identifier: BSD-2-Clause
/* watch.c - The guard with a lock around it, and what it learns handed to the store. */
#include "watch.h"

#include "accounts.h"
#include "audit.h"
#include "clock.h"
#include "log.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Lock-outs are written down one by one, but an attack from everywhere fills no disk. */
enum { SLOTS = 32 * 1024, NOTES_AN_HOUR = 200 };
static const int64_t hour_ms = 3600 * 1000;

struct watch {
    pthread_mutex_t mutex;
    struct guard *guard;
    struct store *store;
    int64_t hour;
    unsigned notes;
};

static void on_login(void *context, const char *name, const char *network, int64_t at_ms)
{
    struct watch *w = context;
    guard_remember(w->guard, span_of(name), network, at_ms - clock_offset_ms());
}

bool watch_new(struct store *store, const char *state_dir, struct watch **watch_r, struct err *err)
{
    struct watch *w = xcalloc(1, sizeof(*w));
    struct database *db = NULL;
    int64_t since_ms = clock_now_ms() - GUARD_KNOWN_DAYS * 24 * hour_ms;
    pthread_mutex_init(&w->mutex, NULL);
    w->guard = guard_new(SLOTS);
    w->store = store;
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

struct note {
    char name[GUARD_TEXT], network[GUARD_TEXT], text[160];
    int64_t at_ms;
};

static bool write_lock(struct database *db, void *context, struct err *err)
{
    const struct note *n = context;
    return database_note(db, AUDIT_RELAY, "locked", n->name, n->text, err);
}

static bool write_login(struct database *db, void *context, struct err *err)
{
    const struct note *n = context;
    return database_add_login(db, n->name, n->network, n->at_ms, err);
}

static void on_written(struct store_job *job)
{
    free(job->context);
    store_job_free(job);
}

static void tell(struct watch *w, const struct note *note,
                 bool (*run)(struct database *db, void *context, struct err *err))
{
    struct store_job *job = store_job_new(on_written, NULL);
    struct note *copy = xcalloc(1, sizeof(*copy));
    *copy = *note;
    job->run = run;
    job->context = copy;
    store_put(w->store, job);
}

static bool may_note(struct watch *w, int64_t now_ms)
{
    if (now_ms / hour_ms != w->hour)
        w->notes = 0;
    w->hour = now_ms / hour_ms;
    return w->notes++ < NOTES_AN_HOUR;
}

/* ---- from any thread ---- */

int64_t watch_judge(struct watch *w, struct span name, const char *address)
{
    pthread_mutex_lock(&w->mutex);
    int64_t wait_ms = guard_judge(w->guard, name, address, clock_steady_ms());
    pthread_mutex_unlock(&w->mutex);
    return wait_ms;
}

int64_t watch_failed(struct watch *w, struct span name, const char *address)
{
    int64_t now_ms = clock_steady_ms();
    bool may[GUARD_KINDS] = {false};
    pthread_mutex_lock(&w->mutex);
    struct guard_outcome o = guard_failed(w->guard, name, address, now_ms);
    for (size_t i = 0; i < o.count; i++)
        may[i] = may_note(w, now_ms);
    pthread_mutex_unlock(&w->mutex);
    for (size_t i = 0; i < o.count; i++) {
        struct note n = {0};
        snprintf(n.name, sizeof(n.name), "%s", o.locked[i].text);
        snprintf(n.text, sizeof(n.text),
                 "locked for %lld s after too many failed logins, last from %s",
                 (long long)o.locked[i].for_ms / 1000, address);
        log_end(log_text(log_text(log_begin(LOG_WARN, "auth_locked"), "what", n.name), "reply",
                         n.text));
        if (may[i])
            tell(w, &n, write_lock);
    }
    return o.delay_ms;
}

void watch_succeeded(struct watch *w, struct span name, const char *address)
{
    struct note n = {.at_ms = clock_now_ms()};
    pthread_mutex_lock(&w->mutex);
    bool keep = guard_succeeded(w->guard, name, address, clock_steady_ms());
    pthread_mutex_unlock(&w->mutex);
    guard_network(address, GUARD_ADDRESS, n.network);
    if (keep && span_copy(name, n.name, sizeof(n.name)))
        tell(w, &n, write_login);
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
