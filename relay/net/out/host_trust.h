// SPDX-License-Identifier: BSD-2-Clause
/* host_trust.h - What TLS with a host must show before it has the mail, for the outbound connection
 * that is made or used. */
#ifndef HOST_TRUST_H
#define HOST_TRUST_H

#include "deliveries.h"
#include "trust.h"

struct outbound;

/* The hosts of its attempt: nothing is known of them yet. */
void host_trust_begin(struct outbound *c);
void host_trust_end(struct outbound *c);
/* The connection with one of them has ended: what was asked for its sake is not waited for. */
void host_trust_leave(struct outbound *c);
/* One of them is dialled: what is to be known of it is looked up meanwhile. */
void host_trust_look(struct outbound *c, size_t host);
/* No lookup is answered any more: the resolver ends. */
void host_trust_abandon_all(struct deliveries *home);

/* The connection is with this host, which has spoken: says in the delivery's settings whether TLS
 * is decided later. */
void host_trust_reached(struct outbound *c, size_t host);
/* DELIVERY_DEMAND is answered. False: not yet, as a lookup is under way. */
MUST_CHECK bool host_trust_decide(struct outbound *c);
/* What the handshake is to be judged by; NULL: no TLSA records. Borrowed until the next event. */
const struct dane *host_trust_terms(const struct outbound *c, struct dane *dane_r);

enum host_trust_judgement {
    HOST_TRUSTED,
    HOST_DISTRUSTED, /* the delivery has been told */
    HOST_UNDECIDED   /* it comes to one of the others, or to a new connection, by itself */
};

/* The handshake is done: what it has proven. */
enum host_trust_judgement host_trust_judge(struct outbound *c);
/* A refusal of ours before any message: say in its text which records are behind it, if any. */
void host_trust_explain(struct outbound *c);

/* Has the connection proven what its attempt demands by now? Notes what there is to tell of that.
 * False: nothing of a message may be written to it. */
MUST_CHECK bool host_trust_holds(struct outbound *c);
/* May mail that the queue sends after another leave by this connection? */
bool host_trust_covers(const struct outbound *c, const struct dispatch_work *work);

#endif
