// SPDX-License-Identifier: BSD-2-Clause
/* companions.h - The processes beside the relay, each with a right that the relay gives up: the
 * opener reads what only root may, the helper runs programs, the fetcher speaks HTTP. */
#ifndef COMPANIONS_H
#define COMPANIONS_H

#include "config.h"
#include "err.h"
#include "fetcher.h"
#include "incidents.h"
#include "opener.h"
#include "tokens.h"

struct companions {
    struct opener *opener;
    int helper;                      /* its socket; -1: not there */
    bool helper_ended, opener_ended; /* which was told */
    struct fetcher *fetcher;
    struct incidents *incidents; /* borrowed; NULL: nobody is told yet */
    uv_timer_t *watch;           /* freed in its close callback; NULL: not yet */
    int landlock;                /* its version here, 0: the kernel has none */
};

/* Start them, and shut this process in; while there is one thread only. `loop`: the main one, which
 * starts the fetcher again when it has ended. */
MUST_CHECK bool companions_start(struct companions *p, uv_loop_t *loop, const struct config *config,
                                 struct err *err);
/* The command of a route's tokens, by the helper: a tokens_run() (tokens.h). `context`: these. */
MUST_CHECK bool companions_run_token(void *context, const struct token_source *source,
                                     int *stream_r, struct err *err);
/* From now on the operator is told when one has ended. `incidents` is borrowed. */
void companions_watch(struct companions *p, uv_loop_t *loop, struct incidents *incidents);
/* What they have of the loop is closed; nobody asks any more. */
void companions_close(struct companions *p);
/* They end; after the loop. Also after a start that failed. */
void companions_stop(struct companions *p);

#endif
