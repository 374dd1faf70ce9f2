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

/* How the last fetch has ended, or command to fetch. */
struct sts_try {
    bool made;            /* since the relay began, or since the command */
    enum mta_sts_why why; /* nothing new was had; MTA_STS_WHY_NOTHING: it was */
    unsigned status;      /* of HTTP, with MTA_STS_WHY_HTTP_STATUS */
};

/* How a domain stands in a running relay. */
struct sts_standing {
    bool known;  /* something is, by now */
    bool busy;   /* it is being found out */
    bool counts; /* there is a policy, of this mode */
    enum mta_sts_mode mode;
    enum tls_result result; /* why there is none although there should be; or NONE */
    char reason[64];
    struct sts_try last;
};

struct sts_calls {
    /* Fetch it now, whatever is kept: `last` says what came of it. Not within
     * MTA_STS_COMMAND_PAUSE_MS after a failure with the same id. */
    void (*refresh)(struct sts *s, const char *domain);
    /* What is kept of it was deleted in the store. */
    void (*forget)(struct sts *s, const char *domain);
    void (*stands)(struct sts *s, const char *domain, struct sts_standing *standing_r);
};

#endif
