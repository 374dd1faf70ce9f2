// SPDX-License-Identifier: BSD-2-Clause
/* host_trust.h - What TLS with a host must show before it has the mail, for the outbound connection
 * that is made or used. */
#ifndef HOST_TRUST_H
#define HOST_TRUST_H

#include "deliveries.h"
#include "trust.h"

struct outbound;

/* The hosts of its attempt, and what was found of them, are what it goes by from now on. */
void host_trust_begin(struct outbound *c);
void host_trust_end(struct outbound *c);

/* Of its candidates those whose hosts must not have the mail, whatever they show, are not tried. */
void host_trust_bar(struct outbound *c);
/* The first of these before number `end` of the hosts is told of, as one that was left: false:
 * there is none. */
MUST_CHECK bool host_trust_tell_barred(struct outbound *c, size_t end, struct verdict *v_r);
/* Is what says so of them to be asked for anew? It is, then: the attempt is to be put back. */
bool host_trust_doubts_barred(const struct outbound *c);
/* The same of hosts that had no address by when it began. */
bool host_trust_misses_hosts(const struct outbound *c);

/* The connection is with this host, which has spoken: says in the delivery's settings whether TLS
 * is decided later. */
void host_trust_reached(struct outbound *c, size_t host);
/* DELIVERY_DEMAND is answered. */
void host_trust_decide(struct outbound *c);
/* What the handshake is to be judged by; NULL: no TLSA records. Borrowed until the next event. */
const struct dane *host_trust_terms(const struct outbound *c, struct dane *dane_r);

enum host_trust_judgement {
    HOST_TRUSTED,
    HOST_DISTRUSTED, /* the delivery has been told */
    HOST_UNDECIDED   /* the connection ends: `again` or `anew` say what for */
};

/* The handshake is done: what it has proven. */
enum host_trust_judgement host_trust_judge(struct outbound *c);
/* A refusal of ours before any message: say in its text which records are behind it, if any. */
void host_trust_explain(struct outbound *c);
/* The connection has ended, and is still there: the same of a certificate that is not what the
 * route demands. */
void host_trust_explain_route(struct outbound *c);

/* The same of what a refusal of ours comes of, before any message. */
bool host_trust_doubts(const struct outbound *c);

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

/* ---- host_distrust.c ---- */

/* Why its host must not have the mail, whatever its certificate: a text of its own, or `text_r`. */
enum { HOST_DISTRUST_WHY = 120 };
const char *host_distrust_why(const struct outbound *c, char text_r[HOST_DISTRUST_WHY]);
/* In the log, also where nothing follows from it. */
void host_distrust_log(const struct outbound *c, const char *why);
/* What senders read. `asked`: the record that is behind it, or "". */
struct verdict host_distrust_verdict(const struct outbound *c, const char *asked,
                                     const char *enhanced, const char *what);
/* This host must not have the mail: the log is told. */
struct verdict host_distrust_note(struct outbound *c, const char *asked, const char *what);
/* The same, and the delivery. */
void host_distrust(struct outbound *c, const char *asked, const char *what);
/* The message demands what nobody can find out of this host. */
void host_distrust_unverifiable(struct outbound *c);

#endif
