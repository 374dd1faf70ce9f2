// SPDX-License-Identifier: BSD-2-Clause
/* opener.h - A process beside the relay that may still read what only root may: certificates, keys
 * and passwords, as certbot and lego leave them. It is made when the relay, started as root, is
 * about to become somebody else. It has no other right left, has learned at its birth which files
 * it is about, opens these and nothing else, and hands over what it has opened. */
#ifndef OPENER_H
#define OPENER_H

#include "err.h"

#include <stddef.h>

struct opener;

/* Make it; while there is one thread only. It ends with opener_close(), or with the relay.
 * `opener_r` is NULL when nothing is given up that it would have to keep. */
MUST_CHECK bool opener_start(const char *state_dir, const char *const *paths, size_t count,
                             struct opener **opener_r, struct err *err);
void opener_close(struct opener *o);

/* A regular file, to be read; its descriptor, or -1 and errno. NULL, and files that it is not
 * about: with our own rights. Blocks for 2 seconds at most. */
int opener_open(const struct opener *o, const char *path);

#endif
