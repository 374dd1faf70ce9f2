// SPDX-License-Identifier: BSD-2-Clause
/* helper.h - A process beside the relay that may start programs, which the relay itself may not: it
 * is made when the relay is nobody special any more and before it is shut in, and knows one
 * program, nsupdate(1). */
#ifndef HELPER_H
#define HELPER_H

#include "err.h"

/* Make it; while there is one thread only. It ends when `fd_r` is closed. */
MUST_CHECK bool helper_start(int *fd_r, struct err *err);

/* Run nsupdate; `key` is the file for its option -k, "" none. What is written to `stream_r`, until
 * it is shut down, are its commands; what it says comes from there, and at last "\nexit N\n". It is
 * ended after 30 seconds. */
MUST_CHECK bool helper_nsupdate(int fd, const char *key, int *stream_r, struct err *err);

#endif
