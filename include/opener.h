// SPDX-License-Identifier: BSD-2-Clause
/* opener.h - A process beside the relay that may still read what only root may: certificates, keys
 * and passwords, as certbot and lego leave them. It is made when the relay, started as root, is
 * about to become somebody else. It has no other right left, has learned at its birth which files
 * it is about, opens these and nothing else, and hands over what it has opened. */
#ifndef OPENER_H
#define OPENER_H

#include "buf.h"
#include "err.h"

#include <stddef.h>

struct opener;

/* What it is about: files, and patterns (glob(3)) of files that may be there one day. Below or
 * beside `places` they lie, and those that links lead to. */
struct opener_files {
    const char *const *paths, *const *patterns, *const *places;
    size_t path_count, pattern_count, place_count;
};

/* Make it; while there is one thread only. It ends with opener_close(), or with the relay.
 * `opener_r` is NULL when nothing is given up that it would have to keep. */
MUST_CHECK bool opener_start(const char *state_dir, const struct opener_files *files,
                             struct opener **opener_r, struct err *err);
void opener_close(struct opener *o);
/* Whose other end is closed when it has ended; -1 of NULL. */
int opener_socket(const struct opener *o);

/* A regular file, to be read; its descriptor, or -1 and errno. NULL, and files that it is not
 * about: with our own rights. Blocks for 2 seconds at most. */
int opener_open(const struct opener *o, const char *path);

/* The files that a pattern names now, in alphabetical order, each ended by a zero; in the same way.
 * 0, or an errno: ENOENT when there is none. */
int opener_match(const struct opener *o, const char *pattern, struct buf *names_r);

/* What such an errno means to people. */
const char *opener_why(int error);
/* And what to do, behind a reason; or "". */
const char *opener_advice(int error);

#endif
