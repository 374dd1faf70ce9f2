// SPDX-License-Identifier: BSD-2-Clause
/* sts_turns.c - Turns at each policy host, and behind them turns of all. What has its turn at its
 * host keeps it until it leaves. */
#include "sts_turns.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

enum { HOST_PART = 2, NETWORK_BYTES = 8 /* of IPv6: what one site has */ };

struct sts_host {
    UT_hash_handle hh;
    struct ip network;
    struct party_turns *turns;
    size_t places;
};

void sts_turns_init(struct sts_turns *t, unsigned most)
{
    *t = (struct sts_turns){.most = most, .all = party_turns_new(most)};
}

void sts_turns_fini(struct sts_turns *t)
{
    CHECK(!t->hosts);
    party_turns_free(t->all);
}

/* ---- hosts ---- */

static struct sts_host *need_host(struct sts_turns *t, const struct ip *ip)
{
    struct sts_host *host = NULL;
    struct ip network = {.v6 = ip->v6};
    memcpy(network.bytes, ip->bytes, ip->v6 ? NETWORK_BYTES : 4);
    HASH_FIND(hh, t->hosts, &network, sizeof(network), host);
    if (host)
        return host;
    host = xcalloc(1, sizeof(*host));
    host->network = network;
    host->turns = party_turns_new(t->most / HOST_PART);
    HASH_ADD(hh, t->hosts, network, sizeof(network), host);
    return host;
}

static void drop_host(struct sts_turns *t, struct sts_host *host)
{
    if (--host->places > 0)
        return;
    HASH_DEL(t->hosts, host);
    party_turns_free(host->turns);
    free(host);
}

/* ---- places ---- */

static struct party_turns *turns_of(const struct sts_turns *t, const struct sts_place *p)
{
    return p->pass ? t->all : p->host->turns;
}

static void wait_in(struct sts_turns *t, struct sts_place *p)
{
    const struct party_ask ask = {.tenant = p->tenant,
                                  .domain = p->domain,
                                  .urgent = p->urgent,
                                  .rank = p->rank,
                                  .merit = p->merit,
                                  .what = p};
    p->turn = party_turns_wait(turns_of(t, p), &ask);
}

/* What has its turn here waits for one of all. */
static void let_through(struct sts_turns *t, struct sts_host *host)
{
    struct sts_place *p;
    while ((p = party_turns_next(host->turns))) {
        p->pass = p->turn;
        wait_in(t, p);
    }
}

void sts_place_wait(struct sts_turns *t, struct sts_place *p, const struct ip *host)
{
    CHECK(!p->host && p->tenant);
    p->host = need_host(t, host);
    p->host->places++;
    p->begun = false;
    wait_in(t, p);
    let_through(t, p->host);
}

bool sts_place_waits(const struct sts_place *p)
{
    return p->host && !p->begun;
}

void sts_place_leave(struct sts_turns *t, struct sts_place *p)
{
    struct sts_host *host = p->host;
    if (!host)
        return;
    party_turns_end(turns_of(t, p), p->turn);
    party_turns_end(host->turns, p->pass);
    p->turn = NULL;
    p->pass = NULL;
    p->host = NULL;
    let_through(t, host);
    drop_host(t, host);
}

void *sts_turns_next(struct sts_turns *t)
{
    struct sts_place *p = party_turns_next(t->all);
    if (!p)
        return NULL;
    p->begun = true;
    return p->what;
}
