// SPDX-License-Identifier: BSD-2-Clause
/* zone_probe.h - DNS as the authoritative servers answer, independent of what a resolver has
 * cached.
 *
 * For each name its zone is found, and each server of that zone is asked separately. `truth` is the
 * answer of the first server that answers, and the resolver's for all other names.
 */
#ifndef ZONE_PROBE_H
#define ZONE_PROBE_H

#include "config.h"
#include "dns.h"

enum { ZONE_PROBE_NAMES_MAX = 6, ZONE_PROBE_SERVERS_MAX = 24 };

struct zone_probe_server {
    char zone[DNS_NAME_MAX + 1], name[DNS_NAME_MAX + 1], ip[46];
    const struct dns *dns;
};

struct zone_probe {
    const struct dns *resolver;
    struct dns truth;
    struct zone_probe_server servers[ZONE_PROBE_SERVERS_MAX];
    size_t count;
};

/* Is this server one of those that answer for the name? With several zones, the nearest one's. */
bool zone_probe_answers_for(const struct zone_probe *s, const struct zone_probe_server *server,
                            const char *name);

/* Blocking: the servers of the names' zones are found, then `step` is called until it returns true,
 * and what it asked for is fetched in between. Each call begins without memory. */
typedef bool zone_probe_step(void *context, const struct zone_probe *survey);
MUST_CHECK bool zone_probe_run(const struct config *config, const char *const *names, size_t count,
                               zone_probe_step *step, void *context, struct err *err);

#endif
