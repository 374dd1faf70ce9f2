// SPDX-License-Identifier: BSD-2-Clause
/* resolver.h - Looks up the hosts that accept a domain's mail (mx.h).
 *
 * One resolver per shard; answers come on its loop. Every question ends: with an answer, or after
 * 25 seconds. Of the lookups that may be under way each tenant has its share (party_turns.h).
 */
#ifndef RESOLVER_H
#define RESOLVER_H

#include "address.h"
#include "config.h"
#include "mx.h"

#include <uv.h>

struct resolver;

/* On the caller's loop; `config` is borrowed during the call. ERR_DNS: DNS cannot be set up. */
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
    bool urgent;    /* class security waits for it */
    uint64_t merit; /* party_turns.h */
    unsigned port;
    bool direct;
    bool patient; /* mx.h */
};

/* The hosts of the answer are the receiver's; its result is never MX_PENDING. */
typedef void resolver_on_hosts(void *context, struct mx_answer *answer);

/* `done` is called once, on the loop, 25 seconds after its first turn at the latest; never from
 * inside the call, and not after resolver_free(). */
void resolver_find(struct resolver *r, const struct resolver_query *query, resolver_on_hosts *done,
                   void *context);

#endif
