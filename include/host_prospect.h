// SPDX-License-Identifier: BSD-2-Clause
/* host_prospect.h - What would become of a message at one host, and of its mail at all hosts of a
 * domain, by what DNS, the domain's policy and the host itself have shown. For people; deliveries
 * go by the same table (host_policy.h).
 *
 * Pure.
 */
#ifndef HOST_PROSPECT_H
#define HOST_PROSPECT_H

#include "host_policy.h"

enum host_contact {
    HOST_UNASKED, /* nobody has connected to it */
    HOST_SILENT,  /* no address has taken a connection and spoken */
    HOST_REFUSES, /* it has spoken, and would take no message */
    HOST_ANSWERS  /* it is ready for a message */
};

/* What it has shown when it was asked by the policy of such a message. */
struct host_found {
    enum host_contact contact;
    struct host_tls tls; /* `certificate` NONE: there is nothing to judge */
    bool requiretls;     /* offered, within TLS */
    bool lacks_starttls; /* it has answered EHLO without, or refuses it */
    bool late;           /* it was too slow for a look: what it would have shown is not known */
};

enum host_outcome {
    HOST_TAKES_IT,
    HOST_MAY_TAKE_IT, /* nothing speaks against it, and nobody has asked the host */
    HOST_IS_LEFT,     /* another one is tried; without one the mail waits */
    HOST_LACKS_IT     /* the same; but if all of them do, the mail is returned */
};

struct host_prospect {
    enum host_outcome outcome;
    struct host_policy policy; /* with its result */
    bool tls, verified;        /* how it would be taken */
    const char *why;           /* why not; "" for who takes it */
};

/* Of what was not asked of the host nothing is supposed. The texts are static. */
void host_prospect_decide(const struct host_situation *s, const struct host_found *found,
                          struct host_prospect *prospect_r);

/* "delivered", "may be delivered", "next host", "next host, or returned". */
const char *host_outcome_name(enum host_outcome outcome);

enum domain_outcome {
    DOMAIN_TAKES_IT,    /* the first host that takes it, or may: `host_r` */
    DOMAIN_MAY_TAKE_IT, /* the same */
    DOMAIN_MAKES_IT_WAIT,
    DOMAIN_RETURNS_IT
};
/* Of hosts in their order, of which there is at least one. */
enum domain_outcome host_prospect_all(const struct host_prospect *prospects, size_t count,
                                      size_t *host_r);
/* "delivered", "may be delivered", "waits", "returned". */
const char *domain_outcome_name(enum domain_outcome outcome);

#endif
