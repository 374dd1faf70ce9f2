// SPDX-License-Identifier: BSD-2-Clause
/* login_limits.c - The login limit under a lock; its results are passed to the store. */
#include "login_limits.h"

#include "accounts.h"
#include "clock.h"
#include "incidents.h"
#include "log.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS = 32 * 1024 };
static const int64_t hour_ms = 3600 * 1000;

struct login_limits {
    pthread_mutex_t mutex;
    struct login_limit *guard;
    struct store *store;
    struct incidents *incidents;
};

static void on_login(void *context, const char *name, const char *network, int64_t at_ms)
{
    struct login_limits *w = context;
    login_limit_remember(w->guard, span_of(name), network, at_ms - clock_offset_ms());
}

bool login_limits_new(struct store *store, struct incidents *incidents, const char *state_dir,
                      struct login_limits **login_limits_r, struct err *err)
{
    struct login_limits *w = xcalloc(1, sizeof(*w));
    struct database *db = NULL;
    int64_t since_ms = clock_now_ms() - LOGIN_LIMIT_KNOWN_DAYS * 24 * hour_ms;
    pthread_mutex_init(&w->mutex, NULL);
    w->guard = login_limit_new(SLOTS);
    w->store = store;
    w->incidents = incidents;
    *login_limits_r = w;
    bool ok = database_open(state_dir, DATABASE_READ, &db, err) &&
              database_logins(db, since_ms, on_login, w, err);
    database_close(db);
    return ok;
}

void login_limits_free(struct login_limits *w)
{
    if (!w)
        return;
    login_limit_free(w->guard);
    pthread_mutex_destroy(&w->mutex);
    free(w);
}

/* ---- what the store is told ---- */

struct login {
    char name[LOGIN_LIMIT_TEXT], network[LOGIN_LIMIT_TEXT];
    int64_t at_ms;
};

static bool write_login(struct database *db, void *context, struct err *err)
{
    const struct login *n = context;
    return database_add_login(db, n->name, n->network, n->at_ms, err);
}

static void keep(struct login_limits *w, const struct login *login)
{
    struct login *copy = xcalloc(1, sizeof(*copy));
    *copy = *login;
    struct store_change *change = store_change_new(write_login, copy);
    change->forget = free;
    change->repeatable = true;
    store_put(w->store, &change->job);
}

/* ---- from any thread ---- */

struct login_limit_judgement login_limits_judge(struct login_limits *w, struct span name,
                                                const char *address)
{
    pthread_mutex_lock(&w->mutex);
    struct login_limit_judgement j = login_limit_judge(w->guard, name, address, clock_steady_ms());
    pthread_mutex_unlock(&w->mutex);
    return j;
}

bool login_limits_knows(struct login_limits *w, const char *address)
{
    pthread_mutex_lock(&w->mutex);
    bool knows = login_limit_knows(w->guard, address, clock_steady_ms());
    pthread_mutex_unlock(&w->mutex);
    return knows;
}

int64_t login_limits_failed(struct login_limits *w, struct span name, const char *address)
{
    pthread_mutex_lock(&w->mutex);
    struct login_limit_outcome o = login_limit_failed(w->guard, name, address, clock_steady_ms());
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
        incidents_add(w->incidents, ALERT_LOCKED, o.locked[i].text, text);
    }
    return o.delay_ms;
}

void login_limits_succeeded(struct login_limits *w, struct span name, const char *address)
{
    struct login n = {.at_ms = clock_now_ms()};
    pthread_mutex_lock(&w->mutex);
    bool is_new = login_limit_succeeded(w->guard, name, address, clock_steady_ms());
    pthread_mutex_unlock(&w->mutex);
    login_limit_network(address, LOGIN_LIMIT_ADDRESS, n.network);
    if (is_new && span_copy(name, n.name, sizeof(n.name)))
        keep(w, &n);
}

bool login_limits_unlock(struct login_limits *w, const char *what)
{
    pthread_mutex_lock(&w->mutex);
    bool was = login_limit_unlock(w->guard, what);
    pthread_mutex_unlock(&w->mutex);
    return was;
}

void login_limits_list(struct login_limits *w, login_limit_on_row *on_row, void *context)
{
    pthread_mutex_lock(&w->mutex);
    login_limit_list(w->guard, clock_steady_ms(), on_row, context);
    pthread_mutex_unlock(&w->mutex);
}
