// SPDX-License-Identifier: BSD-2-Clause
/* alone.h - The lock of a state directory: one process at a time. */
#ifndef ALONE_H
#define ALONE_H

#include "err.h"

/* Take the lock; ERR_UNREACHABLE when another process holds it. Closing the descriptor gives it
 * back.
 */
MUST_CHECK bool alone_lock(const char *state_dir, int *fd_r, struct err *err);

#endif
