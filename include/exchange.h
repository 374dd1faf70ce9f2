// SPDX-License-Identifier: BSD-2-Clause
/* exchange.h - Something is said to a process beside the relay, over a stream, and what it answers
 * is gathered until it ends, or its time is over. */
#ifndef EXCHANGE_H
#define EXCHANGE_H

#include "buf.h"

#include <uv.h>

struct exchange;

/* `came`, borrowed: all of it, or (overflow) more than there is room for. `late`: its time was
 * over. The exchange is freed afterwards. */
typedef void exchange_on_done(void *context, struct buf *came, bool late);

struct exchange_terms {
    int stream;          /* taken; -1: there is none, and nothing comes */
    struct buf *said;    /* its memory moves along */
    size_t most;         /* bytes of what comes */
    uint64_t timeout_ms; /* for all of it */
    bool secret;         /* what comes is wiped */
};

/* On the thread of `loop`. `done` is called once, and never from inside. */
struct exchange *exchange_start(uv_loop_t *loop, const struct exchange_terms *terms,
                                exchange_on_done *done, void *context);
/* End it early; `done` is still called. */
void exchange_kill(struct exchange *x);

#endif
