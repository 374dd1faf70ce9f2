// SPDX-License-Identifier: BSD-2-Clause
/* store_stage.c - A store in a directory of its own, and jobs that are waited for. */
#include "store_stage.h"

#include "clock.h"

#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

char place[64];
size_t due_count;

static void on_due(void *context, const struct database_due *due, size_t count)
{
    (void)context;
    (void)due;
    due_count += count;
}

void on_answer(struct store_job *job)
{
    struct waiter *w = job->owner;
    pthread_mutex_lock(&w->mutex);
    w->left--;
    pthread_cond_signal(&w->done);
    pthread_mutex_unlock(&w->mutex);
}

void wait_for(struct waiter *w)
{
    pthread_mutex_lock(&w->mutex);
    while (w->left > 0)
        pthread_cond_wait(&w->done, &w->mutex);
    pthread_mutex_unlock(&w->mutex);
}

int set_up(void **state)
{
    struct err err = {0};
    char template[] = "/tmp/sealpost-store-XXXXXX";
    (void)state;
    snprintf(place, sizeof(place), "%s/state", mkdtemp(template));
    due_count = 0;
    return store_create(place, &err) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *walk)
{
    (void)about;
    (void)kind;
    (void)walk;
    return remove(path);
}

int tear_down(void **state)
{
    char root[64];
    (void)state;
    snprintf(root, sizeof(root), "%.*s", (int)(strlen(place) - strlen("/state")), place);
    return nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void on_stepped(void *context, int64_t step_ms)
{
    (void)context;
    fail_msg("nobody has set the clock by %lld ms", (long long)step_ms);
}

static void on_changed(void *context, enum database_changed what, const char *name)
{
    (void)context;
    (void)what;
    (void)name;
}

const struct store_events events = {.due = on_due, .stepped = on_stepped, .changed = on_changed};

struct store *start(void)
{
    struct store *store = NULL;
    struct err err = {0};
    if (!store_start(place, &events, &store, &err))
        fail_msg("%s", err.text);
    return store;
}

struct mail *make_mail(struct store *store, size_t recipients)
{
    struct mail *m = mail_new();
    m->id = store_new_id(store);
    m->created_ms = clock_now_ms();
    m->expires_ms = m->created_ms + 1000000;
    m->class = STREAM_NOTIFICATION;
    m->envelope.sender = xstrdup("a@club.test");
    m->envelope.id = xstrdup("");
    for (size_t i = 0; i < recipients; i++)
        envelope_add(&m->envelope, SPAN("b@dest.test"), "dest.test", SPAN_NONE, 0);
    return m;
}

struct store_accept *new_accept(struct waiter *w)
{
    struct store_accept *a = store_accept_new();
    a->job.answer = on_answer;
    a->job.owner = w;
    return a;
}

struct store_settle *new_settle(struct waiter *w)
{
    struct store_settle *s = store_settle_new();
    s->job.answer = on_answer;
    s->job.owner = w;
    return s;
}

struct store_change *new_change(struct waiter *w, store_on_change *run, void *context)
{
    struct store_change *c = store_change_new(run, context);
    c->job.answer = on_answer;
    c->job.owner = w;
    return c;
}

enum store_change_result run_change(struct store *store, store_on_change *run, void *context)
{
    struct waiter w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 1};
    struct store_change *c = new_change(&w, run, context);
    store_put(store, &c->job);
    wait_for(&w);
    enum store_change_result result = c->result;
    store_job_free(&c->job);
    return result;
}

int64_t accept(struct store *store, size_t recipients, const char *bytes)
{
    struct waiter w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 1};
    struct store_accept *a = new_accept(&w);
    a->mail = make_mail(store, recipients);
    buf_add(&a->body, span_of(bytes));
    int64_t id = a->mail->id;
    store_put(store, &a->job);
    wait_for(&w);
    assert_int_equal(a->result, STORE_ACCEPTED);
    store_job_free(&a->job);
    return id;
}

void settle(struct store *store, int64_t id, unsigned number, enum mail_state to)
{
    struct waiter w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 1};
    struct store_settle *s = new_settle(&w);
    struct store_outcome *o = store_settle_add(s);
    *o = (struct store_outcome){.message = id,
                                .number = number,
                                .state = to,
                                .tries = 1,
                                .due_ms = clock_now_ms() + 60000,
                                .answer = verdict_make(250, "2.0.0", "OK"),
                                .kind = "delivered"};
    store_put(store, &s->job);
    wait_for(&w);
    assert_int_equal(s->result, STORE_RECORDED);
    store_job_free(&s->job);
}
