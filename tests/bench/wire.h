// SPDX-License-Identifier: BSD-2-Clause
/* wire.h - A blocking connection with lines and TLS, for the load generator and the counting sink.
 *
 * One thread owns one wire. A read that takes longer than the timeout fails like a lost connection.
 */
#ifndef WIRE_H
#define WIRE_H

#include "span.h"

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdint.h>

enum { WIRE_BUFFER = 64 * 1024 };

struct wire {
    int fd; /* -1: closed */
    SSL *ssl;
    SSL_SESSION *session; /* what a client's next handshake resumes; NULL: nothing */
    size_t at, len;       /* what is read and not yet taken */
    char in[WIRE_BUFFER];
};

/* "127.0.0.1:25" */
bool wire_address(const char *text, struct sockaddr_in *address_r);

void wire_init(struct wire *w, int fd, unsigned timeout_s);
bool wire_connect(struct wire *w, const struct sockaddr_in *address, unsigned timeout_s);
bool wire_start_tls(struct wire *w, SSL_CTX *context, bool server);
/* As a client: keep the session for the next handshake. */
void wire_keep_session(struct wire *w);
void wire_close(struct wire *w);

bool wire_write(struct wire *w, struct span bytes);
/* Read more; false at the end. What is there already stays, and must leave room. */
bool wire_fill(struct wire *w);
/* The next line with its LF; borrowed until the next call. */
bool wire_line(struct wire *w, struct span *line_r);
/* The code of the next reply, all its lines; 0 when the connection is lost. `last_r`, if not NULL,
 * is its last line, borrowed until the next call. */
int wire_reply(struct wire *w, struct span *last_r);

/* Before the first one: as many files as the system gives, and no signal for a lost connection. */
void wire_set_up(void);

int64_t wire_now_ns(void); /* monotonic */

#endif
