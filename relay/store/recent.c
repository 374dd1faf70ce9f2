// SPDX-License-Identifier: BSD-2-Clause
/* recent.c - Most mail is delivered in the moment it was accepted: then its rows need not be read.
 *
 * What is handed out is what the database would say. So whatever a command, a newer message or a
 * suppression changes empties the list, and what the transaction decided differently from the plain
 * case (paced, refused, repeated, held back) is never put there. Each message is handed out once:
 * later its rows say more. One for many recipients is not put there either, as whoever sends such
 * mail to where nobody answers would fill all places with large ones.
 *
 * What is there already goes first: when mail comes faster than it leaves, whatever makes room for
 * the newest would be asked for next. So it stays for some seconds, in which it is asked for or has
 * to wait anyway.
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

/* Ids that follow one another, and those of one millisecond and the next (message_ids.c), lie far
 * apart. */
static struct mail **set_of(struct recent *r, int64_t id)
{
    uint64_t spread = (uint64_t)id * UINT64_C(0x9e3779b97f4a7c15) >> 32;
    return &r->items[spread % (RECENT_SIZE / RECENT_WAYS) * RECENT_WAYS];
}

static struct mail **find(struct recent *r, int64_t id)
{
    struct mail **set = set_of(r, id);
    for (size_t i = 0; i < RECENT_WAYS; i++)
        if (set[i] && set[i]->id == id)
            return &set[i];
    return NULL;
}

/* NULL: all places it could have are taken, and not for long. */
static struct mail **place_for(struct recent *r, const struct mail *m)
{
    struct mail **set = set_of(r, m->id);
    struct mail **oldest = set;
    for (size_t i = 0; i < RECENT_WAYS; i++) {
        if (!set[i])
            return &set[i];
        if (set[i]->created_ms < (*oldest)->created_ms)
            oldest = &set[i];
    }
    return m->created_ms - (*oldest)->created_ms >= RECENT_MS ? oldest : NULL;
}

static bool is_plain(const struct job *job)
{
    const struct store_accept *a = &job->as.accept;
    if (!job_has_accepted(job) || a->result == STORE_CAPTURED ||
        a->mail->envelope.count > RECENT_RCPTS_MAX)
        return false;
    for (size_t i = 0; a->decisions && i < a->mail->envelope.count; i++)
        if (a->decisions[i].what != THROTTLE_PASS)
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

static void keep(struct recent *r, struct mail *m)
{
    pthread_mutex_lock(&r->mutex);
    struct mail **place = place_for(r, m);
    struct mail *left_out = place ? *place : m;
    if (place)
        *place = m;
    pthread_mutex_unlock(&r->mutex);
    mail_free(left_out);
}

/* An outcome of mail that nobody had to read: its rows say more now. */
static void drop_settled(struct recent *r, const struct store_settle *s)
{
    for (size_t i = 0; i < s->count; i++)
        mail_free(recent_take(r, s->outcomes[i].message));
}

void recent_note(struct recent *r, const struct job *jobs, bool changed)
{
    if (changed) {
        recent_clear(r);
        return;
    }
    for (const struct job *job = jobs; job; job = job->next) {
        if (is_plain(job))
            keep(r, copy(job->as.accept.mail));
        else if (job->kind == JOB_SETTLE)
            drop_settled(r, &job->as.settle);
    }
}

struct mail *recent_take(struct recent *r, int64_t id)
{
    pthread_mutex_lock(&r->mutex);
    struct mail **place = find(r, id);
    struct mail *found = place ? *place : NULL;
    if (found)
        *place = NULL;
    pthread_mutex_unlock(&r->mutex);
    return found;
}
