// SPDX-License-Identifier: BSD-2-Clause
/* sts_calls.h - What commands ask of the service for MTA-STS (sts.h), from any thread; and which
 * domain's policy it is about. */
#ifndef STS_CALLS_H
#define STS_CALLS_H

#include "mta_sts.h"

struct sts;

struct config_route;
/* Whose policy holds for mail to `domain`, in normal form, that leaves by this route: of a smart
 * host its own (RFC 8461 section 3.4). False: nobody's. `name_r` holds ADDRESS_DOMAIN_MAX + 1
 * bytes. */
MUST_CHECK bool sts_domain(const struct config_route *route, const char *domain, char *name_r);

/* How a domain stands in a running relay. */
struct sts_standing {
    bool known;  /* something is, by now */
    bool busy;   /* it is being found out */
    bool counts; /* there is a policy, of this mode */
    enum mta_sts_mode mode;
    enum tls_result result; /* why there is none although there should be; or NONE */
    char reason[64];
};

struct sts_calls {
    /* Fetch it now, whatever is kept. */
    void (*refresh)(struct sts *s, const char *domain);
    /* What is kept of it was deleted in the store. */
    void (*forget)(struct sts *s, const char *domain);
    void (*stands)(struct sts *s, const char *domain, struct sts_standing *standing_r);
};

#endif
