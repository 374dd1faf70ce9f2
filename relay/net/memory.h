// SPDX-License-Identifier: BSD-2-Clause
/* memory.h - Is there enough left of what the relay may use? Looked at each second; where
 * not, new connections and messages are refused for now (421 and 452 4.3.1), and what is under way
 * goes on. */
#ifndef MEMORY_H
#define MEMORY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct memory {
    uv_timer_t timer;
    atomic_bool *is_short; /* kept up to date */
    uint64_t budget;       /* bytes; may be changed */
};

/* On the main loop. */
void memory_watch(struct memory *m, uv_loop_t *loop, uint64_t budget, atomic_bool *is_short);
void memory_close(struct memory *m);

#endif
