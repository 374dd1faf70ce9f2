// SPDX-License-Identifier: BSD-2-Clause
/* listener.h - A thread's listening sockets; all threads share each address (SO_REUSEPORT). */
#ifndef LISTENER_H
#define LISTENER_H

#include "acceptor.h"
#include "config.h"

struct listener;

/* Who takes those that come. */
struct listener_clients {
    void (*mail)(void *context, int fd, bool implicit_tls);
    void (*http)(void *context, int fd, bool implicit_tls);
    void (*returns)(void *context, int fd, bool proxied);
    unsigned (*returns_wait_ms)(void *context); /* as acceptor.h */
    void *context;
    struct acceptor_quota *mail_quota, *http_quota, *return_quota; /* they give back */
};

/* Bind all addresses for all shards: `sockets_r` has room for one for each listener of each shard,
 * in that order. Needs the privilege that low ports need; all else does not. */
MUST_CHECK bool listener_bind_all(const struct config *config, int *sockets_r, struct err *err);
/* `sockets`: this loop's, one for each listener. What is open is in `listeners_r`, also when it
 * fails. */
MUST_CHECK bool listener_open_all(uv_loop_t *loop, const struct config *config, const int *sockets,
                                  const struct listener_clients *clients,
                                  struct listener **listeners_r, struct err *err);
void listener_close_all(struct listener **listeners);

/* Is the address free? Asked once before the shards begin: with SO_REUSEPORT a second relay would
 * share it silently. */
MUST_CHECK bool listener_check(const struct config *config, struct err *err);

#endif
