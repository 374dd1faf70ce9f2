// SPDX-License-Identifier: BSD-2-Clause
/* deadline.c - A thread that ends the process when shutdown takes too long. It is needed because a
 * loop may have ended before, and joining the store's thread has no timeout. */
#include "deadline.h"

#include "check.h"
#include "log.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

enum { GIVE_UP_S = 20, END_S = 40 };

static struct store *store;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never;

static void wait_until(struct timespec start, int seconds)
{
    start.tv_sec += seconds;
    while (pthread_cond_timedwait(&never, &mutex, &start) != ETIMEDOUT)
        ;
}

static void *run_thread(void *context)
{
    struct timespec start;
    (void)context;
    clock_gettime(CLOCK_MONOTONIC, &start);
    pthread_mutex_lock(&mutex);
    wait_until(start, GIVE_UP_S);
    if (store)
        store_give_up(store);
    wait_until(start, END_S);
    log_event(LOG_ERROR, "stopped", "what",
              "the disk does not answer: what is not recorded is delivered again after the start");
    log_flush();
    _exit(1);
}

void deadline_start(struct store *of)
{
    pthread_t thread;
    pthread_condattr_t monotonic;
    store = of;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&never, &monotonic);
    pthread_condattr_destroy(&monotonic);
    CHECK(pthread_create(&thread, NULL, run_thread, NULL) == 0);
    pthread_detach(thread);
}

void deadline_forget_store(void)
{
    pthread_mutex_lock(&mutex);
    store = NULL;
    pthread_mutex_unlock(&mutex);
}
