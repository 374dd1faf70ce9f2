// SPDX-License-Identifier: BSD-2-Clause
/* helper.h - A process beside the relay that may start programs, which the relay itself may not: it
 * is made when the relay is nobody special any more and before it is shut in. It knows three:
 * nsupdate(1), the operator's command for alerts, and curl(1) for its webhook. Which command and
 * which address it has learned at its birth, so nobody can make it run another. */
#ifndef HELPER_H
#define HELPER_H

#include "err.h"

enum helper_program { HELPER_NSUPDATE = 'n', HELPER_COMMAND = 'c', HELPER_WEBHOOK = 'w' };

struct helper_programs {
    const char *command, *webhook; /* "" none; borrowed at the helper's birth */
};

/* Make it; while there is one thread only. It ends when `fd_r` is closed. */
MUST_CHECK bool helper_start(const struct helper_programs *programs, int *fd_r, struct err *err);

/* Run a program. `argument`: for nsupdate the file for its option -k, "" none; for the command its
 * one argument; else "". `file`: that of nsupdate, open, where it may not read it by itself; -1
 * none. What is written to `stream_r`, until it is shut down, is its input; what
 * it says comes from there, and at last "\nexit N\n". It is ended after 30 seconds. */
MUST_CHECK bool helper_run(int fd, enum helper_program program, const char *argument, int file,
                           int *stream_r, struct err *err);

#endif
