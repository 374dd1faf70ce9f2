// SPDX-License-Identifier: BSD-2-Clause
/* control_socket_file.h - The control socket as a file in the state directory. */
#ifndef CONTROL_SOCKET_FILE_H
#define CONTROL_SOCKET_FILE_H

#include "err.h"

/* A socket that does not block, bound for its owner alone; -1: errno says why not. */
int control_socket_file_bind(const char *path);

/* Others reach the socket through the state directory, and nothing else in it. When nobody else may
 * come in any more, that way is closed again. ERR_SYSTEM when a mode could not be changed. */
MUST_CHECK bool control_socket_file_open_to(const char *state_dir, bool others, struct err *err);

#endif
