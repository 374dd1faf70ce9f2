// SPDX-License-Identifier: BSD-2-Clause
/* state_lock.h - The lock of a state directory: one process at a time. */
#ifndef STATE_LOCK_H
#define STATE_LOCK_H

#include "err.h"

/* Take the lock; ERR_UNREACHABLE when another process holds it. Closing the descriptor gives it
 * back.
 */
MUST_CHECK bool state_lock_take(const char *state_dir, int *fd_r, struct err *err);

#endif
