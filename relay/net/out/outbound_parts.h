// SPDX-License-Identifier: BSD-2-Clause
/* outbound_parts.h - What outbound.c, outbound_pool.c and failover.c share: the outbound connection
 * itself, and its way to the next host. */
#ifndef OUTBOUND_PARTS_H
#define OUTBOUND_PARTS_H

#include "dial.h"
#include "host_trust.h"
#include "transaction.h"

#include <uthash.h>

struct outbound {
    struct outbound *next, *prev;
    uint64_t number; /* the queue's, of this connection */
    UT_hash_handle hh;
    struct deliveries *home;
    struct settings *settings;     /* held: those of the connection */
    struct connection *connection; /* with a host that has spoken, or NULL */
    struct delivery delivery;
    struct delivery_settings delivery_settings;
    bool delivery_live, reused, idle, ending;
    unsigned steps;         /* of the delivery, when the deadline was set */
    size_t unacknowledged;  /* of the message, at that time, if all of it had been said */
    bool taken;             /* all of the message has come to the server, for good */
    bool mail_taken;        /* the server has taken its MAIL, and the queue knows that */
    bool refusal_told;      /* the queue knows what else waits, as its MAIL was refused */
    bool begin_again;       /* this connection ends, its attempt goes on with another */
    bool go_on;             /* the same, with the next host */
    bool lost_early;        /* one has ended before anything of the attempt's message was said */
    bool opened;            /* the queue knows that it works */
    int64_t opened_ms;      /* since then */
    bool spoken;            /* its attempt is done with, and the queue does not know it yet */
    bool answered;          /* the same: the server has answered its MAIL */
    enum queue_spoken said; /* the same: of how fast it takes mail */
    bool told;              /* the queue knows that it has ended */
    bool unwanted;          /* the queue has asked for it to end */
    bool hurried;           /* or, busy with this attempt, not to wait long for its server */
    uv_timer_t end_timer;   /* for its last callback */

    struct candidates candidates;           /* of the attempt that opened the connection */
    struct dial *reach;                     /* while there is no connection */
    struct token *token;                    /* of the route, held; NULL: it has none */
    struct token_ask *token_ask;            /* before there is `reach`: it waits for one */
    void (*token_come)(struct outbound *c); /* what goes on then */
    bool token_renewed;                     /* one has been refused in this attempt */
    size_t token_for;                       /* meanwhile: the candidate that is tried then */
    /* Given by its maker: outbound_take(), for failover.c. */
    void (*take)(struct outbound *c, struct connection *connection, struct span bytes);
    char own_why[200];        /* why our login is refused, which senders are not told; or "" */
    struct verdict trouble;   /* of the host that was tried last; code 0: none */
    unsigned troubles;        /* hosts that had trouble with the message itself */
    bool reached;             /* it holds the address `at` */
    int64_t instead_since_ms; /* of a worse preference than another; INT64_MAX: it is not */
    bool stalled;             /* the host there has not answered in time */
    bool traced;              /* all that is said goes into the log */
    size_t which;             /* candidate that has been reached */
    unsigned remedies;        /* tried with that one, as bits: see enum delivery_remedy */
    struct endpoint at;
    unsigned rank;       /* of that host: so many preferences were better */
    char host_name[256]; /* as long as a route may name it */
    char tls_text[80], peer[64];
    struct host_facts *facts;  /* of the hosts of the attempt that opened the connection; held */
    size_t fact;               /* the one of the host that it is with; SIZE_MAX: none yet */
    struct host_policy policy; /* of that host, for the attempt */
    char tlsa[TLSA_TEXT];      /* the record that its certificate has fit, or "" */
    char misfit[120];          /* what was wrong with its certificate */
    enum tls_result shown;     /* by its certificate, whatever was demanded of it */
    uint32_t unusable;         /* bits beside the facts: TLS can use none of these TLSA records */
    uint32_t barred;           /* bits beside the attempt's hosts: left out, and not told of yet */
    bool barred_by_domain;     /* one of them, by its policy */
    bool without_dnssec;       /* there was none when it began */
    bool adopted;              /* its candidates are another attempt's than its facts */
    bool counted;              /* for TLS reports */
    bool again;                /* this connection ends, and another one with the host is made */
    bool anew;           /* the same, and what its host must show is asked for past all caches */
    struct trust proven; /* by the time that the machine is ready */

    struct attempt *attempt;
    struct transaction transaction;
};

/* On its way to a host? Then failover_stop() ends it. */
static inline bool outbound_is_reaching(const struct outbound *c)
{
    return c->reach || c->token_ask;
}

/* ---- outbound_token.c ---- */

/* True: it has the token that its route logs in by, or needs none. Else `come` is called later;
 * without a token the operator has been told why. */
bool outbound_token_take(struct outbound *c, void (*come)(struct outbound *c));
/* If the server has refused the token, it is not kept. */
void outbound_token_refused(struct outbound *c);
/* It needs none any more. */
void outbound_token_end(struct outbound *c);

/* ---- outbound_end.c ---- */

/* The attempt is about to be settled: the queue is to be told what was said. */
void outbound_has_spoken(struct outbound *c, const struct attempt *p);
/* The attempt is done with. Says what is next. */
enum queue_next outbound_tell_spoken(struct outbound *c, bool reusable,
                                     struct dispatch_work **next_r);
/* It is done with the host that it has reached. */
void outbound_leave_host(struct outbound *c);
/* The queue is told that the connection has failed. Either it has the attempt again, untried, or
 * this is the answer for those who have none. The outbound connection ends. */
void outbound_fail(struct outbound *c, enum queue_failure how, const struct verdict *v);
/* The server has refused MAIL by `v`, or not (code 0); `first`: of those that were said to it.
 * True: the queue knows that it takes no more for now, and has the attempt again, untried. */
bool outbound_turned_away(struct outbound *c, const struct verdict *v, bool first);
/* Nobody has been asked: the queue has the attempt again, and the outbound connection ends. */
void outbound_drop(struct outbound *c, const char *why);
void outbound_end_delivery(struct outbound *c);
/* What its hosts must show is doubted: the queue has the attempt again, untried, and its domain is
 * asked for past all caches before it comes again. The outbound connection ends. */
void outbound_put_back(struct outbound *c);
/* Without an attempt. It is freed later. */
void outbound_end(struct outbound *c);

/* ---- outbound.c ---- */

/* A host has spoken: it is served from now on. */
void outbound_take(struct outbound *c, struct connection *connection, struct span bytes);

/* The server's time for its next answer begins now. */
void outbound_set_deadline(struct outbound *c);
/* Say and do what the machine wants. */
void outbound_pump(struct outbound *c);
/* Its attempt is done with, or it had none: what the queue says is next on this connection. */
void outbound_next_attempt(struct outbound *c);
/* It says goodbye, if it can. */
void outbound_quit(struct outbound *c);

/* ---- failover.c ---- */

/* To the first host of the attempt that can be reached; then to the next. */
void failover_begin(struct outbound *c);
void failover_next(struct outbound *c);
/* To the same host, once more. */
void failover_again(struct outbound *c);
/* The host has refused us, or the connection ended, before a message could be spoken of. */
void failover_refused(struct outbound *c);
/* A refused login is told to the operator, who can mend it; those who send read that it waits. */
void failover_hide_login(struct outbound *c);
/* The host has trouble with the message, and nobody has been served: is another host to be tried?
 * Then the others' answers are taken, and failover_next() goes there. */
bool failover_elsewhere(struct outbound *c);
/* This one is not asked for leave. */
void failover_part(struct outbound *c);
/* This host cannot have the mail, or nobody can be told whether it can: if another one is to be
 * tried this one is left, else everyone without an answer has it now. */
bool failover_if_unsure(struct outbound *c);
/* The machine knows another way with this host. False: it does not. */
bool failover_by_remedy(struct outbound *c);
/* It is in place of a better host, and that shall be tried again: it takes no more messages. */
bool failover_looks_back(const struct outbound *c);
/* Is its host one of these, and not worse among them than for whom it was reached? Else mail that
 * leads to them may not go there, whatever the queue says. */
bool failover_leads_here(const struct outbound *c, const struct dispatch_hosts *hosts);
/* It broke among several recipients: those who may be sent again at once are. False: nobody. */
bool failover_apart(struct outbound *c);
/* Is it too old for these, at an address that DNS does not give its host any more? */
bool failover_is_outdated(const struct outbound *c, const struct dispatch_hosts *hosts);
/* Has its mail less time for this host than RFC 5321 says, because it is urgent? */
bool failover_hurries(const struct outbound *c);
bool failover_has_tried(const struct outbound *c, enum delivery_remedy remedy);
/* While nobody has been reached: the outbound connection ends. */
void failover_stop(struct outbound *c, const char *why);

#endif
