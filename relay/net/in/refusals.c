// SPDX-License-Identifier: BSD-2-Clause
/* refusals.c - One lock around what was written in this minute. */
#include "refusals.h"

#include "clock.h"
#include "log.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

/* When all together have had theirs, each user still has a few, and even of these there is an end.
 */
enum {
    MINUTE_MS = 60 * 1000,
    OF_A_USER = 60,
    OF_STRANGERS = 20,
    OF_ALL = 600,
    FEW = 5,
    MOST = 3000
};

struct share {
    char user[ADDRESS_MAX + 1];
    unsigned count;
    UT_hash_handle hh;
};

struct refusals {
    pthread_mutex_t mutex;
    struct store *store;
    int64_t minute;
    unsigned written, counted; /* in this minute */
    struct share *shares;
};

/* An event on its way to the store. */
struct record {
    char kind[16], user[ADDRESS_MAX + 1], about[ADDRESS_MAX + 1], sender[ADDRESS_MAX + 1], peer[64],
        message_id[256], reply[420];
    struct verdict v;
};

struct refusals *refusals_new(struct store *store)
{
    struct refusals *r = xcalloc(1, sizeof(*r));
    pthread_mutex_init(&r->mutex, NULL);
    r->store = store;
    return r;
}

static void forget(struct refusals *r)
{
    struct share *s;
    struct share *next;
    HASH_ITER (hh, r->shares, s, next) {
        HASH_DEL(r->shares, s);
        free(s);
    }
    r->written = r->counted = 0;
}

void refusals_free(struct refusals *r)
{
    if (!r)
        return;
    forget(r);
    pthread_mutex_destroy(&r->mutex);
    free(r);
}

/* ---- to the store ---- */

static bool write_record(struct database *db, void *context, struct err *err)
{
    const struct record *n = context;
    const struct database_event event = {.at_ms = clock_now_ms(),
                                         .kind = n->kind,
                                         .recipient = n->about,
                                         .code = n->v.code,
                                         .enhanced = n->v.enhanced,
                                         .reply = n->reply,
                                         .remote = n->peer,
                                         .credential = n->user,
                                         .message_id = n->message_id,
                                         .sender = n->sender};
    return database_add_event(db, &event, err);
}

static void on_written(struct store_job *job)
{
    free(job->context);
    store_job_free(job);
}

/* What peers send may be anything; the log escapes it by itself, an event is kept as text. */
static void keep(char *to, size_t size, const char *from)
{
    snprintf(to, size, "%.*s", (int)size - 1, from);
    for (char *p = to; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            *p = '?';
    if (!span_is_utf8(span_of(to)))
        for (char *p = to; *p; p++)
            *p = (unsigned char)*p >= 0x80 ? '?' : *p;
}

static void put(struct refusals *r, const struct refusal *x)
{
    struct store_job *job = store_job_new(on_written, NULL);
    struct record *n = xcalloc(1, sizeof(*n));
    n->v = *x->v;
    keep(n->kind, sizeof(n->kind), x->kind);
    keep(n->user, sizeof(n->user), x->user);
    keep(n->about, sizeof(n->about), x->about);
    keep(n->sender, sizeof(n->sender), x->sender);
    keep(n->peer, sizeof(n->peer), x->peer);
    keep(n->message_id, sizeof(n->message_id), x->message_id);
    snprintf(n->reply, sizeof(n->reply), "%s%s%s", x->command, *x->command ? ": " : "", x->v->text);
    job->run = write_record;
    job->context = n;
    store_put(r->store, job);
}

/* Or what stood behind the command, as it came. */
static bool is_recipient(const struct refusal *x)
{
    return *x->user && strcmp(x->command, "MAIL") != 0;
}

static void say(const struct refusal *x)
{
    bool login = strcmp(x->kind, "refused") != 0;
    struct log_line *line = log_begin(login ? LOG_WARN : LOG_INFO, x->kind);
    line = log_text(line, "what", x->command);
    if (login || *x->user)
        line = log_text(line, "user", *x->user ? x->user : x->about);
    line = log_text(line, "peer", x->peer);
    if (*x->sender)
        line = log_text(line, "from", x->sender);
    if (*x->about && !login)
        line = log_text(line, is_recipient(x) ? "rcpt" : "argument", x->about);
    if (*x->message_id)
        line = log_text(line, "message_id", x->message_id);
    log_end(log_text(log_text(log_number(line, "code", x->v->code), "dsn", x->v->enhanced), "reply",
                     x->v->text));
}

/* ---- how many ---- */

/* May one more of this user be written? */
static bool may_write(struct refusals *r, const char *user)
{
    struct share *s = NULL;
    unsigned limit = *user ? OF_A_USER : OF_STRANGERS;
    HASH_FIND_STR(r->shares, user, s);
    if (!s) {
        s = xcalloc(1, sizeof(*s));
        snprintf(s->user, sizeof(s->user), "%s", user);
        HASH_ADD_STR(r->shares, user, s);
    }
    if (s->count >= limit || r->written >= MOST || (r->written >= OF_ALL && s->count >= FEW))
        return false;
    s->count++;
    r->written++;
    return true;
}

/* Begins a new minute; returns how many of the last one were only counted. */
static unsigned turn(struct refusals *r)
{
    int64_t minute = clock_steady_ms() / MINUTE_MS;
    unsigned counted = r->counted;
    if (minute == r->minute)
        return 0;
    r->minute = minute;
    forget(r);
    return counted;
}

static void summarize(struct refusals *r, unsigned counted)
{
    struct verdict v = verdict_make(450, "4.7.0",
                                    "%u more refusals in a minute, which were not written down one "
                                    "by one",
                                    counted);
    if (counted == 0)
        return;
    const struct refusal x = {"refused", "", "", "", "", "", "", &v, 0};
    log_end(log_text(log_number(log_begin(LOG_WARN, "refused_more"), "count", counted), "reply",
                     v.text));
    put(r, &x);
}

void refusals_tick(struct refusals *r)
{
    pthread_mutex_lock(&r->mutex);
    unsigned counted = turn(r);
    pthread_mutex_unlock(&r->mutex);
    summarize(r, counted);
}

void refusals_add(struct refusals *r, const struct refusal *x)
{
    pthread_mutex_lock(&r->mutex);
    unsigned before = turn(r);
    bool may = may_write(r, x->user);
    r->counted += (may ? 0 : 1) + x->more;
    pthread_mutex_unlock(&r->mutex);
    summarize(r, before);
    if (!may)
        return;
    say(x);
    put(r, x);
}
