// SPDX-License-Identifier: BSD-2-Clause
/* recent.c - Most mail is delivered in the moment it was accepted: then its rows need not be read.
 *
 * What is handed out is what the database would say. So whatever a command, a newer message or a
 * suppression changes empties the list, and what the transaction decided differently from the plain
 * case (paced, refused, repeated, held back) is never put there. Each message is handed out once:
 * later its rows say more.
 */
#include "recent.h"

#include <stdlib.h>

void recent_init(struct recent *r)
{
    *r = (struct recent){0};
    pthread_mutex_init(&r->mutex, NULL);
}

void recent_fini(struct recent *r)
{
    recent_clear(r);
    pthread_mutex_destroy(&r->mutex);
}

void recent_clear(struct recent *r)
{
    pthread_mutex_lock(&r->mutex);
    for (size_t i = 0; i < RECENT_SIZE; i++) {
        mail_free(r->items[i]);
        r->items[i] = NULL;
    }
    pthread_mutex_unlock(&r->mutex);
}

static struct mail **place_of(struct recent *r, int64_t id)
{
    return &r->items[((uint64_t)id ^ (uint64_t)id >> 16) % RECENT_SIZE];
}

static bool is_plain(const struct store_job *job)
{
    if (!job->ok || !job->mail || job->captured)
        return false;
    for (size_t i = 0; job->decisions && i < job->mail->envelope.count; i++)
        if (job->decisions[i].what != THROTTLE_PASS)
            return false;
    return true;
}

/* With its rows, as rows_accept() made them. */
static struct mail *copy(const struct mail *m)
{
    struct mail *c = mail_new();
    *c = *m;
    c->message_id = NULL; /* no column of it */
    c->envelope.sender = xstrdup(m->envelope.sender);
    c->envelope.id = xstrdup(m->envelope.id ? m->envelope.id : "");
    c->envelope.rcpts = NULL;
    c->envelope.count = 0;
    c->rows = xcalloc(m->envelope.count, sizeof(*c->rows));
    for (size_t i = 0; i < m->envelope.count; i++) {
        const struct envelope_rcpt *rcpt = &m->envelope.rcpts[i];
        envelope_add(&c->envelope, span_of(rcpt->address), rcpt->domain, span_of(rcpt->original),
                     rcpt->notify);
        c->rows[i] = (struct mail_row){
            .number = (unsigned)i, .state = MAIL_WAITING, .due_ms = m->created_ms};
    }
    return c;
}

void recent_note(struct recent *r, const struct store_job *jobs, bool changed)
{
    if (changed) {
        recent_clear(r);
        return;
    }
    for (const struct store_job *job = jobs; job; job = job->next) {
        if (!is_plain(job))
            continue;
        struct mail *m = copy(job->mail);
        pthread_mutex_lock(&r->mutex);
        struct mail **place = place_of(r, m->id);
        struct mail *older = *place;
        *place = m;
        pthread_mutex_unlock(&r->mutex);
        mail_free(older);
    }
}

struct mail *recent_take(struct recent *r, int64_t id)
{
    pthread_mutex_lock(&r->mutex);
    struct mail **place = place_of(r, id);
    struct mail *found = *place && (*place)->id == id ? *place : NULL;
    if (found)
        *place = NULL;
    pthread_mutex_unlock(&r->mutex);
    return found;
}
