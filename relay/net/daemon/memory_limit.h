// SPDX-License-Identifier: BSD-2-Clause
/* memory_limit.h - Checks each second how much memory is in use. While there is too little, new
 * connections and messages are refused for now (421 and 452 4.3.1); those that have begun continue.
 */
#ifndef MEMORY_LIMIT_H
#define MEMORY_LIMIT_H

#include "config.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct memory_limit {
    uv_timer_t timer;
    atomic_bool *is_short; /* kept up to date */
    uint64_t budget;       /* bytes */
};

/* What these settings say, from now on: of all, and of the databases' caches. */
void memory_limit_set(struct memory_limit *m, const struct config *config);
/* On the main loop; when it has been set. */
void memory_limit_watch(struct memory_limit *m, uv_loop_t *loop, atomic_bool *is_short);
void memory_limit_close(struct memory_limit *m);

/* At the start: message-sized blocks come and go all the time; giving each back to the kernel and
 * taking it again page by page costs as much as their TLS. */
void memory_limit_keep_blocks(void);

#endif
