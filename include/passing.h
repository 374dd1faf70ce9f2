// SPDX-License-Identifier: BSD-2-Clause
/* passing.h - Bytes with open files attached, between the processes of a relay (SCM_RIGHTS,
 * unix(7)). */
#ifndef PASSING_H
#define PASSING_H

#include "err.h"

#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

enum { PASSING_MAX = 2 };

/* Send one datagram with `count` files, at most PASSING_MAX, without waiting: EAGAIN when the other
 * end takes no more. The caller closes his own. False and errno. */
MUST_CHECK bool pass_files(int socket, const struct iovec *parts, size_t part_count,
                           const int *files, size_t count);

/* Receive one; its length, 0: the other end is gone, -1 and errno. Always PASSING_MAX descriptors,
 * closed at exec, -1 where there is none; they are the caller's. */
ssize_t take_files(int socket, const struct iovec *parts, size_t part_count,
                   int files_r[PASSING_MAX]);

#endif
