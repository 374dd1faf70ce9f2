// SPDX-License-Identifier: BSD-2-Clause
/* resolver.h - From a domain to the hosts that take its mail (RFC 5321 section 5.1, RFC 7505)
 *
 * One resolver per shard; answers come on its loop. Every question ends: with an answer, or after
 * 20 seconds.
 */
#ifndef RESOLVER_H
#define RESOLVER_H

#include "address.h"
#include "config.h"

#include <uv.h>

enum { RESOLVER_HOSTS_MAX = 10, RESOLVER_ADDRESSES_MAX = 8 };

enum resolver_result {
    RESOLVER_FOUND,
    RESOLVER_NULL_MX,   /* takes no mail (RFC 7505) */
    RESOLVER_NO_DOMAIN, /* does not exist, or has neither MX nor address */
    RESOLVER_LOOP,      /* its best MX is ourselves */
    RESOLVER_FAILED,    /* no answer for this domain just now */
    RESOLVER_DOWN       /* no answer for anything: our own network */
};

struct resolver_host {
    char name[ADDRESS_DOMAIN_MAX + 1];
    unsigned preference;
    struct sockaddr_storage addresses[RESOLVER_ADDRESSES_MAX];
    size_t count;
};

struct resolver_answer {
    enum resolver_result result;
    struct resolver_host
        hosts[RESOLVER_HOSTS_MAX]; /* in the order to be tried; each has addresses */
    size_t count;
};

struct resolver;

MUST_CHECK bool resolver_new(uv_loop_t *loop, const struct config *config,
                             struct resolver **resolver_r, struct err *err);
/* Cancels what is under way: nothing is called any more. */
void resolver_free(struct resolver *r);

typedef void resolver_on_hosts(void *context, const struct resolver_answer *answer);

/* `domain` in normal form. With `direct`, it is the name or address of one host: no MX is asked
 * for. */
void resolver_find(struct resolver *r, const char *domain, unsigned port, bool direct,
                   resolver_on_hosts *done, void *context);

#endif
