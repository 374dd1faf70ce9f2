// SPDX-License-Identifier: BSD-2-Clause
/* verify_meter.c - Which thread is whose is known by its name: a thread begins with the name of the
 * one that has started it. libunbound starts one at the first question, and says nothing of it.
 */
#include "verify_meter.h"

#include "check.h"
#include "span.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

enum { THREAD_NAME = 16 };

struct verify_meter {
    atomic_uint_fast64_t us; /* alone, so in no order with anything */
    bool taken;
    char caller[THREAD_NAME]; /* what the thread was called that has called it after the meter */
};

/* The last is for those that find no other. */
static struct verify_meter meters[VERIFY_METERS + 1];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static const char prefix[] = "dns/";

struct verify_meter *verify_meter_new(void)
{
    size_t i = 0;
    pthread_mutex_lock(&mutex);
    while (i < VERIFY_METERS && meters[i].taken)
        i++;
    meters[i].taken = true;
    if (i < VERIFY_METERS)
        atomic_store_explicit(&meters[i].us, 0, memory_order_relaxed);
    pthread_mutex_unlock(&mutex);
    return &meters[i];
}

void verify_meter_free(struct verify_meter *m)
{
    if (!m)
        return;
    pthread_mutex_lock(&mutex);
    m->taken = false;
    pthread_mutex_unlock(&mutex);
}

/* Without a name it is not metered, and all else goes on: what fails here has no consequence. */
static void name_thread(const char *name)
{
    (void)prctl(PR_SET_NAME, name, 0, 0, 0);
}

void verify_meter_begin(struct verify_meter *m)
{
    char name[THREAD_NAME];
    if (prctl(PR_GET_NAME, m->caller, 0, 0, 0) != 0)
        m->caller[0] = '\0';
    snprintf(name, sizeof(name), "%s%zu", prefix, (size_t)(m - meters));
    name_thread(name);
}

void verify_meter_end(struct verify_meter *m)
{
    name_thread(m->caller);
}

uint64_t verify_meter_us(const struct verify_meter *m)
{
    return atomic_load_explicit(&m->us, memory_order_relaxed);
}

/* NULL: it is none of libunbound's. */
static struct verify_meter *own_meter(void)
{
    char name[THREAD_NAME] = "";
    if (prctl(PR_GET_NAME, name, 0, 0, 0) != 0 || !span_starts_nocase(span_of(name), SPAN(prefix)))
        return NULL;
    unsigned long number = strtoul(name + sizeof(prefix) - 1, NULL, 10);
    return number <= VERIFY_METERS ? &meters[number] : NULL;
}

void verify_meter_add(uint64_t us)
{
    static _Thread_local struct verify_meter *own;
    static _Thread_local bool known;
    if (!known)
        own = own_meter();
    known = true;
    if (own)
        atomic_fetch_add_explicit(&own->us, us, memory_order_relaxed);
}
