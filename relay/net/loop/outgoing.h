// SPDX-License-Identifier: BSD-2-Clause
/* outgoing.h - The beginning of a TCP connection to somebody, from one of our addresses or any. */
#ifndef OUTGOING_H
#define OUTGOING_H

#include "ip.h"

#include <uv.h>

/* `tcp` is initialised, without a socket. `from`: of the family of `to`; NULL: any. Returns 0, and
 * `on_connected` is called, or an error of libuv, as UV_EADDRNOTAVAIL where this machine does not
 * have the address (any more). */
MUST_CHECK int outgoing_connect(uv_connect_t *request, uv_tcp_t *tcp, const struct endpoint *to,
                                const struct ip *from, uv_connect_cb on_connected);

#endif
