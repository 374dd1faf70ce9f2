// SPDX-License-Identifier: BSD-2-Clause
/* descriptors.h - Shares of the file descriptor limit, so that no use can exhaust those of another:
 * deliveries those of clients, or HTTP connections those of mail. */
#ifndef DESCRIPTORS_H
#define DESCRIPTORS_H

#include "config.h"
#include "err.h"

struct descriptors {
    unsigned all, needed; /* what the system gives us; and what is too little */
    unsigned clients, http_connections, attempts, commands; /* at once */
    unsigned mail_open, http_open;  /* clients with those that are turned away meanwhile */
    unsigned queries, tcp_queries;  /* over UDP and TCP, of one resolver */
    unsigned probes, probe_servers; /* looks at zones at once; servers that each of them asks */
};

/* Divide `all` of them; false: they are too few. */
MUST_CHECK bool descriptors_divide(unsigned all, const struct config *config,
                                   struct descriptors *d);
/* What all of them together can have open at once: never more than there are. */
unsigned descriptors_sum(const struct descriptors *d, const struct config *config);

/* Ask the system for all it gives, and share that out; fails when it is too little to work with.
 * What is less than usual is logged. Before there is a sandbox. */
MUST_CHECK bool descriptors_share(const struct config *config, struct descriptors *d,
                                  struct err *err);
/* Keep a config to its share: this one, and each that is read later. */
void descriptors_limit(const struct descriptors *d, struct config *config);

#endif
