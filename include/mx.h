// SPDX-License-Identifier: BSD-2-Clause
/* mx.h - The hosts that accept a domain's mail, from the answers of DNS (RFC 5321 section 5.1, RFC
 * 7505).
 *
 * Pure, as dns.h describes: mx_evaluate() asks for the MX, then for A and AAAA of each host, best
 * preference first. While an answer is missing the result is MX_PENDING; the caller fetches what
 * was asked for and evaluates again, with the same query.
 */
#ifndef MX_H
#define MX_H

#include "dns.h"
#include "hosts.h"

enum {
    MX_QUESTIONS_MAX = 2 * HOSTS_MAX + 1, /* what one evaluation may ask */
    MX_RECORDS_MAX = 200, /* of a domain: the first in the answer; others are not read */
    MX_OTHERS_MS = 200,   /* for other addresses, when the best preference has one (RFC 8305 3) */
    MX_BEST_MS = 2000     /* for the best preference, when only a worse one has an address */
};

enum mx_result {
    MX_PENDING,
    MX_FOUND,
    MX_NULL,      /* accepts no mail (RFC 7505) */
    MX_NO_DOMAIN, /* does not exist, or has neither MX nor address */
    MX_LOOP,      /* its best MX is this relay; `why` says where that is known by address */
    MX_BARRED,    /* its hosts have no address, or none to which DNS may lead; see `why` */
    MX_UNTRIED,   /* the same of as many as one lookup asks for; there are more; see `why` */
    MX_FAILED,    /* DNS gave no answer for this domain; `why` says for what, and how it failed */
    /* Never the result of mx_evaluate(): */
    MX_DOWN,  /* nor for the root */
    MX_BOGUS, /* none that can be validated, nor for the root */
    MX_SOURCE /* its hosts have no address of the family that its mail leaves by; see `why` */
};

/* May DNS direct mail to an address? */
enum mx_reach { MX_REACH, MX_REACH_SELF, MX_REACH_NEVER };

struct mx_query {
    const char *domain;   /* in normal form; with `direct` also an IP address */
    const char *hostname; /* the relay's own */
    bool direct;          /* the operator's choice: no MX is asked for, any address is good */
    bool last;            /* what is still missing counts as failed */
    bool patient;         /* all addresses are waited for, not only until one is known */
    uint64_t random;      /* for the order of equal hosts and of addresses */
    /* `why_r`: what the address is, for a sentence; set unless MX_REACH. */
    enum mx_reach (*reach)(void *context, const struct ip *ip, const char **why_r);
    void *context;
};

struct mx_answer {
    enum mx_result result;
    struct hosts hosts; /* in the order to be tried; MX_FOUND: at least one has an address */
    unsigned wait_ms;   /* MX_PENDING: the longest wait that is useful; 0: as long as possible */
    char why[340];      /* "mx.club.example has a private address, RFC 1918: 10.0.0.1", or "" */
};

/* Free answer_r->hosts with hosts_fini(), whatever the result. */
void mx_evaluate(const struct mx_query *query, const struct dns *dns, struct mx_answer *answer_r);

#endif
