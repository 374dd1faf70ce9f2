// SPDX-License-Identifier: BSD-2-Clause
/* refusals.c - Counts refusals by user in the current minute, under one lock.
 *
 * Failed logins are counted apart from what else is refused, by the name that they claim if there
 * is such a credential, so that neither noise nor guesses at other names hide those at one.
 */
#include "refusals.h"

#include "clock.h"
#include "log.h"
#include "secret.h"

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
    char whose[sizeof("AUTH ") + ADDRESS_MAX];
    unsigned count;
    UT_hash_handle hh;
};

struct refusals {
    pthread_mutex_t mutex;
    struct store *store;
    int64_t minute;
    unsigned written; /* in this minute */
    struct tally {
        unsigned all, logins;
    } counted;
    struct share *shares;
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
    r->written = 0;
    r->counted = (struct tally){0};
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
    char user[ADDRESS_MAX + 1];
    char about[ADDRESS_MAX + 1];
    char sender[ADDRESS_MAX + 1];
    char message_id[256];
    char reply[420];
    keep(user, sizeof(user), x->user);
    keep(about, sizeof(about), x->about);
    keep(sender, sizeof(sender), x->sender);
    keep(message_id, sizeof(message_id), x->message_id);
    snprintf(reply, sizeof(reply), "%s%s%s", x->command, *x->command ? ": " : "", x->v->text);
    store_tell(r->store, &(struct database_event){.kind = x->kind,
                                                  .recipient = about,
                                                  .code = x->v->code,
                                                  .enhanced = x->v->enhanced,
                                                  .reply = reply,
                                                  .remote = x->peer,
                                                  .credential = user,
                                                  .message_id = message_id,
                                                  .sender = sender});
}

static bool is_login(const struct refusal *x)
{
    return strcmp(x->kind, "refused") != 0;
}

/* Or what stood behind the command, as it came. */
static bool is_recipient(const struct refusal *x)
{
    return *x->user && strcmp(x->command, "MAIL") != 0;
}

static void say(const struct refusal *x)
{
    bool login = is_login(x);
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

static bool is_credential(const struct refusals *r, const char *name)
{
    struct database_user user = {0};
    struct credential *c = directory_find(store_directory(r->store), span_of(name), &user);
    credential_drop(c);
    secret_clear(&user, sizeof(user));
    return c != NULL;
}

/* Returns how many of them may be written a minute. No user's name has a space. */
static unsigned find_share(const struct refusals *r, const struct refusal *x, char *whose_r,
                           size_t size)
{
    bool login = is_login(x);
    const char *name = !login ? x->user : is_credential(r, x->about) ? x->about : "";
    snprintf(whose_r, size, "%s%s", login ? "AUTH " : "", name);
    return *name ? OF_A_USER : OF_STRANGERS;
}

/* With the mutex held: may one more of this share be written? */
static bool may_write(struct refusals *r, const char *whose, unsigned limit)
{
    struct share *s = NULL;
    HASH_FIND_STR(r->shares, whose, s);
    if (!s) {
        s = xcalloc(1, sizeof(*s));
        snprintf(s->whose, sizeof(s->whose), "%s", whose);
        HASH_ADD_STR(r->shares, whose, s);
    }
    if (s->count >= limit || r->written >= MOST || (r->written >= OF_ALL && s->count >= FEW))
        return false;
    s->count++;
    r->written++;
    return true;
}

/* Begins a new minute; returns how many of the last one were only counted. */
static struct tally turn(struct refusals *r)
{
    int64_t minute = clock_steady_ms() / MINUTE_MS;
    struct tally counted = r->counted;
    if (minute == r->minute)
        return (struct tally){0};
    r->minute = minute;
    forget(r);
    return counted;
}

static void summarize(struct refusals *r, struct tally counted)
{
    struct verdict v = verdict_make(450, "4.7.0",
                                    "%u more refusals in a minute, %u of them failed logins, were "
                                    "not written down one by one",
                                    counted.all, counted.logins);
    if (counted.all == 0)
        return;
    const struct refusal x = {"refused", "", "", "", "", "", "", &v, 0};
    struct log_line *line = log_number(log_begin(LOG_WARN, "refused_more"), "count", counted.all);
    log_end(log_text(log_number(line, "logins", counted.logins), "reply", v.text));
    put(r, &x);
}

void refusals_tick(struct refusals *r)
{
    pthread_mutex_lock(&r->mutex);
    struct tally counted = turn(r);
    pthread_mutex_unlock(&r->mutex);
    summarize(r, counted);
}

void refusals_add(struct refusals *r, const struct refusal *x)
{
    char whose[sizeof("AUTH ") + ADDRESS_MAX];
    unsigned limit = find_share(r, x, whose, sizeof(whose));
    pthread_mutex_lock(&r->mutex);
    struct tally before = turn(r);
    bool may = may_write(r, whose, limit);
    unsigned more = (may ? 0 : 1) + x->more;
    r->counted.all += more;
    r->counted.logins += is_login(x) ? more : 0;
    pthread_mutex_unlock(&r->mutex);
    summarize(r, before);
    if (!may)
        return;
    say(x);
    put(r, x);
}
