// SPDX-License-Identifier: BSD-2-Clause
/* descriptors.h - Who may have how many files and sockets, so that nobody takes another one's: mail
 * on its way out not the clients', HTTP connections of the page not the mail's. */
#ifndef DESCRIPTORS_H
#define DESCRIPTORS_H

#include "config.h"
#include "err.h"

struct descriptors {
    unsigned all;                                          /* what the system gives us */
    unsigned clients, http_connections, attempts, queries; /* at once; queries: of one resolver */
};

/* Ask the system for all it gives, and share that out; fails when it is too little to work with.
 * What is less than usual is logged. Before there is a sandbox. */
MUST_CHECK bool descriptors_share(const struct config *config, struct descriptors *d,
                                  struct err *err);
/* Keep a config to its share: this one, and each that is read later. */
void descriptors_limit(const struct descriptors *d, struct config *config);

#endif
