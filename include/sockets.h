// SPDX-License-Identifier: BSD-2-Clause
/* sockets.h - What the kernel is asked about a connection. */
#ifndef SOCKETS_H
#define SOCKETS_H

#include "ip.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

enum { SOCKETS_PEER = 64 };

/* For connect(). */
struct sockaddr_storage sockets_address(const struct endpoint *to);
/* The peer's address without the port; "unknown" when it has left. */
void sockets_peer(int fd, char text_r[SOCKETS_PEER]);
/* Bytes that were written and the peer's TCP has not acknowledged. */
size_t sockets_unacknowledged(int fd);
/* Is it an error (libuv's) of our own network, or for want of descriptors? */
bool sockets_error_is_ours(int error);

#endif
