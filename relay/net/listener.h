// SPDX-License-Identifier: BSD-2-Clause
/* listener.h - A shard's listening sockets; all shards share each address (SO_REUSEPORT). */
#ifndef LISTENER_H
#define LISTENER_H

#include "shard.h"

MUST_CHECK bool listener_open_all(struct shard *s, struct err *err);
void listener_close_all(struct shard *s);

/* Is the address free? Asked once before the shards begin: with SO_REUSEPORT a second relay would
 * share it silently. */
MUST_CHECK bool listener_check(const struct config *config, struct err *err);

#endif
