// SPDX-License-Identifier: BSD-2-Clause
/* zone_prober.h - Runs a zone probe on a loop. */
#ifndef ZONE_PROBER_H
#define ZONE_PROBER_H

#include "zone_probe.h"

#include <uv.h>

struct zone_prober;

/* What it takes for each server that it asks, and once more: sockets for questions, streams, and
 * what else a resolver has open. */
enum {
    ZONE_PROBER_QUERIES = 8,
    ZONE_PROBER_STREAMS = 4,
    ZONE_PROBER_DESCRIPTORS = ZONE_PROBER_QUERIES + ZONE_PROBER_STREAMS + 8
};

/* `config` and the names are borrowed. `changed` is called, from the loop, when there is something
 * new: then zone_prober_look() again. */
MUST_CHECK bool zone_prober_new(uv_loop_t *loop, const struct config *config,
                                const char *const *names, size_t count,
                                void (*changed)(void *context), void *context,
                                struct zone_prober **zone_prober_r, struct err *err);
/* Not from inside `changed`. The loop must run once more. */
void zone_prober_free(struct zone_prober *s);

/* NULL while the servers are being found; borrowed. */
const struct zone_probe *zone_prober_look(struct zone_prober *s);

#endif
