// SPDX-License-Identifier: BSD-2-Clause
/* destination_look.h - Where a domain's mail would go, and what DNS says of TLS there: what a
 * delivery knows before it connects. */
#ifndef DESTINATION_LOOK_H
#define DESTINATION_LOOK_H

#include "config.h"
#include "host_policy.h"
#include "mx.h"

struct destination_look {
    const struct config_route *route;   /* of the settings, which are borrowed */
    enum dane_mode dane_mode;           /* that deliveries have there */
    struct mx_answer mx;                /* never MX_PENDING */
    struct dane_answer dane[HOSTS_MAX]; /* beside the hosts; never DANE_PENDING there */
    /* The caller's word on the domain's policy (sts_look.h): NULL: none counts, and why not. */
    const struct mta_sts_policy *sts;
    enum tls_result no_policy;
};

/* Ask DNS, blocking, for a domain in normal form. False: no question could be asked. Free with
 * destination_look_fini(), also then. */
MUST_CHECK bool destination_look(const struct config *config, const char *domain,
                                 struct destination_look *look_r, struct err *err);
void destination_look_fini(struct destination_look *look);

/* What host_policy_decide() goes by, of a message without any need. */
struct host_situation destination_look_situation(const struct destination_look *look, size_t host);

#endif
