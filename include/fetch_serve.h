// SPDX-License-Identifier: BSD-2-Clause
/* fetch_serve.h - The fetcher: takes orders from a socket until its other end is gone, each in a
 * process of its own, so that no host sees or stops what is spoken with another. */
#ifndef FETCH_SERVE_H
#define FETCH_SERVE_H

/* `socket`: SOCK_SEQPACKET, with one struct fetch_order in each datagram. Blocks until the other
 * end is closed. What cannot be done is answered. */
void fetch_serve(int socket);

#endif
