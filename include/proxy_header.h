// SPDX-License-Identifier: BSD-2-Clause
/* proxy_header.h - What a proxy says before all else of whose connection it forwards: HAProxy's
 * PROXY protocol, versions 1 and 2 (proxy-protocol.txt). Pure.
 *
 * Strict: what is not TCP over IPv4 or IPv6 is refused, as nobody could be counted by it; so is
 * what the text lets a receiver take or refuse.
 */
#ifndef PROXY_HEADER_H
#define PROXY_HEADER_H

#include "ip.h"
#include "span.h"

/* The longest that is taken: 16 octets, and as many behind them. */
enum { PROXY_HEADER_MAX = 16 + 4096 };

enum proxy_header {
    PROXY_HEADER_MORE,   /* so far it may be one */
    PROXY_HEADER_CLIENT, /* the connection of `client_r` */
    PROXY_HEADER_LOCAL,  /* the proxy's own, as for a look whether we are there */
    PROXY_HEADER_REFUSED /* it is none */
};

/* The header with which `bytes` begin, and its length where it is whole. */
enum proxy_header proxy_header_read(struct span bytes, struct endpoint *client_r, size_t *length_r);

#endif
