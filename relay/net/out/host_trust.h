// SPDX-License-Identifier: BSD-2-Clause
/* host_trust.h - What TLS with a host must show before it has the mail, for the outbound connection
 * that is made or used. */
#ifndef HOST_TRUST_H
#define HOST_TRUST_H

#include "deliveries.h"
#include "trust.h"

struct outbound;

/* It has an attempt: the policy of that one's domain is asked for. */
void host_trust_ask(struct outbound *c);
/* One of them is dialled: what is to be known of it is looked up meanwhile. */
void host_trust_look(struct outbound *c, size_t host);

/* The connection is with this host, which has spoken: says in the delivery's settings whether TLS
 * is decided later. */
void host_trust_reached(struct outbound *c, size_t host);
/* DELIVERY_DEMAND is answered. False: not yet, as a lookup is under way. */
MUST_CHECK bool host_trust_decide(struct outbound *c);
/* The connection's time is over. True: that was ours, as a lookup has waited for its turn so long,
 * and not the host's; it is left as one whose records cannot be looked up. */
MUST_CHECK bool host_trust_timed_out(struct outbound *c);
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

/* Is what its attempt demands known by now? If not, the connection is pumped when it is. */
MUST_CHECK bool host_trust_ready(struct outbound *c);
/* Must the host's certificate be valid for its name, by the domain's policy? */
bool host_trust_by_policy(const struct outbound *c);
/* Has the connection proven what its attempt demands by now? Notes what there is to tell of that.
 * False: nothing of a message may be written to it. */
MUST_CHECK bool host_trust_holds(struct outbound *c);
/* What the host was judged by, for a TLS report: the host, and what DNS and the domain say of it.
 * Borrowed until the next event. */
struct tlsrpt_terms;
void host_trust_describe(const struct outbound *c, struct tlsrpt_terms *terms);
/* May mail that the queue sends after another leave by this connection? */
bool host_trust_covers(const struct outbound *c, const struct dispatch_work *work);

/* ---- host_lookups.c ---- */

/* What DNSSEC says of one of the hosts. */
struct host_trust {
    struct outbound *owner;
    struct dane_lookup *lookup; /* NULL: none under way */
    struct dane_answer answer;  /* DANE_PENDING: not known, or not asked for */
    bool anew;                  /* it has been asked for past the caches */
};

/* The hosts of its attempt: nothing is known of them yet. */
void host_lookups_begin(struct outbound *c);
void host_lookups_end(struct outbound *c);
void host_lookups_ask(struct outbound *c, struct host_trust *t, dane_lookup_on_answer *done);
/* The connection with one of them has ended: what was asked for its sake is not waited for. */
void host_lookups_leave(struct outbound *c);
/* No lookup is answered any more: the resolver ends. */
void host_lookups_abandon_all(struct deliveries *home);

/* ---- host_distrust.c ---- */

/* Why its host must not have the mail, whatever its certificate. */
const char *host_distrust_why(const struct outbound *c);
/* In the log, also where nothing follows from it. */
void host_distrust_log(const struct outbound *c, const char *why);
/* What senders read. `asked`: the record that is behind it, or "". */
struct verdict host_distrust_verdict(const struct outbound *c, const char *asked,
                                     const char *enhanced, const char *what);
/* This host must not have the mail: the delivery is told, and the log. */
void host_distrust(struct outbound *c, const char *asked, const char *what);
/* The message demands what nobody can find out of this host. */
void host_distrust_unverifiable(struct outbound *c);

#endif
