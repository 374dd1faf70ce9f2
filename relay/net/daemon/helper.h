// SPDX-License-Identifier: BSD-2-Clause
/* helper.h - A process that starts programs for the relay, which may not do so itself. It is
 * created after privileges are dropped and before the sandbox is entered. It runs nsupdate(1),
 * the fetcher, and the operator's commands, for alerts and for tokens of routes. All but the first
 * are fixed when the helper is created, so that it cannot be made to run anything else. */
#ifndef HELPER_H
#define HELPER_H

#include "err.h"

enum helper_program {
    HELPER_NSUPDATE = 'n',
    HELPER_COMMAND = 'c',
    HELPER_FETCHER = 'f',
    HELPER_TOKEN = 't'
};

struct helper_programs {
    const char *command; /* of alerts; "": none */
    const char *fetcher;
    const char *const *tokens; /* commands of routes */
    size_t token_count;
};

/* Make it; while there is one thread only. It ends when `fd_r` is closed. */
MUST_CHECK bool helper_start(const struct helper_programs *programs, int *fd_r, struct err *err);

/* Run a program. `argument`: for nsupdate the file for its option -k, "" none; for the command its
 * one argument; else "". `file`: that of nsupdate, open, where it may not read it by itself; -1
 * none. What is written to `stream_r`, until it is shut down, is its input; what
 * it says comes from there, and at last "\nexit N\n". It is ended after 30 seconds. */
MUST_CHECK bool helper_run(int fd, enum helper_program program, const char *argument, int file,
                           int *stream_r, struct err *err);

/* Run one of the token commands with this argument; what it says, but not its error output, comes
 * from `stream_r`, and at last "\nexit N\n". It is ended after 10 seconds, with all it has begun.
 */
MUST_CHECK bool helper_run_token(int fd, const char *command, const char *user, int *stream_r,
                                 struct err *err);

/* Have a fetcher begin (fetcher.h), which ends when `socket_r` is closed. */
MUST_CHECK bool helper_run_fetcher(int fd, int *socket_r, struct err *err);

#endif
