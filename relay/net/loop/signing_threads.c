// SPDX-License-Identifier: BSD-2-Clause
/* signing_threads.c - One list of jobs, as many threads as there are cores beside the first, and a
 * count of who is awake. A job is only taken when a thread waits for it: the list never grows. */
#include "signing_threads.h"

#include "check.h"
#include "sandbox.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

enum { THREADS_MAX = 4, PAUSE_MS = 50, NS_PER_MS = 1000 * 1000 };
enum { CROWDED = 2 };           /* a job has taken so many times what it computed */
enum { WORTH_NS = 400 * 1000 }; /* two switches are up to a tenth of a millisecond */
enum { LENGTHS = 40, WEIGHT = 8 };

struct signing_threads {
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    struct signing_job *first, **last;
    unsigned waiting; /* threads, less the jobs that are on the list */
    bool stopping;
    atomic_uint awake; /* loops, and threads with a job */
    unsigned cores;
    _Atomic uint64_t pause_until_ns;      /* loops sign by themselves */
    _Atomic uint64_t typical_ns[LENGTHS]; /* computed for messages of less than 2^n bytes */
    pthread_t threads[THREADS_MAX];
    unsigned count;
};

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec t;
    CHECK(clock_gettime(clock, &t) == 0);
    return (uint64_t)t.tv_sec * 1000 * NS_PER_MS + (uint64_t)t.tv_nsec;
}

static struct signing_job *next_job(struct signing_threads *t)
{
    pthread_mutex_lock(&t->mutex);
    t->waiting++;
    while (!t->first && !t->stopping)
        pthread_cond_wait(&t->wake, &t->mutex);
    struct signing_job *job = t->first;
    if (job)
        t->first = job->next;
    if (!t->first)
        t->last = &t->first;
    pthread_mutex_unlock(&t->mutex);
    return job;
}

static _Atomic uint64_t *typical_of(struct signing_threads *t, size_t length)
{
    size_t n = 0;
    for (; length > 0 && n + 1 < LENGTHS; length >>= 1)
        n++;
    return &t->typical_ns[n];
}

/* Returns what it has computed. */
static uint64_t sign(struct signing_threads *t, struct signing_job *job)
{
    _Atomic uint64_t *typical = typical_of(t, job->length);
    uint64_t before_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    job->run(job);
    uint64_t computed_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - before_ns;
    uint64_t was_ns = atomic_load(typical);
    atomic_store(typical,
                 was_ns == 0 ? computed_ns : was_ns - was_ns / WEIGHT + computed_ns / WEIGHT);
    return computed_ns;
}

void signing_threads_sign_here(struct signing_threads *t, struct signing_job *job)
{
    (void)sign(t, job);
}

static void *run_thread(void *context)
{
    struct signing_threads *t = context;
    struct signing_job *job = NULL;
    struct err err = {0};
    pthread_setname_np(pthread_self(), "signing");
    CHECK(sandbox_calls(SANDBOX_READER, &err)); /* it reads the message, and tells its loop */
    while ((job = next_job(t)) != NULL) {
        uint64_t computed_ns = sign(t, job);
        uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
        if (now_ns - job->given_ns > CROWDED * computed_ns)
            atomic_store(&t->pause_until_ns, now_ns + (uint64_t)PAUSE_MS * NS_PER_MS);
        job->done(job);
        atomic_fetch_sub(&t->awake, 1);
    }
    return NULL;
}

bool signing_threads_new(unsigned cores, struct signing_threads **threads_r, struct err *err)
{
    struct signing_threads *t = xcalloc(1, sizeof(*t));
    *threads_r = t;
    t->cores = cores;
    t->last = &t->first;
    pthread_mutex_init(&t->mutex, NULL);
    pthread_cond_init(&t->wake, NULL);
    while (t->count + 1 < cores && t->count < THREADS_MAX) {
        if (pthread_create(&t->threads[t->count], NULL, run_thread, t) != 0)
            return err_set(err, ERR_SYSTEM, "starting a thread for signatures failed");
        t->count++;
    }
    return true;
}

void signing_threads_free(struct signing_threads *t)
{
    if (!t)
        return;
    pthread_mutex_lock(&t->mutex);
    t->stopping = true;
    pthread_cond_broadcast(&t->wake);
    pthread_mutex_unlock(&t->mutex);
    for (unsigned i = 0; i < t->count; i++)
        pthread_join(t->threads[i], NULL);
    pthread_cond_destroy(&t->wake);
    pthread_mutex_destroy(&t->mutex);
    free(t);
}

void signing_threads_awake(struct signing_threads *t)
{
    atomic_fetch_add(&t->awake, 1);
}

void signing_threads_asleep(struct signing_threads *t)
{
    atomic_fetch_sub(&t->awake, 1);
}

/* It is awake from here on, so that two loops do not both see the last core that is free. */
static bool take_core(struct signing_threads *t)
{
    unsigned awake = atomic_load(&t->awake);
    while (awake < t->cores)
        if (atomic_compare_exchange_weak(&t->awake, &awake, awake + 1))
            return true;
    return false;
}

static bool put(struct signing_threads *t, struct signing_job *job)
{
    pthread_mutex_lock(&t->mutex);
    bool taken = t->waiting > 0;
    if (taken) {
        t->waiting--;
        job->next = NULL;
        *t->last = job;
        t->last = &job->next;
    }
    pthread_mutex_unlock(&t->mutex);
    if (taken) /* not before: it would wake up only to wait for the mutex */
        pthread_cond_signal(&t->wake);
    return taken;
}

bool signing_threads_take(struct signing_threads *t, struct signing_job *job)
{
    if (t->count == 0 || atomic_load(typical_of(t, job->length)) < WORTH_NS)
        return false;
    job->given_ns = clock_ns(CLOCK_MONOTONIC);
    if (job->given_ns < atomic_load(&t->pause_until_ns) || !take_core(t))
        return false;
    bool taken = put(t, job);
    if (!taken)
        atomic_fetch_sub(&t->awake, 1);
    return taken;
}
