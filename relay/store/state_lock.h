// SPDX-License-Identifier: BSD-2-Clause
/* state_lock.h - The lock of a state directory: one process at a time. */
#ifndef STATE_LOCK_H
#define STATE_LOCK_H

#include "store_jobs.h"

/* Take the lock; ERR_UNREACHABLE when another process holds it. Closing the descriptor gives it
 * back.
 */
MUST_CHECK bool state_lock_take(const char *state_dir, int *fd_r, struct err *err);

/* store_run_alone() and store_create() of SQLite's engine. */
MUST_CHECK bool state_lock_run_alone(const char *state_dir, store_on_change *run, void *context,
                                     struct err *err);
MUST_CHECK bool state_lock_create(const char *state_dir, struct err *err);

#endif
