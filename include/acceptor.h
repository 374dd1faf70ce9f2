// SPDX-License-Identifier: BSD-2-Clause
/* acceptor.h - A listening socket. When there are no descriptors left it pauses, and clients wait
 * in the kernel's queue. libuv would use a reserve descriptor, which it reopens with "/"; the
 * sandbox forbids that, and without it libuv retries in a busy loop. */
#ifndef ACCEPTOR_H
#define ACCEPTOR_H

#include <stdatomic.h>
#include <stdint.h>
#include <uv.h>

/* Takes `fd`, which does not block. */
typedef void acceptor_on_client(void *context, int fd);

/* How many of them may be open at once, over all acceptors that share it. While there are that many
 * the others wait in the kernel's queue. */
struct acceptor_quota {
    atomic_uint open;
    unsigned most; /* 0: as many as there are descriptors */
};

/* The descriptor of one that was taken is closed. */
void acceptor_quota_give_back(struct acceptor_quota *q);

struct acceptor {
    uv_poll_t poll;
    uv_timer_t timer; /* while it waits for descriptors */
    int fd;
    const char *name;
    struct acceptor_quota *quota;       /* given before it listens; NULL: none */
    unsigned (*wait_ms)(void *context); /* the same: for so long nobody is taken; or NULL */
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
