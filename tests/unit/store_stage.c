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

const struct store_events events = {.due = on_due, .stepped = on_stepped};

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

int64_t accept(struct store *store, size_t recipients, const char *bytes)
{
    struct waiter w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 1};
    struct store_job *job = store_job_new(on_answer, &w);
    job->mail = make_mail(store, recipients);
    buf_add(&job->body, span_of(bytes));
    int64_t id = job->mail->id;
    store_put(store, job);
    wait_for(&w);
    assert_true(job->ok);
    store_job_free(job);
    return id;
}

void settle(struct store *store, int64_t id, unsigned number, enum mail_state to)
{
    struct waiter w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 1};
    struct store_job *job = store_job_new(on_answer, &w);
    struct store_outcome *o = store_job_add_outcome(job);
    *o = (struct store_outcome){.message = id,
                                .number = number,
                                .state = to,
                                .tries = 1,
                                .due_ms = clock_now_ms() + 60000,
                                .answer = verdict_make(250, "2.0.0", "OK"),
                                .kind = "delivered"};
    store_put(store, job);
    wait_for(&w);
    assert_true(job->ok);
    store_job_free(job);
}
