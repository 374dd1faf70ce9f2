// SPDX-License-Identifier: BSD-2-Clause
/* attempt_read.c - The message of an attempt: from memory, where it was accepted a moment ago, else
 * by the store's reader, so that the loop serves others meanwhile.
 *
 * While it is being read the connection stays as it is, idle or not yet opened, and the queue keeps
 * its place: to all others it is as if the work had come later. What is read and out of date when
 * its turn comes, as something has been held, ended or suppressed since, is read once more. So
 * nothing goes that would not go if it was read in its turn, but when such changes never cease:
 * then it goes by what the last reading says, less what has been ended since.
 */
#include "attempt.h"
#include "clock.h"
#include "key_loading.h"
#include "works.h"

#include <stdio.h>
#include <utlist.h>

enum { TIMES_MAX = 4 };

static struct attempt *new_attempt(struct deliveries *home, struct dispatch_work *work)
{
    struct attempt *p = xcalloc(1, sizeof(*p));
    p->home = home;
    p->work = work;
    p->begun_ms = uv_now(&home->worker->loop);
    p->settings = settings_hold(home->worker->settings);
    buf_init(&p->dialogue, 32 * 1024);
    DL_APPEND(home->reading, p);
    work->begun = p;
    return p;
}

/* Rows and clock are compared as of now. */
static void note_moment(struct attempt *p)
{
    p->reading.epoch = clock_epoch();
    p->clock_offset_ms = clock_offset_ms();
}

static void on_read(void *context, struct store_question *q)
{
    struct attempt *p = context;
    p->reading.answer = q;
    works_go_on(p->home, p->work);
}

static void ask(struct attempt *p)
{
    const struct queue_attempt *about = p->work->attempt;
    struct worker *w = p->home->worker;
    struct store_question *q = store_fetch(about->message, about->numbers, about->count);
    q->urgent = about->class == STREAM_SECURITY;
    snprintf(q->tenant, sizeof(q->tenant), "%s", about->tenant);
    store_question_free(p->reading.answer);
    p->reading.answer = NULL;
    p->reading.outdated = false;
    p->reading.times++;
    p->home->asked++;
    p->reading.revision = store_revision(w->store);
    note_moment(p);
    worker_ask_reader(w, NULL, q, on_read, p);
}

static bool is_current(const struct attempt *p)
{
    const struct attempt_reading *r = &p->reading;
    return r->times >= TIMES_MAX ||
           (!r->outdated && r->revision == store_revision(p->home->worker->store));
}

static void on_keys_loaded(void *context, uint64_t about)
{
    struct attempt *p = context;
    (void)about;
    works_go_on(p->home, p->work);
}

/* The files of its domain's keys are read in the same way, once for each attempt: what then cannot
 * be signed is found out when it is started. */
static bool has_keys(struct attempt *p)
{
    struct keyring *keyring = p->home->shared->keyring;
    const struct store_question *q = p->reading.answer;
    const struct mail *m = p->mail ? p->mail : q ? q->mail : NULL;
    if (!m || p->reading.keys || keyring_is_ready(keyring, m->from_domain))
        return true;
    p->reading.keys = true;
    key_loading_start(p->home->worker, keyring, m->from_domain, on_keys_loaded, p, 0);
    return false;
}

bool attempt_read(struct deliveries *home, struct dispatch_work *work)
{
    struct attempt *p = work->begun ? work->begun : new_attempt(home, work);
    if (home->worker->draining)
        return true; /* it is given back */
    if ((p->mail || p->reading.times > 0) && is_current(p))
        return has_keys(p);
    mail_free(p->mail); /* out of date while its keys were read */
    p->mail = NULL;
    if (p->reading.times == 0) {
        p->reading.revision = store_revision(home->worker->store);
        note_moment(p);
        p->mail = store_recent(home->worker->store, work->attempt->message);
        if (p->mail)
            return has_keys(p);
    }
    ask(p);
    return false;
}

void attempt_leave_reading(struct attempt *p)
{
    struct deliveries *home = p->home;
    DL_DELETE(home->reading, p);
    DL_APPEND(home->attempts, p);
    while (p->reading.behind) {
        struct inbox_item *item = p->reading.behind;
        LL_DELETE(p->reading.behind, item);
        works_add(home, (struct dispatch_work *)item);
    }
}

void attempt_forget(struct dispatch_work *work)
{
    if (!work->begun) {
        dispatch_work_free(work);
        return;
    }
    attempt_leave_reading(work->begun);
    attempt_drop(work->begun);
}

bool attempt_holds_back(struct deliveries *home, struct dispatch_work *work)
{
    struct attempt *p;
    if (work->kind != QUEUE_CLOSE && work->kind != QUEUE_HURRY)
        return false;
    DL_FOREACH (home->reading, p) {
        if (p->work->connection != work->connection)
            continue;
        struct inbox_item *item = &work->item;
        item->next = NULL;
        LL_APPEND(p->reading.behind, item);
        return true;
    }
    return false;
}

void attempt_read_again(struct deliveries *home)
{
    struct attempt *p;
    DL_FOREACH (home->reading, p)
        p->reading.outdated = true;
}
