// SPDX-License-Identifier: BSD-2-Clause
/* rejects.c - Counts refused connections by network in the current minute, under one lock. */
#include "rejects.h"

#include "buf.h"
#include "clock.h"
#include "log.h"
#include "login_limit.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

enum { MINUTE_MS = 60 * 1000, NETWORKS_MAX = 1024, SHOWN = 5 };

struct network {
    char name[LOGIN_LIMIT_TEXT];
    unsigned count;
    UT_hash_handle hh;
};

struct rejects {
    pthread_mutex_t mutex;
    const char *event;
    int64_t minute;
    unsigned count;
    struct network *networks;
};

struct rejects *rejects_new(const char *event)
{
    struct rejects *r = xcalloc(1, sizeof(*r));
    pthread_mutex_init(&r->mutex, NULL);
    r->event = event;
    return r;
}

static int by_count(const struct network *a, const struct network *b)
{
    return (a->count < b->count) - (a->count > b->count);
}

/* "192.0.2.0/24 900, 198.51.100.0/24 300, and 4 in others"; then nothing is counted any more. */
static unsigned take(struct rejects *r, struct buf *text)
{
    struct network *n;
    struct network *next;
    unsigned shown = 0;
    unsigned rest = r->count;
    HASH_SORT(r->networks, by_count);
    HASH_ITER (hh, r->networks, n, next) {
        if (shown++ < SHOWN) {
            buf_addf(text, "%s%s %u", shown > 1 ? ", " : "", n->name, n->count);
            rest -= n->count;
        }
        /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): n is in the table */
        HASH_DEL(r->networks, n);
        free(n);
    }
    if (rest > 0)
        buf_addf(text, ", and %u in others", rest);
    unsigned count = r->count;
    r->count = 0;
    return count;
}

static void tell(const struct rejects *r, unsigned count, const struct buf *text)
{
    if (count > 0)
        log_end(log_span(log_number(log_begin(LOG_WARN, r->event), "count", count), "what",
                         buf_span(text)));
}

/* Tell of the last minute, when it is another one now. */
static void turn(struct rejects *r, int64_t minute)
{
    struct buf text;
    buf_init(&text, 1024);
    pthread_mutex_lock(&r->mutex);
    unsigned count = minute != r->minute ? take(r, &text) : 0;
    r->minute = minute;
    pthread_mutex_unlock(&r->mutex);
    tell(r, count, &text);
    buf_fini(&text);
}

void rejects_free(struct rejects *r)
{
    if (!r)
        return;
    turn(r, -1);
    pthread_mutex_destroy(&r->mutex);
    free(r);
}

void rejects_tick(struct rejects *r)
{
    turn(r, clock_steady_ms() / MINUTE_MS);
}

void rejects_add(struct rejects *r, const char *peer)
{
    char name[LOGIN_LIMIT_TEXT] = "";
    struct network *n = NULL;
    login_limit_network(peer, LOGIN_LIMIT_NETWORK, name);
    rejects_tick(r);
    pthread_mutex_lock(&r->mutex);
    r->count++;
    HASH_FIND_STR(r->networks, name, n);
    if (!n && HASH_COUNT(r->networks) < NETWORKS_MAX) {
        n = xcalloc(1, sizeof(*n));
        memcpy(n->name, name, sizeof(n->name));
        HASH_ADD_STR(r->networks, name, n);
    }
    if (n)
        n->count++;
    pthread_mutex_unlock(&r->mutex);
}
