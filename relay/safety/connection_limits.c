// SPDX-License-Identifier: BSD-2-Clause
/* connection_limits.c - Counters by address and network, which exist while they are not zero. */
#include "connection_limits.h"

#include "check.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

/* Connections of a tenant, at an address, in a network or in total. */
struct share {
    char tenant[CONNECTION_TENANT];
    unsigned connections, going; /* going: those of them that have to */
    UT_hash_handle hh;
};

struct count {
    char name[LOGIN_LIMIT_TEXT];
    bool is_address;
    unsigned connections, strangers, unknown; /* unknown: strangers at an address that is */
    unsigned leaving, leaving_unknown;        /* strangers that have to go, and have not yet */
    unsigned going;                           /* of those that are no strangers, have to */
    struct share *shares;                     /* of those that are no strangers */
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

static void forget_shares(struct count *n)
{
    struct share *s;
    struct share *next;
    HASH_ITER (hh, n->shares, s, next) {
        HASH_DEL(n->shares, s);
        free(s);
    }
}

void connection_limits_free(struct connection_limits *c)
{
    struct count *n;
    struct count *next;
    if (!c)
        return;
    HASH_ITER (hh, c->counts, n, next) {
        HASH_DEL(c->counts, n);
        forget_shares(n);
        free(n);
    }
    forget_shares(&c->all);
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
        n->is_address = kind == LOGIN_LIMIT_ADDRESS;
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

static unsigned *share_of(struct count *n, const char *tenant)
{
    struct share *s = NULL;
    HASH_FIND_STR(n->shares, tenant, s);
    if (!s) {
        s = xcalloc(1, sizeof(*s));
        snprintf(s->tenant, sizeof(s->tenant), "%s", tenant);
        HASH_ADD_STR(n->shares, tenant, s);
    }
    return &s->connections;
}

static void add_share(struct count *n, const char *tenant, int connections)
{
    struct share *s = NULL;
    if (!n)
        return;
    *share_of(n, tenant) += (unsigned)connections;
    HASH_FIND_STR(n->shares, tenant, s);
    if (s && s->connections == 0) {
        n->going -= s->going;
        HASH_DEL(n->shares, s);
        free(s);
    }
}

/* What is kept for strangers, so that whoever comes can log in. */
static unsigned kept_for_strangers(unsigned limit)
{
    return limit < 2 ? 0 : limit < 20 ? 1 : limit / 10;
}

/* ---- a place for a stranger ---- */

enum place { PLACE_FREE, PLACE_OF_UNKNOWN, PLACE_OF_ANY, PLACE_GONE };

static unsigned less(unsigned number, unsigned by)
{
    return number > by ? number - by : 0;
}

/* Without those that have to go: somebody has their places already. */
static unsigned staying(const struct count *n)
{
    return less(n->connections, n->leaving);
}

static unsigned staying_strangers(const struct count *n, bool unknown)
{
    return unknown ? less(n->unknown, n->leaving_unknown) : less(n->strangers, n->leaving);
}

/* `limit` is that of those who are unknown, if the newcomer is; all together may have `most`. */
static enum place find_one(const struct count *n, unsigned limit, unsigned most, bool known)
{
    if (!n || staying(n) < limit)
        return PLACE_FREE;
    unsigned unknown = staying_strangers(n, true);
    unsigned strangers = staying_strangers(n, false);
    bool poor = known || unknown < (kept_for_strangers(most) + 1) / 2;
    if (poor && staying(n) < most)
        return PLACE_FREE;
    if (unknown > 0 && (known || !poor || unknown >= strangers))
        return PLACE_OF_UNKNOWN;
    return poor && strangers > 0 ? PLACE_OF_ANY : PLACE_GONE;
}

/* The address that would have most strangers, the newcomer included; NULL: each would have one. */
static const struct count *most_crowded(const struct connection_limits *c, const struct count *own,
                                        bool unknown)
{
    const struct count *n;
    unsigned most = 1 + (own ? staying_strangers(own, unknown) : 0);
    const struct count *found = most > 1 ? own : NULL;
    for (n = c->counts; n; n = n->hh.next) {
        unsigned strangers = staying_strangers(n, unknown);
        if (!n->is_address || strangers <= most)
            continue;
        found = n;
        most = strangers;
    }
    return found;
}

static void name_place(struct connection_place *place, const struct count *from)
{
    if (!from)
        return;
    place->kind = from->is_address ? LOGIN_LIMIT_ADDRESS : LOGIN_LIMIT_NETWORK;
    memcpy(place->name, from->name, sizeof(place->name));
}

static bool find_place(const struct connection_limits *c, const struct counters *n, bool known,
                       const struct connection_bounds *limits, bool *replaces_r,
                       struct connection_place *place_r)
{
    unsigned all = known ? limits->all : limits->all - limits->reserve;
    enum place at = find_one(n->address, limits->per_address, limits->per_address, known);
    enum place in = find_one(n->network, limits->per_network, limits->per_network, known);
    enum place of = find_one(n->all, all, limits->all, known);
    if (at == PLACE_GONE || in == PLACE_GONE || of == PLACE_GONE)
        return false;
    const struct count *from = at != PLACE_FREE ? n->address : in != PLACE_FREE ? n->network : NULL;
    enum place taken = at != PLACE_FREE ? at : in != PLACE_FREE ? in : of;
    *replaces_r = taken != PLACE_FREE;
    *place_r = (struct connection_place){
        .kind = LOGIN_LIMIT_NETWORK, .unknown = taken == PLACE_OF_UNKNOWN, .limit = all};
    if (*replaces_r && !from)
        from = most_crowded(c, n->address, place_r->unknown);
    name_place(place_r, from);
    return true;
}

static struct count *find_named(struct connection_limits *c, const char *name)
{
    struct count *n = NULL;
    HASH_FIND_STR(c->counts, name, n);
    return n;
}

/* Those that exist. */
static struct counters find_place_counters(struct connection_limits *c,
                                           const struct connection_place *place)
{
    struct counters n = {.all = &c->all};
    char address[LOGIN_LIMIT_TEXT];
    char network[LOGIN_LIMIT_TEXT];
    snprintf(address, sizeof(address), "%.*s", (int)strcspn(place->name, "/"), place->name);
    login_limit_network(address, LOGIN_LIMIT_NETWORK, network);
    n.address = find_named(c, place->name);
    n.network = find_named(c, network);
    if (place->kind != LOGIN_LIMIT_ADDRESS)
        n.address = NULL;
    if (n.network == n.address)
        n.network = NULL;
    return n;
}

static void add_one_leaving(struct count *n, bool unknown, int more)
{
    if (!n || (more < 0 && n->leaving == 0)) /* it is another one of that name */
        return;
    n->leaving += (unsigned)more;
    if (unknown && (more > 0 || n->leaving_unknown > 0))
        n->leaving_unknown += (unsigned)more;
}

/* A stranger has to go from there. Who leaves a network or all places is not known by its
 * address. */
static void add_leaving(struct connection_limits *c, const struct connection_place *place, int more)
{
    struct counters n = find_place_counters(c, place);
    add_one_leaving(n.address, place->unknown, more);
    add_one_leaving(place->name[0] ? n.network : NULL, place->unknown, more);
    add_one_leaving(n.all, place->unknown, more);
}

bool connection_limits_enter(struct connection_limits *c, const char *address, bool known,
                             const struct connection_bounds *limits, bool *replaces_r,
                             struct connection_place *place_r)
{
    pthread_mutex_lock(&c->mutex);
    struct counters n = find_all(c, address);
    bool ok = find_place(c, &n, known, limits, replaces_r, place_r);
    if (ok)
        add_all(&n, known, 1, 1);
    if (ok && *replaces_r)
        add_leaving(c, place_r, 1);
    drop_if_empty(c, n.network);
    drop_if_empty(c, n.address);
    pthread_mutex_unlock(&c->mutex);
    return ok;
}

/* ---- and for one who has logged in ---- */

/* Of the tenant with most; of those with as many, rather the newcomer's own. */
static void find_richest(const struct count *n, const char *own, struct connection_place *place_r)
{
    const struct share *s;
    for (s = n->shares; s; s = s->hh.next) {
        unsigned held = s->connections > s->going ? s->connections - s->going : 0;
        if (held > place_r->held || (held == place_r->held && strcmp(s->tenant, own) == 0)) {
            memcpy(place_r->tenant, s->tenant, sizeof(place_r->tenant));
            place_r->held = held;
        }
    }
}

static bool is_over(const struct count *n, unsigned limit)
{
    return n && n->connections - n->strangers > limit - kept_for_strangers(limit) + n->going;
}

/* At the address first: who leaves it, leaves the network, too. */
static bool find_who_leaves(const struct counters *n, const char *own,
                            const struct connection_bounds *limits,
                            struct connection_place *place_r)
{
    bool at = is_over(n->address, limits->per_address);
    bool in = is_over(n->network, limits->per_network);
    if (!at && !in && !is_over(n->all, limits->all))
        return false;
    const struct count *from = at ? n->address : in ? n->network : n->all;
    *place_r = (struct connection_place){.kind = at ? LOGIN_LIMIT_ADDRESS : LOGIN_LIMIT_NETWORK,
                                         .limit = at   ? limits->per_address
                                                  : in ? limits->per_network
                                                       : limits->all};
    if (from != n->all)
        memcpy(place_r->name, from->name, sizeof(place_r->name));
    find_richest(from, own, place_r);
    return true;
}

/* NULL: it has none there, or none any more. */
static void add_going(struct count *n, const char *tenant, bool more)
{
    struct share *s = NULL;
    if (n)
        HASH_FIND_STR(n->shares, tenant, s);
    if (s && (more || s->going > 0)) {
        s->going += more ? 1U : -1U;
        n->going += more ? 1U : -1U;
    }
}

/* Who leaves a network or all places is not known by its address. */
static void add_all_going(const struct counters *n, const struct connection_place *place, bool more)
{
    bool at = place->name[0] && place->kind == LOGIN_LIMIT_ADDRESS;
    add_going(at ? n->address : NULL, place->tenant, more);
    add_going(place->name[0] ? n->network : NULL, place->tenant, more);
    add_going(n->all, place->tenant, more);
}

static void add_shares(const struct counters *n, const char *tenant, int connections)
{
    add_share(n->address, tenant, connections);
    add_share(n->network, tenant, connections);
    add_share(n->all, tenant, connections);
}

bool connection_limits_settle(struct connection_limits *c, const char *address, bool known,
                              const char *tenant, const struct connection_bounds *limits,
                              struct connection_place *place_r)
{
    pthread_mutex_lock(&c->mutex);
    struct counters n = find_all(c, address);
    add_all(&n, known, 0, -1);
    add_shares(&n, tenant, 1);
    bool over = find_who_leaves(&n, tenant, limits, place_r);
    if (over)
        add_all_going(&n, place_r, true);
    pthread_mutex_unlock(&c->mutex);
    return over;
}

void connection_limits_made_room(struct connection_limits *c, const struct connection_place *place)
{
    pthread_mutex_lock(&c->mutex);
    struct counters n = find_place_counters(c, place);
    if (place->tenant[0])
        add_all_going(&n, place, false);
    else
        add_leaving(c, place, -1);
    pthread_mutex_unlock(&c->mutex);
}

bool connection_limits_look_again(struct connection_limits *c, struct connection_place *place)
{
    pthread_mutex_lock(&c->mutex);
    add_leaving(c, place, -1);
    bool unknown = staying_strangers(&c->all, true) > 0;
    bool over = staying(&c->all) > place->limit && staying_strangers(&c->all, unknown) > 0;
    if (over) {
        *place = (struct connection_place){
            .kind = LOGIN_LIMIT_NETWORK, .unknown = unknown, .limit = place->limit};
        name_place(place, most_crowded(c, NULL, unknown));
        add_leaving(c, place, 1);
    }
    pthread_mutex_unlock(&c->mutex);
    return over;
}

void connection_limits_leave(struct connection_limits *c, const char *address, bool known,
                             const char *tenant)
{
    pthread_mutex_lock(&c->mutex);
    struct counters n = find_all(c, address);
    add_all(&n, known, -1, tenant ? 0 : -1);
    if (tenant)
        add_shares(&n, tenant, -1);
    drop_if_empty(c, n.network);
    drop_if_empty(c, n.address);
    pthread_mutex_unlock(&c->mutex);
}

void connection_limits_serve(struct connection_limits *c, const char *address, bool known,
                             bool served)
{
    pthread_mutex_lock(&c->mutex);
    struct counters n = find_all(c, address);
    add_all(&n, known, 0, served ? -1 : 1);
    pthread_mutex_unlock(&c->mutex);
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
