// SPDX-License-Identifier: BSD-2-Clause
/* companions.h - The processes beside the relay, each with a right that the relay gives up: the
 * opener reads what only root may, the helper runs programs, the fetcher speaks HTTP. */
#ifndef COMPANIONS_H
#define COMPANIONS_H

#include "config.h"
#include "err.h"
#include "opener.h"

struct companions {
    struct opener *opener;
    int helper, fetcher; /* their sockets; -1: not there */
    int landlock;        /* its version here, 0: the kernel has none */
};

/* Start them, and shut this process in; while there is one thread only. */
MUST_CHECK bool companions_start(struct companions *p, const struct config *config,
                                 struct err *err);
/* They end. Also after a start that failed. */
void companions_stop(struct companions *p);

#endif
