// SPDX-License-Identifier: BSD-2-Clause
/* connection.h - One TCP connection: libuv's bytes, through TLS when there is any, to and from an
 * owner.
 *
 * Happy path: accept or open - bytes, write - start_tls - bytes, write - finish - ended.
 * `ended` is called exactly once, never from inside a function that the owner called, and is the
 * last that is heard of it: the connection is freed afterwards.
 *
 * Failure modes: connect fails or takes too long - the peer is silent for too long - the peer
 * closes, with or without close_notify - TLS fails. All of them end it, with a reason. What came
 * before is never given twice, what came after never.
 */
#ifndef CONNECTION_H
#define CONNECTION_H

#include "buf.h"
#include "handshakes.h"
#include "ip.h"
#include "tls.h"

#include <uv.h>

struct connection_events {
    void (*opened)(void *owner);                   /* outgoing: TCP is there */
    void (*bytes)(void *owner, struct span bytes); /* borrowed during the call */
    void (*secured)(void *owner);                  /* the handshake is done */
    void (*drained)(void *owner);                  /* all that was written has left */
    bool (*timed_out)(void *owner); /* true: the owner has seen to it; NULL or false: it ends */
    void (*ended)(void *owner, const char *why);
};

struct connection;

/* Take over a connection that was accepted. */
struct connection *connection_accept(uv_loop_t *loop, int fd,
                                     const struct connection_events *events, void *owner);
/* `from`: which of our addresses, of the same family; NULL: any. */
struct connection *connection_open(uv_loop_t *loop, const struct endpoint *to,
                                   const struct ip *from, unsigned timeout_s,
                                   const struct connection_events *events, void *owner);

/* From now on somebody else hears of it. Also while `bytes` is called: the rest comes there. */
void connection_hand_over(struct connection *c, const struct connection_events *events,
                          void *owner);

/* Send the bytes and clear the buf. */
void connection_write(struct connection *c, struct buf *bytes);
/* The same, for who has more: others are served before `drained` is called, even when the kernel
 * takes all at once. */
void connection_write_and_yield(struct connection *c, struct buf *bytes);
void connection_accept_tls(struct connection *c, struct tls_context *context,
                           enum tls_protocol speaks);
/* As tls_connect_on(); what fails at once ends the connection. The handshake takes turns with
 * others; NULL: with none. */
void connection_connect_tls(struct connection *c, struct tls_context *context,
                            const struct tls_terms *terms, const struct handshake_terms *turns);
/* From now on all that the peer says takes turns with what others say, its handshake included. The
 * owner may not stop it while bytes are read: what waits comes when it has its turn. Once more when
 * it is another's turns, while nothing of it waits. */
void connection_take_turns(struct connection *c, const struct handshake_terms *turns);
/* Read, or leave the bytes with the peer. Reading also stops while much is waiting to be sent. */
void connection_want_bytes(struct connection *c, bool wanted);
/* End it after that long without a byte in or out; from now on. */
void connection_set_timeout(struct connection *c, unsigned seconds);
/* End it so long from now; what is read in the meantime gains no time, what is written does. */
void connection_set_deadline(struct connection *c, uint64_t wait_ms);
/* End it so long from now, whatever is read or written; 0: there is no such limit (any more). */
void connection_set_limit(struct connection *c, unsigned seconds);
/* Send what is written and these last words (NULL: none), say close_notify, then close. */
void connection_finish(struct connection *c, struct buf *last);
void connection_close(struct connection *c, const char *why);

/* The peer has spoken, in its handshake or where it takes turns, and has none yet: its time goes on
 * when it has. */
bool connection_awaits_turn(const struct connection *c);
/* Did our own network refuse, before anything of theirs was reached? Also while `ended` is
 * called. */
bool connection_error_is_ours(const struct connection *c);
/* Bytes written that have not left yet. */
size_t connection_unsent(const struct connection *c);
/* The same and those that the peer's TCP has not acknowledged yet: it does so at the latest with
 * what its application says after it has read them. */
size_t connection_unacknowledged(const struct connection *c);
/* The peer's address without the port; `text_r` holds at least 64 bytes. */
void connection_peer(const struct connection *c, char *text_r);
/* The TLS state, or NULL. Its bytes go through the connection. */
struct tls *connection_tls(const struct connection *c);

#endif
