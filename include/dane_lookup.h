// SPDX-License-Identifier: BSD-2-Clause
/* dane_lookup.h - Looks up what DNSSEC says of one host's certificate (dane.h).
 *
 * On the loop of the resolver, with its turns and its caches. What libunbound has validated itself
 * is secure, never what a forwarder says of its own work (the AD bit).
 */
#ifndef DANE_LOOKUP_H
#define DANE_LOOKUP_H

#include "dane.h"
#include "hosts.h"
#include "resolver.h"

struct dane_lookup;

struct dane_lookup_query {
    const struct host *host;     /* borrowed for the call */
    const char *tenant, *domain; /* for which and of which it is a host; borrowed for the call */
    bool urgent;                 /* class security waits for it */
    uint64_t merit;              /* party_turns.h */
    unsigned port;
    const struct config *fresh; /* not NULL: what a cache holds will not do; borrowed to the end */
};

/* The answer is the receiver's, to be ended by dane_answer_fini(); it is never DANE_PENDING. */
typedef void dane_lookup_on_answer(void *context, struct dane_answer *answer);

/* `done` is called once, on the loop, when it has been asked for 10 seconds at the latest: waiting
 * for its turn does not count, and ends by dane_lookup_cancel(). Never from inside the call, and
 * not after resolver_free() or dane_lookup_cancel(). */
struct dane_lookup *dane_lookup_start(struct resolver *r, const struct dane_lookup_query *query,
                                      dane_lookup_on_answer *done, void *context);
void dane_lookup_cancel(struct dane_lookup *lookup); /* NULL does nothing */

#endif
