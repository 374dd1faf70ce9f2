// SPDX-License-Identifier: BSD-2-Clause
/* acceptor.h - A listening socket, and patience with it: while there are no descriptors, those who
 * come wait in the kernel's queue. libuv's own way out is a reserve descriptor that it gets back by
 * opening "/", which nobody may here; without it, it tries for ever and does nothing else. */
#ifndef ACCEPTOR_H
#define ACCEPTOR_H

#include <stdint.h>
#include <uv.h>

/* Takes `fd`, which does not block. */
typedef void acceptor_on_client(void *context, int fd);

struct acceptor {
    uv_poll_t poll;
    uv_timer_t timer; /* while it waits for descriptors */
    int fd;
    const char *name;
    uint64_t said_ms;
    acceptor_on_client *taken;
    void *context;
    void (*closed)(void *context);
    unsigned handles;
};

/* `fd` is bound, does not block, and is taken over, also when this fails: then errno says why.
 * `name` is for the log, and borrowed. */
int acceptor_listen(struct acceptor *a, uv_loop_t *loop, int fd, int backlog, const char *name,
                    acceptor_on_client *taken, void *context);
/* `closed`, which may be NULL, is called when nothing of it is used any more. */
void acceptor_close(struct acceptor *a, void (*closed)(void *context));

#endif
