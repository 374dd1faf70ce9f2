// SPDX-License-Identifier: BSD-2-Clause
/* sts_lookup.h - What DNS says for MTA-STS (mta_sts.h): a domain's TXT record, and the addresses of
 * its policy host. On the loop of the resolver, with its turns. */
#ifndef STS_LOOKUP_H
#define STS_LOOKUP_H

#include "resolver.h"

struct sts_lookup;

struct sts_lookup_query {
    const char *domain, *tenant; /* borrowed for the call */
    bool urgent;                 /* class security waits for it */
    uint64_t merit;              /* party_turns.h */
    unsigned after_ms, timeout_ms;
    const struct config *fresh; /* not NULL: what a cache holds will not do; borrowed to the end */
};

/* The answer is borrowed; it is never DNS_PENDING: what is too slow has failed. */
typedef void sts_lookup_on_record(void *context, const struct dns_answer *txt);
/* `done` is called once, never from inside, unless it is cancelled. */
struct sts_lookup *sts_lookup_record(struct resolver *r, const struct sts_lookup_query *query,
                                     sts_lookup_on_record *done, void *context);

/* `ips`: those that were found, to be judged by reachable(); borrowed. `failed`: none were, and DNS
 * gave no answer. */
typedef void sts_lookup_on_addresses(void *context, const struct ip *ips, size_t count,
                                     bool failed);
struct sts_lookup *sts_lookup_addresses(struct resolver *r, const struct sts_lookup_query *query,
                                        sts_lookup_on_addresses *done, void *context);

/* NULL does nothing. Not after resolver_free(), which cancels all. */
void sts_lookup_cancel(struct sts_lookup *l);

#endif
