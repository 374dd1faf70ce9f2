// SPDX-License-Identifier: BSD-2-Clause
/* config_sources.h - The addresses that mail leaves from, and whose mail leaves from which.
 *
 * A stream's source counts before its tenant's. Mail of neither leaves from whichever address the
 * kernel takes.
 */
#ifndef CONFIG_SOURCES_H
#define CONFIG_SOURCES_H

#include "alignment.h"
#include "hop.h"
#include "ip.h"

struct config;

struct config_source {
    char name[HOP_SOURCE];
    char ipv4[IP_TEXT], ipv6[IP_TEXT]; /* of this machine; one may be "" */
    char helo[256];                    /* for EHLO; the relay's hostname by default */
    const char *const *public_ips;     /* as receivers see them, behind NAT */
    size_t public_ip_count;
    const char *const *tenants; /* whose mail may leave there; none: everybody's */
    size_t tenant_count;
    /* No settings: the same addresses; a mark of the name, never 0. */
    struct ip ip4, ip6;
    uint32_t mark;
};

/* What is said of one tenant. */
struct config_tenant {
    char name[64], source[HOP_SOURCE];
};

/* NULL: there is none of that name, or the name is "". */
const struct config_source *config_source(const struct config *c, const char *name);
/* For mail of a stream ("": of none); NULL: none. */
const struct config_source *config_source_for(const struct config *c, const char *tenant,
                                              const char *stream);
/* The address to connect from, to that one; NULL: it has none of that family. */
const struct ip *config_source_ip(const struct config_source *source, const struct ip *to);

/* All addresses that receivers may see a tenant's mail come from, borrowed from `c`; as many as
 * there is room for. */
size_t config_tenant_ips(const struct config *c, const char *tenant,
                         const char *ips_r[ALIGNMENT_IPS_MAX]);
/* The same of one source; NULL: of mail that has none. */
size_t config_source_ips(const struct config *c, const struct config_source *source,
                         const char *ips_r[ALIGNMENT_IPS_MAX]);
/* The name in EHLO of a tenant's mail that has no stream with a source of its own. */
const char *config_tenant_helo(const struct config *c, const char *tenant);

/* Do receivers see all mail come from the same addresses and names by both? */
bool config_same_origin(const struct config *a, const struct config *b);

/* Whose mail leaves from where, for the database (queued.h): a JSON list of rules [tenant, stream,
 * source], null for any, of which the first that fits counts; free() it. NULL: all from anywhere.
 */
char *config_source_rules(const struct config *c);

#endif
