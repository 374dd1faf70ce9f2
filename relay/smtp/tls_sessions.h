// SPDX-License-Identifier: BSD-2-Clause
/* tls_sessions.h - Sessions that servers let a client resume, by the key of the connection. */
#ifndef TLS_SESSIONS_H
#define TLS_SESSIONS_H

#include "tls_parts.h"

/* The sessions of all connections of a client's context are kept, as long as that lives. */
void tls_sessions_keep(SSL_CTX *ctx);
/* Before the handshake, when all that is demanded is set: offer a session of `session_key`. */
bool tls_sessions_offer(struct tls *t);
/* The handshake is done. */
void tls_sessions_note(struct tls *t);
/* The handshake that it was offered in did not end well: for an hour no session of `session_key`
 * is kept. */
void tls_sessions_spoil(struct tls *t);

#endif
