// SPDX-License-Identifier: BSD-2-Clause
/* endpoint_table.c - Short critical sections; nothing is called under the lock but inbox_post(). */
#include "endpoint_table.h"

#include "clock.h"

#include <pthread.h>
#include <stdlib.h>

enum { REMEMBERED_MAX = 10000 };

struct endpoint_table {
    pthread_mutex_t mutex;
    struct endpoints *endpoints;
};

struct endpoint_table *endpoint_table_new(unsigned connections_max)
{
    struct endpoint_table *t = xcalloc(1, sizeof(*t));
    pthread_mutex_init(&t->mutex, NULL);
    t->endpoints = endpoints_new(connections_max, REMEMBERED_MAX);
    return t;
}

void endpoint_table_free(struct endpoint_table *t)
{
    if (!t)
        return;
    endpoints_free(t->endpoints);
    pthread_mutex_destroy(&t->mutex);
    free(t);
}

enum endpoints_answer endpoint_table_take(struct endpoint_table *t, const struct endpoint *at,
                                          struct endpoint_party *party)
{
    pthread_mutex_lock(&t->mutex);
    enum endpoints_answer answer = endpoints_take(t->endpoints, at, clock_steady_ms());
    if (answer == ENDPOINT_FULL && party) {
        party->waiter.at = *at;
        endpoints_wait(t->endpoints, &party->waiter);
    }
    pthread_mutex_unlock(&t->mutex);
    return answer;
}

bool endpoint_table_leave(struct endpoint_table *t, struct endpoint_party *party)
{
    pthread_mutex_lock(&t->mutex);
    bool left = endpoints_leave(t->endpoints, &party->waiter);
    pthread_mutex_unlock(&t->mutex);
    return left;
}

void endpoint_table_spoke(struct endpoint_table *t, const struct endpoint *at)
{
    pthread_mutex_lock(&t->mutex);
    endpoints_spoke(t->endpoints, at);
    pthread_mutex_unlock(&t->mutex);
}

/* With the lock held. */
static void tell_waiters(struct endpoint_table *t, const struct endpoint *at)
{
    struct endpoints_waiter *w;
    bool granted = false;
    while ((w = endpoints_next(t->endpoints, at, clock_steady_ms(), &granted)) != NULL) {
        struct endpoint_party *party =
            (struct endpoint_party *)(void *)((char *)w - offsetof(struct endpoint_party, waiter));
        party->granted = granted;
        inbox_post(party->inbox, &party->item);
    }
}

void endpoint_table_failed(struct endpoint_table *t, const struct endpoint *at, const char *why)
{
    pthread_mutex_lock(&t->mutex);
    endpoints_failed(t->endpoints, at, why, clock_steady_ms());
    tell_waiters(t, at);
    pthread_mutex_unlock(&t->mutex);
}

void endpoint_table_release(struct endpoint_table *t, const struct endpoint *at, bool spoke)
{
    pthread_mutex_lock(&t->mutex);
    endpoints_release(t->endpoints, at, spoke);
    tell_waiters(t, at);
    pthread_mutex_unlock(&t->mutex);
}

bool endpoint_table_wanted(struct endpoint_table *t, const struct endpoint *at)
{
    pthread_mutex_lock(&t->mutex);
    bool wanted = endpoints_wanted(t->endpoints, at);
    pthread_mutex_unlock(&t->mutex);
    return wanted;
}

void endpoint_table_resume(struct endpoint_table *t)
{
    pthread_mutex_lock(&t->mutex);
    endpoints_resume(t->endpoints);
    pthread_mutex_unlock(&t->mutex);
}

int64_t endpoint_table_rest_ms(struct endpoint_table *t, const struct endpoint *at, char *why_r)
{
    pthread_mutex_lock(&t->mutex);
    int64_t rest_ms = endpoints_rest_ms(t->endpoints, at, clock_steady_ms(), why_r);
    pthread_mutex_unlock(&t->mutex);
    return rest_ms;
}
