// SPDX-License-Identifier: BSD-2-Clause
/* memory_limit.h - Is there enough left of what the relay may use? Looked at each second; where
 * not, new connections and messages are refused for now (421 and 452 4.3.1), and what is under way
 * goes on. */
#ifndef MEMORY_LIMIT_H
#define MEMORY_LIMIT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct memory_limit {
    uv_timer_t timer;
    atomic_bool *is_short; /* kept up to date */
    uint64_t budget;       /* bytes; may be changed */
};

/* On the main loop. */
void memory_limit_watch(struct memory_limit *m, uv_loop_t *loop, uint64_t budget,
                        atomic_bool *is_short);
void memory_limit_close(struct memory_limit *m);

#endif
