// SPDX-License-Identifier: BSD-2-Clause
/* incidents.c - Digests of the incidents of the current hour in a table, under one lock. */
#include "incidents.h"

#include "audit.h"
#include "clock.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { SLOTS = 1024, AN_HOUR = 200, HOUR_MS = 3600 * 1000 };

struct incidents {
    pthread_mutex_t mutex;
    struct store *store;
    int64_t hour;
    uint64_t written[SLOTS]; /* digests of this hour's; a newer one may take a slot */
    unsigned counts[ALERT_KINDS];
};

struct note {
    enum alert_kind kind;
    const char *what; /* what the trail calls it */
    char about[400], text[400];
};

struct incidents *incidents_new(struct store *store)
{
    struct incidents *n = xcalloc(1, sizeof(*n));
    pthread_mutex_init(&n->mutex, NULL);
    n->store = store;
    return n;
}

void incidents_free(struct incidents *n)
{
    if (!n)
        return;
    pthread_mutex_destroy(&n->mutex);
    free(n);
}

/* FNV-1a: only who is authenticated, or the relay itself, gets here, and a clash costs one note. */
static uint64_t add_digest(uint64_t digest, const char *text)
{
    for (; *text; text++)
        digest = (digest ^ (unsigned char)*text) * 0x100000001b3;
    return digest;
}

/* A lock-out or a certificate is worth its own line each time; a flood is not. */
static uint64_t digest_of(const struct note *note)
{
    uint64_t digest = 0xcbf29ce484222325 + (uint64_t)note->kind;
    digest = add_digest(add_digest(digest, note->what), note->about);
    bool each = note->kind == ALERT_LOCKED || note->kind == ALERT_CERTIFICATE;
    return each ? add_digest(digest, note->text) : digest;
}

static bool may_write(struct incidents *n, const struct note *note)
{
    uint64_t digest = digest_of(note);
    int64_t hour = clock_steady_ms() / HOUR_MS;
    if (hour != n->hour) {
        for (size_t i = 0; i < SLOTS; i++)
            n->written[i] = 0;
        for (size_t i = 0; i < ALERT_KINDS; i++)
            n->counts[i] = 0;
    }
    n->hour = hour;
    bool new = n->written[digest % SLOTS] != digest;
    n->written[digest % SLOTS] = digest;
    return new && n->counts[note->kind]++ < AN_HOUR;
}

static bool write_note(struct database *db, void *context, struct err *err)
{
    const struct note *note = context;
    return database_note(db, AUDIT_RELAY, note->what, note->about, note->text, err);
}

static void put(struct incidents *n, const struct note *note)
{
    struct note *copy = xcalloc(1, sizeof(*copy));
    *copy = *note;
    struct store_change *change = store_change_new(write_note, copy);
    change->forget = free;
    change->repeatable = true;
    store_put(n->store, &change->job);
}

static bool add(struct incidents *n, struct note *note, const char *about, const char *text)
{
    snprintf(note->about, sizeof(note->about), "%s", about);
    snprintf(note->text, sizeof(note->text), "%s", text);
    pthread_mutex_lock(&n->mutex);
    bool may = may_write(n, note);
    pthread_mutex_unlock(&n->mutex);
    if (may)
        put(n, note);
    return may;
}

bool incidents_add(struct incidents *n, enum alert_kind kind, const char *about, const char *text)
{
    struct note note = {.kind = kind, .what = alert_name(kind)};
    return add(n, &note, about, text);
}

bool incidents_add_end(struct incidents *n, enum alert_kind kind, const char *about,
                       const char *text)
{
    struct note note = {.kind = kind, .what = alert_end_name(kind)};
    return add(n, &note, about, text);
}

void incidents_add_event(struct incidents *n, const char *kind, const char *about, const char *text)
{
    store_tell(n->store, &(struct database_event){.kind = kind, .recipient = about, .reply = text});
}
