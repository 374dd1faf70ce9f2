// SPDX-License-Identifier: BSD-2-Clause
/* listener.h - A shard's listening sockets; all shards share each address (SO_REUSEPORT). */
#ifndef LISTENER_H
#define LISTENER_H

#include "shard.h"

/* Bind all addresses for all shards: `sockets_r` has room for one for each listener of each shard,
 * in that order. Needs the privilege that low ports need; all else does not. */
MUST_CHECK bool listener_bind_all(const struct config *config, int *sockets_r, struct err *err);
/* `sockets`: this shard's, one for each listener. */
MUST_CHECK bool listener_open_all(struct shard *s, const int *sockets, struct err *err);
void listener_close_all(struct shard *s);

/* Is the address free? Asked once before the shards begin: with SO_REUSEPORT a second relay would
 * share it silently. */
MUST_CHECK bool listener_check(const struct config *config, struct err *err);

#endif
