// SPDX-License-Identifier: BSD-2-Clause
/* resolver.h - From a domain to the hosts that take its mail (RFC 5321 section 5.1, RFC 7505)
 *
 * One resolver per shard; answers come on its loop. Every question ends: with an answer, or after
 * 20 seconds. Of the lookups that may be under way each tenant has its share (lookup_turns.h).
 */
#ifndef RESOLVER_H
#define RESOLVER_H

#include "address.h"
#include "config.h"
#include "hosts.h"

#include <uv.h>

enum resolver_result {
    RESOLVER_FOUND,
    RESOLVER_NULL_MX,   /* takes no mail (RFC 7505) */
    RESOLVER_NO_DOMAIN, /* does not exist, or has neither MX nor address */
    RESOLVER_LOOP,      /* its best MX is ourselves; `why` tells where it is by address */
    RESOLVER_BARRED,    /* its hosts have no address, or none to which DNS may lead; `why` tells */
    RESOLVER_FAILED,    /* no answer for this domain just now */
    RESOLVER_DOWN       /* no answer for anything: our own network */
};

struct resolver_answer {
    enum resolver_result result;
    struct hosts hosts; /* whoever is given the answer owns them; FOUND: one has addresses */
    char why[340];      /* "mx.club.example has a private address, RFC 1918: 10.0.0.1", or "" */
};

struct resolver;

MUST_CHECK bool resolver_new(uv_loop_t *loop, const struct config *config,
                             struct resolver **resolver_r, struct err *err);
/* After a reload: which of a domain's hosts is this one. */
void resolver_change_config(struct resolver *r, const struct config *config);
/* Cancels what is under way: nothing is called any more. */
void resolver_free(struct resolver *r);

/* `domain` in normal form. With `direct`, it is the name or address of one host of our own choice:
 * no MX is asked for, and it may have any address. */
struct resolver_query {
    const struct config *config; /* borrowed until the answer */
    const char *domain, *tenant;
    bool urgent; /* class security waits for it */
    unsigned port;
    bool direct;
};

typedef void resolver_on_hosts(void *context, struct resolver_answer *answer);

void resolver_find(struct resolver *r, const struct resolver_query *query, resolver_on_hosts *done,
                   void *context);

#endif
