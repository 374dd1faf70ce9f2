// SPDX-License-Identifier: BSD-2-Clause
/* verify_meter.c - Which thread is whose is known by its name: a thread begins with the name of the
 * one that has started it. libunbound starts one at the first question, and says nothing of it.
 */
#include "verify_meter.h"

#include "check.h"
#include "span.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

enum { THREAD_NAME = 16 };

struct verify_meter {
    pthread_mutex_t mutex; /* of what follows */
    struct verify_cost costs[VERIFY_METER_ZONES];
    size_t count;
    bool made, taken;         /* by the other mutex */
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
    if (!meters[i].made)
        CHECK(pthread_mutex_init(&meters[i].mutex, NULL) == 0);
    if (i < VERIFY_METERS)
        meters[i].count = 0; /* its thread has ended */
    meters[i].made = meters[i].taken = true;
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

size_t verify_meter_take(struct verify_meter *m, struct verify_cost costs_r[VERIFY_METER_ZONES])
{
    pthread_mutex_lock(&m->mutex);
    size_t count = m->count;
    memcpy(costs_r, m->costs, count * sizeof(*costs_r));
    m->count = 0;
    pthread_mutex_unlock(&m->mutex);
    return count;
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

/* The last row is for all that there is no room for. */
static void add(struct verify_meter *m, const char *zone, uint64_t us)
{
    size_t i = 0;
    while (i < m->count && strcmp(m->costs[i].zone, zone) != 0)
        i++;
    if (i == VERIFY_METER_ZONES) {
        m->costs[--i].zone[0] = '\0';
    } else if (i == m->count) {
        snprintf(m->costs[i].zone, sizeof(m->costs[i].zone), "%s", zone);
        m->costs[i].us = 0;
        m->count++;
    }
    m->costs[i].us += us;
}

void verify_meter_add(const char *zone, uint64_t us)
{
    static _Thread_local struct verify_meter *own;
    static _Thread_local bool known;
    if (!known)
        own = own_meter();
    known = true;
    if (!own)
        return;
    pthread_mutex_lock(&own->mutex);
    add(own, zone, us);
    pthread_mutex_unlock(&own->mutex);
}
