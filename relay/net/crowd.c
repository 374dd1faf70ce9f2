// SPDX-License-Identifier: BSD-2-Clause
/* crowd.c - Counters that are there while they are not zero. */
#include "crowd.h"

#include "check.h"
#include "guard.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct count {
    char name[GUARD_TEXT];
    unsigned connections;
    UT_hash_handle hh;
};

struct crowd {
    pthread_mutex_t mutex;
    struct count *counts;
};

struct crowd *crowd_new(void)
{
    struct crowd *c = xcalloc(1, sizeof(*c));
    pthread_mutex_init(&c->mutex, NULL);
    return c;
}

void crowd_free(struct crowd *c)
{
    struct count *n;
    struct count *next;
    if (!c)
        return;
    HASH_ITER (hh, c->counts, n, next) {
        HASH_DEL(c->counts, n);
        free(n);
    }
    pthread_mutex_destroy(&c->mutex);
    free(c);
}

static struct count *find(struct crowd *c, const char *address, enum guard_kind kind, bool make)
{
    char name[GUARD_TEXT] = "";
    struct count *n = NULL;
    guard_network(address, kind, name);
    HASH_FIND_STR(c->counts, name, n);
    if (!n && make) {
        n = xcalloc(1, sizeof(*n));
        memcpy(n->name, name, sizeof(n->name));
        HASH_ADD_STR(c->counts, name, n);
    }
    return n;
}

static void drop_if_empty(struct crowd *c, struct count *n)
{
    if (n->connections > 0 || !c->counts)
        return;
    HASH_DEL(c->counts, n);
    free(n);
}

bool crowd_enter(struct crowd *c, const char *address, unsigned per_address, unsigned per_network)
{
    pthread_mutex_lock(&c->mutex);
    struct count *one = find(c, address, GUARD_ADDRESS, true);
    struct count *network = find(c, address, GUARD_NETWORK, true);
    /* What is no address has one counter for both. */
    bool ok = one->connections < per_address && network->connections < per_network;
    if (ok) {
        one->connections++;
        network->connections += one != network;
    } else if (one != network) {
        drop_if_empty(c, one);
        drop_if_empty(c, network);
    }
    pthread_mutex_unlock(&c->mutex);
    return ok;
}

void crowd_leave(struct crowd *c, const char *address)
{
    pthread_mutex_lock(&c->mutex);
    struct count *one = find(c, address, GUARD_ADDRESS, false);
    struct count *network = find(c, address, GUARD_NETWORK, false);
    if (network && network != one && network->connections-- == 1)
        drop_if_empty(c, network);
    if (one && one->connections-- == 1)
        drop_if_empty(c, one);
    pthread_mutex_unlock(&c->mutex);
}
