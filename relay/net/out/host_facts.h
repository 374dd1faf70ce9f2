// SPDX-License-Identifier: BSD-2-Clause
/* host_facts.h - What DNS says of what TLS with a domain's hosts must show: their TLSA records, and
 * the domain's policy (MTA-STS). Found with the hosts (next_hop.c), before mail has a connection.
 */
#ifndef HOST_FACTS_H
#define HOST_FACTS_H

#include "dane.h"
#include "hosts.h"
#include "sts.h"

/* Counted; once it is found it never changes. */
struct host_facts {
    atomic_uint holders;
    struct sts_answer policy; /* empty: nobody's, or none is asked for */
    char tenant[64];          /* for whose mail it was asked for, */
    bool urgent;              /* and was that of class security? */
    int64_t found_ms;         /* by the steady clock */
    int64_t anew_ms; /* records and policy were asked for past all caches; same clock; or 0 */
    size_t count;
    struct host_fact {
        char *host;
        struct dane_answer tlsa; /* DANE_PENDING: it was not to be asked for */
    } all[];
};

/* Nothing is known of these yet; one holder. */
struct host_facts *host_facts_new(const struct hosts *hosts);
/* One holder more; returns `facts`. NULL is allowed, here and in what follows. */
struct host_facts *host_facts_hold(struct host_facts *facts);
/* The last one to drop them frees them. */
void host_facts_drop(struct host_facts *facts);
/* What they take in memory, and the policy, though others may hold it, too. */
size_t host_facts_bytes(const struct host_facts *facts);
/* Has something had no answer, which keeps mail from a host until it is asked for again? */
bool host_facts_failed(const struct host_facts *facts);
/* SIZE_MAX: nothing is known of that host. */
size_t host_facts_find(const struct host_facts *facts, const char *host);

#endif
