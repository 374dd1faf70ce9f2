// SPDX-License-Identifier: BSD-2-Clause
/* connection_limits.c - Counters that are there while they are not zero. */
#include "connection_limits.h"

#include "check.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct count {
    char name[LOGIN_LIMIT_TEXT];
    unsigned connections, strangers, unknown; /* unknown: strangers at an address that is */
    UT_hash_handle hh;
};

struct connection_limits {
    pthread_mutex_t mutex;
    struct count all;
    struct count *counts;
};

/* The three counters of an address; what is not an address has one for itself and its network. */
struct counters {
    struct count *address, *network, *all;
};

struct connection_limits *connection_limits_new(void)
{
    struct connection_limits *c = xcalloc(1, sizeof(*c));
    pthread_mutex_init(&c->mutex, NULL);
    return c;
}

void connection_limits_free(struct connection_limits *c)
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

static struct count *find(struct connection_limits *c, const char *address,
                          enum login_limit_kind kind)
{
    char name[LOGIN_LIMIT_TEXT] = "";
    struct count *n = NULL;
    login_limit_network(address, kind, name);
    HASH_FIND_STR(c->counts, name, n);
    if (!n) {
        n = xcalloc(1, sizeof(*n));
        memcpy(n->name, name, sizeof(n->name));
        HASH_ADD_STR(c->counts, name, n);
    }
    return n;
}

static struct counters find_all(struct connection_limits *c, const char *address)
{
    struct counters found = {.address = find(c, address, LOGIN_LIMIT_ADDRESS), .all = &c->all};
    struct count *network = find(c, address, LOGIN_LIMIT_NETWORK);
    found.network = network == found.address ? NULL : network;
    return found;
}

static void drop_if_empty(struct connection_limits *c, struct count *n)
{
    if (!n || n->connections > 0 || !c->counts)
        return;
    HASH_DEL(c->counts, n);
    free(n);
}

static void add(struct count *n, bool known, int connections, int strangers)
{
    if (!n)
        return;
    n->connections += (unsigned)connections;
    n->strangers += (unsigned)strangers;
    n->unknown += known ? 0 : (unsigned)strangers;
}

static void add_all(const struct counters *n, bool known, int connections, int strangers)
{
    add(n->address, known, connections, strangers);
    add(n->network, known, connections, strangers);
    add(n->all, known, connections, strangers);
}

/* Room, or a stranger's place that the newcomer may have? */
static bool has_place(const struct count *n, unsigned limit, bool known, bool *full_r)
{
    *full_r = n && n->connections >= limit;
    return !*full_r || (known ? n->strangers : n->unknown) > 0;
}

static bool find_place(const struct counters *n, bool known, const struct connection_bounds *limits,
                       bool *replaces_r, struct connection_place *place_r)
{
    bool by_address = false;
    bool by_network = false;
    bool by_all = false;
    unsigned all = known ? limits->all : limits->all - limits->reserve;
    if (!has_place(n->address, limits->per_address, known, &by_address) ||
        !has_place(n->network, limits->per_network, known, &by_network) ||
        !has_place(n->all, all, known, &by_all))
        return false;
    *replaces_r = by_address || by_network || by_all;
    *place_r =
        (struct connection_place){.kind = by_address ? LOGIN_LIMIT_ADDRESS : LOGIN_LIMIT_NETWORK};
    if (by_address)
        memcpy(place_r->name, n->address->name, sizeof(place_r->name));
    else if (by_network)
        memcpy(place_r->name, n->network->name, sizeof(place_r->name));
    const struct count *from = by_address ? n->address : by_network ? n->network : n->all;
    place_r->unknown = from->unknown > 0;
    return true;
}

bool connection_limits_enter(struct connection_limits *c, const char *address, bool known,
                             const struct connection_bounds *limits, bool *replaces_r,
                             struct connection_place *place_r)
{
    pthread_mutex_lock(&c->mutex);
    struct counters n = find_all(c, address);
    bool ok = find_place(&n, known, limits, replaces_r, place_r);
    if (ok)
        add_all(&n, known, 1, 1);
    drop_if_empty(c, n.network);
    drop_if_empty(c, n.address);
    pthread_mutex_unlock(&c->mutex);
    return ok;
}

static void change(struct connection_limits *c, const char *address, bool known, int connections,
                   int strangers)
{
    pthread_mutex_lock(&c->mutex);
    struct counters n = find_all(c, address);
    add_all(&n, known, connections, strangers);
    drop_if_empty(c, n.network);
    drop_if_empty(c, n.address);
    pthread_mutex_unlock(&c->mutex);
}

void connection_limits_settle(struct connection_limits *c, const char *address, bool known)
{
    change(c, address, known, 0, -1);
}

void connection_limits_leave(struct connection_limits *c, const char *address, bool known,
                             bool stranger)
{
    change(c, address, known, -1, stranger ? -1 : 0);
}

bool connection_limits_is_place(const struct connection_place *place, const char *address,
                                bool known)
{
    char name[LOGIN_LIMIT_TEXT];
    if (place->unknown && known)
        return false;
    if (!place->name[0])
        return true;
    login_limit_network(address, place->kind, name);
    return strcmp(name, place->name) == 0;
}
