// SPDX-License-Identifier: BSD-2-Clause
/* reader.c - The reader's thread: take what waits, read it in one transaction, answer.
 *
 * Whoever waits for the database waits here, and no loop does. Questions of class security come
 * first. Of the others tenants take turns, each with its oldest, as one that has many sessions may
 * ask about a hundred recipients in each; what is asked for no tenant is one more party, and mostly
 * the fetching for attempts, whose turns the queue has taken. A few are read in each transaction,
 * so that neither an urgent one nor a checkpoint waits for long.
 *
 * Failure modes:
 * - a question cannot be answered: it comes back with the fault, the others go on
 * - the transaction cannot be begun: the same for all that were to be read in it
 */
#include "reader.h"

#include "clock.h"
#include "db.h"
#include "sandbox.h"
#include "suppressions.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

enum { TOGETHER_MAX = 32 }; /* questions in one transaction */

struct line {
    struct store_question *first, **last;
};

/* What one tenant has asked; there only while that is something. */
struct party {
    struct line line;
    struct party *prev, *next; /* the first has the next turn */
    UT_hash_handle hh;
    char tenant[64];
};

struct reader {
    struct database *db; /* the thread's own */
    pthread_t thread;
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t wake;
    struct line urgent;
    struct party *by_tenant, *turns;
    bool stopping;
};

/* ---- questions ---- */

static struct store_question *new_question(enum store_asked what)
{
    struct store_question *q = xcalloc(1, sizeof(*q));
    q->what = what;
    return q;
}

struct store_question *store_fetch(int64_t message, const unsigned *numbers, size_t count)
{
    struct store_question *q = new_question(STORE_FETCH);
    q->message = message;
    q->number_count = count;
    q->numbers = xcalloc(count + 1, sizeof(*q->numbers));
    if (count > 0)
        memcpy(q->numbers, numbers, count * sizeof(*numbers));
    return q;
}

struct store_question *store_glance(const struct throttle_settings *throttle, const char *tenant,
                                    const char *recipient, const char *domain)
{
    struct store_question *q = new_question(STORE_GLANCE);
    q->throttle = throttle;
    q->recipient = xstrdup(recipient);
    snprintf(q->tenant, sizeof(q->tenant), "%s", tenant);
    snprintf(q->domain, sizeof(q->domain), "%s", domain);
    return q;
}

struct store_question *store_read(bool (*run)(struct database *db, void *context, struct err *err),
                                  void *context)
{
    struct store_question *q = new_question(STORE_READ);
    q->run = run;
    q->context = context;
    return q;
}

void store_question_free(struct store_question *q)
{
    if (!q)
        return;
    mail_free(q->mail);
    free(q->suppressed);
    free(q->numbers);
    free(q->recipient);
    free(q);
}

/* ---- the waiting ---- */

static void add(struct line *line, struct store_question *q)
{
    q->next = NULL;
    *line->last = q;
    line->last = &q->next;
}

static struct store_question *take(struct line *line)
{
    struct store_question *q = line->first;
    if (!q)
        return NULL;
    line->first = q->next;
    if (!line->first)
        line->last = &line->first;
    return q;
}

static void init(struct line *line)
{
    line->first = NULL;
    line->last = &line->first;
}

static struct party *need_party(struct reader *r, const char *tenant)
{
    struct party *p = NULL;
    HASH_FIND_STR(r->by_tenant, tenant, p);
    if (p)
        return p;
    p = xcalloc(1, sizeof(*p));
    init(&p->line);
    snprintf(p->tenant, sizeof(p->tenant), "%s", tenant);
    HASH_ADD_STR(r->by_tenant, tenant, p);
    DL_APPEND(r->turns, p);
    return p;
}

/* The oldest of whoever's turn it is; NULL: nobody's. */
static struct store_question *take_in_turn(struct reader *r)
{
    struct party *p = r->turns;
    if (!p)
        return NULL;
    struct store_question *q = take(&p->line);
    DL_DELETE(r->turns, p);
    if (p->line.first) {
        DL_APPEND(r->turns, p);
    } else {
        HASH_DEL(r->by_tenant, p);
        free(p);
    }
    return q;
}

static bool has_questions(const struct reader *r)
{
    return r->urgent.first || r->turns;
}

void reader_ask(struct reader *r, struct store_question *q)
{
    pthread_mutex_lock(&r->mutex);
    bool first = !has_questions(r);
    add(q->urgent ? &r->urgent : &need_party(r, q->tenant)->line, q);
    if (first)
        pthread_cond_signal(&r->wake);
    pthread_mutex_unlock(&r->mutex);
}

/* Some of those that wait, urgent ones first. */
static size_t take_some(struct reader *r, struct store_question *some_r[TOGETHER_MAX])
{
    size_t count = 0;
    struct store_question *q = NULL;
    pthread_mutex_lock(&r->mutex);
    while (count < TOGETHER_MAX && ((q = take(&r->urgent)) || (q = take_in_turn(r))))
        some_r[count++] = q;
    pthread_mutex_unlock(&r->mutex);
    return count;
}

/* False: there is nothing to do any more. */
static bool wait_for_questions(struct reader *r)
{
    pthread_mutex_lock(&r->mutex);
    while (!has_questions(r) && !r->stopping)
        pthread_cond_wait(&r->wake, &r->mutex);
    bool some = has_questions(r);
    pthread_mutex_unlock(&r->mutex);
    return some;
}

/* ---- the answers ---- */

static bool is_asked_about(const struct store_question *q, const struct mail_row *row)
{
    for (size_t i = 0; i < q->number_count; i++)
        if (q->numbers[i] == row->number)
            return row->state == MAIL_WAITING;
    return false;
}

/* Whoever has been suppressed while the message waited gets it no more. What we make ourselves
 * always goes. */
static bool find_suppressed(struct database *db, struct store_question *q)
{
    const struct mail *m = q->mail;
    q->suppressed = xcalloc(m->envelope.count + 1, sizeof(*q->suppressed));
    for (size_t i = 0; m->protocol[0] && i < m->envelope.count; i++) {
        struct suppress_entry entry;
        if (!is_asked_about(q, &m->rows[i]))
            continue;
        if (database_suppressed(db, m, m->envelope.rcpts[i].address, clock_now_ms(), &entry,
                                &q->err))
            q->suppressed[i] = suppress_verdict(&entry);
        if (q->err.kind != ERR_NONE)
            return false;
    }
    return true;
}

static bool read_answer(struct database *db, struct store_question *q)
{
    switch (q->what) {
    case STORE_FETCH:
        return database_mail(db, q->message, &q->mail, &q->err) && find_suppressed(db, q);
    case STORE_GLANCE:
        return database_glance(db, q->throttle, q->tenant, q->recipient, q->domain, &q->decision,
                               &q->err);
    case STORE_READ:
        return q->run(db, q->context, &q->err);
    }
    UNREACHABLE();
}

/* Taken before the transaction begins, which sees what was committed until then: who has heard of a
 * commit and asks now is never answered from before it. */
static void serve(struct reader *r)
{
    struct err err = {0};
    struct store_question *some[TOGETHER_MAX];
    size_t count = take_some(r, some);
    bool ok = database_begin_reading(r->db, &err);
    for (size_t i = 0; i < count; i++) {
        struct store_question *q = some[i];
        if (!ok)
            q->err = err;
        q->ok = ok && read_answer(r->db, q);
        q->answer(q);
    }
    if (ok)
        database_end_reading(r->db);
}

static void *run_thread(void *context)
{
    struct reader *r = context;
    struct err err = {0};
    CHECK(sandbox_calls(SANDBOX_READER, &err));
    while (wait_for_questions(r))
        serve(r);
    return NULL;
}

/* ---- start and stop ---- */

static void free_reader(struct reader *r)
{
    database_close(r->db);
    pthread_mutex_destroy(&r->mutex);
    pthread_cond_destroy(&r->wake);
    free(r);
}

bool reader_start(const char *state_dir, struct leases *leases, struct reader **reader_r,
                  struct err *err)
{
    struct reader *r = xcalloc(1, sizeof(*r));
    init(&r->urgent);
    pthread_mutex_init(&r->mutex, NULL);
    pthread_cond_init(&r->wake, NULL);
    bool ok = database_open(state_dir, DATABASE_READ, &r->db, err);
    if (ok)
        r->db->leases = leases;
    if (ok && pthread_create(&r->thread, NULL, run_thread, r) != 0)
        ok = err_set(err, ERR_SYSTEM, "starting the store's reader failed");
    if (!ok) {
        free_reader(r);
        return false;
    }
    *reader_r = r;
    return true;
}

void reader_stop(struct reader *r)
{
    if (!r)
        return;
    pthread_mutex_lock(&r->mutex);
    r->stopping = true;
    pthread_cond_signal(&r->wake);
    pthread_mutex_unlock(&r->mutex);
    pthread_join(r->thread, NULL);
    free_reader(r);
}
