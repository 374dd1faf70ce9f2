// SPDX-License-Identifier: BSD-2-Clause
/* waiting.h - Whoever has called a command hears that it waits for DNS, and for whom, before two
 * seconds have gone by in silence. */
#ifndef WAITING_H
#define WAITING_H

#include "config.h"

#include <uv.h>

struct waiting {
    uv_timer_t timer;
    const struct config *config;
    unsigned said;
};

void waiting_start(struct waiting *w, uv_loop_t *loop, const struct config *config);
void waiting_stop(struct waiting *w); /* the loop runs once more behind it */

#endif
