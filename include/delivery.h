// SPDX-License-Identifier: BSD-2-Clause
/* delivery.h - The client's side of SMTP as a machine without I/O: one connection, any number of
 * messages.
 *
 * Happy path: greeting - EHLO - STARTTLS - EHLO - AUTH - (ready) - MAIL, RCPT, DATA - body - (done)
 * - (ready) … QUIT. Where TLS is implicit, the handshake comes before the greeting.
 *
 * The owner feeds bytes while `want` is DELIVERY_INPUT, sends what is in `out`, and else answers:
 *
 *   DELIVERY_DEMAND what TLS must be: set it, and delivery_demand(); or delivery_distrust()
 *   DELIVERY_TLS    the handshake; delivery_tls_started(), or delivery_lost() and a new connection
 *   DELIVERY_READY  delivery_send() the next message, or delivery_quit()
 *   DELIVERY_BODY   delivery_body() until the message is complete
 *   DELIVERY_DONE   every recipient has its answer; delivery_next()
 *   DELIVERY_CLOSE  of no more use: `trouble` says why, and `remedy` what may be tried at once
 *
 * Failure modes:
 * - a reply that is none, comes too early, or asks for more where there is no more: trouble, and
 *   until 354 no recipient's answer counts, since nobody knows whose it was
 * - 421 anywhere: those without an answer are deferred
 * - an answer before it has all of the message, or that would send it again: QUIT, doubt.c
 * - a refusal of one recipient is its own answer, of the message everyone's, of the whole host
 *   trouble with `host_refused`
 * - a server that cannot do what it offers, or that an old client pleases better: `remedy`
 */
#ifndef DELIVERY_H
#define DELIVERY_H

#include "buf.h"
#include "delivery_offers.h"
#include "envelope.h"
#include "err.h"

enum delivery_want {
    DELIVERY_INPUT,
    DELIVERY_DEMAND,
    DELIVERY_TLS,
    DELIVERY_READY,
    DELIVERY_BODY,
    DELIVERY_DONE,
    DELIVERY_CLOSE
};

enum delivery_tls {
    DELIVERY_TLS_NEVER,   /* clear text only: TLS with this host has just failed */
    DELIVERY_TLS_MAY,     /* where it is offered */
    DELIVERY_TLS_REQUIRE, /* or not at all */
    DELIVERY_TLS_VERIFY,  /* and with a certificate that is valid for the host */
    DELIVERY_TLS_IMPLICIT /* the same, from the first byte (RFC 8314 section 3.3) */
};

/* What may be tried at once for those without an answer. The settings for a new connection of each
 * kind keep the machine from asking for it again. */
enum delivery_remedy {
    DELIVERY_ENOUGH,          /* nothing: the answers are all there is to say */
    DELIVERY_NEXT_HOST,       /* the trouble is this host's */
    DELIVERY_RECONNECT,       /* the same once more: this connection takes no more messages */
    DELIVERY_IN_CLEAR,        /* tls = DELIVERY_TLS_NEVER: TLS has failed, and is optional */
    DELIVERY_WITH_HELO,       /* helo = true: it hung up at EHLO */
    DELIVERY_WHOLE_HANDSHAKE, /* of TLS: it did not go well with a session to be resumed */
    DELIVERY_ONE_BY_ONE,      /* one_by_one = true: it offers PIPELINING, but loses commands */
    DELIVERY_NEW_TOKEN,       /* token_renewed = true: the token was refused */
    DELIVERY_REMEDIES
};

/* The connection ended among several recipients: who of those left without an answer may be sent
 * again at once, on another one? */
enum delivery_apart {
    DELIVERY_TOGETHER,        /* nobody */
    DELIVERY_WITHOUT_ONE,     /* all but the one at whom it broke */
    DELIVERY_WITHOUT_REFUSED, /* all but those refused, which is what the server disliked */
    DELIVERY_ASKED_SINGLY     /* one_by_one = true, to see at whom it breaks */
};

struct delivery_settings {
    const char *hostname; /* for EHLO */
    enum delivery_tls tls;
    bool tls_unsaid; /* `tls` is not known yet: it is asked for when the server has said EHLO */
    const char *username, *password; /* NULL: no AUTH */
    const char *token;               /* in place of the password; NULL: none */
    bool token_renewed;              /* it is a new one, in place of one that was refused */
    unsigned port;                   /* for what is said of a server that is silent */
    bool tls_has_failed;             /* with this host just now: `tls` is NEVER by exception */
    bool smart_host; /* named by the route: a refusal for lack of a login is about us */
    bool helo;       /* EHLO is not said */
    bool one_by_one; /* one command at a time, even where PIPELINING is offered */
    bool hurry;      /* urgent mail, and another host is left */
    unsigned most_s; /* another host is left: for an answer at most; 0: as RFC 5321 says */
};

struct delivery_rcpt {
    struct span address, original; /* borrowed */
    unsigned notify;
    struct verdict answer; /* code 0: none yet */
    bool own;              /* it is a refusal of this recipient, not of MAIL or the message */
    bool too_many;         /* it only says that these are too many at once */
};

struct delivery_mail {
    struct span sender, envelope_id; /* borrowed */
    enum envelope_return report;
    bool smtputf8, body_8bit, requiretls; /* the last within TLS, and where offered, only */
    uint64_t size;                        /* bytes, for SIZE= */
    struct delivery_rcpt *rcpts;          /* borrowed; the answers are written here */
    size_t count;
};

/* The login, or that the server lets in nobody without one. */
enum delivery_login {
    DELIVERY_LOGIN_FINE,
    DELIVERY_LOGIN_LATER,      /* it cannot be checked just now */
    DELIVERY_LOGIN_IMPOSSIBLE, /* the server offers no way that may be used */
    DELIVERY_LOGIN_REFUSED,    /* user name, password or token are wrong */
    DELIVERY_LOGIN_WANTED      /* or some other leave to relay by it */
};

struct answer;
struct dots_out;

struct delivery {
    enum delivery_want want;
    struct buf out, in;
    const struct delivery_settings *settings; /* borrowed */
    char peer_name[256]; /* as it calls itself in its greeting and to EHLO: printable, or "" */
    struct delivery_offers offers;
    unsigned stage, ahead; /* ahead: replies due for what has been said in one burst */
    unsigned steps;        /* goes up with each whole answer, and with each piece that we send */
    bool tls, saying_body;
    bool resuming;       /* a session is offered in the handshake: said by the owner */
    bool fell_back;      /* it would have TLS, had all gone well */
    bool tls_refused;    /* by an answer to STARTTLS */
    bool answered_early; /* something came before the end of the message was said */
    bool left;           /* QUIT was said, or nothing more may be: the message was the last one */
    bool taken_in_vain;  /* MAIL was refused, and a recipient was not */
    enum delivery_mechanism mechanism; /* while it logs in */
    unsigned challenges;               /* of the server, by this mechanism */
    bool responded;                    /* the first response has been said */
    struct answer *answer;
    struct dots_out *dots;
    struct delivery_mail *mail;     /* borrowed while a message is under way */
    size_t asked;                   /* recipient whose answer is next */
    struct verdict mail_refused;    /* MAIL's answer when it was no 250; code 0: none */
    struct verdict doubted, second; /* what may not answer the final dot, and what followed */
    unsigned mails;

    struct verdict trouble;    /* code 0: none */
    bool host_refused;         /* the trouble came before any message was spoken of */
    bool said_later;           /* it was 421, or 4xx for a greeting: it may have enough of us */
    enum delivery_login login; /* what is wrong with it; nothing that a sender could mend */
    enum delivery_remedy remedy;
    enum delivery_apart apart;
};

/* `settings` is borrowed for the life of the connection. */
void delivery_init(struct delivery *d, const struct delivery_settings *settings);
void delivery_fini(struct delivery *d);

/* What the server has said, in pieces of any size. More than was asked for ends the connection. */
void delivery_input(struct delivery *d, struct span bytes);
/* The answer to DELIVERY_DEMAND; or to DELIVERY_TLS, too: this host must not have the mail. */
void delivery_demand(struct delivery *d);
void delivery_distrust(struct delivery *d, const struct verdict *why);
/* The answer to DELIVERY_TLS. What was offered before is forgotten (RFC 3207 section 4.2). */
void delivery_tls_started(struct delivery *d);
/* While `want` is DELIVERY_READY: send this to its recipients, of whom there is at least one. Is
 * borrowed until delivery_next(), or the end. */
void delivery_send(struct delivery *d, struct delivery_mail *mail);
/* The next piece of the message; `last`: there is no more. */
void delivery_body(struct delivery *d, struct span piece, bool last);
/* All has been said, and not all has come to the server: its answer may not be to the message. */
void delivery_answered_early(struct delivery *d);
void delivery_next(struct delivery *d);
void delivery_quit(struct delivery *d);
/* The connection is gone, or we give up: who has no answer gets 451, with what was being done. */
void delivery_lost(struct delivery *d, const char *why);
/* The same after delivery_timeout_s(). */
void delivery_timed_out(struct delivery *d);

/* For logs and bounces: "next host", "HELO" …; "greeting", "RCPT" … */
const char *delivery_remedy_name(enum delivery_remedy remedy);
const char *delivery_stage_name(const struct delivery *d);
/* What is said just now is a login, or about one: it is not to be shown. */
bool delivery_is_login(const struct delivery *d);
/* Seconds to wait for the next step (RFC 5321 section 4.5.3.2): a whole answer, in any pieces. */
unsigned delivery_timeout_s(const struct delivery *d);
/* The same for a part of the message to leave. */
unsigned delivery_piece_s(const struct delivery *d);
/* How many seconds the message under way may take, from MAIL until its last byte has left. */
unsigned delivery_limit_s(const struct delivery *d);
/* Has it taken the MAIL of the message under way, which it is about then; or refused that? */
bool delivery_has_taken_mail(const struct delivery *d);
bool delivery_refuses_mail(const struct delivery *d);
/* Has it answered MAIL, or more, of the message that is DONE? Not one that it never heard of. */
bool delivery_was_answered(const struct delivery *d);
/* Has the whole message been said, so that only the answer is due? */
bool delivery_is_said(const struct delivery *d);
/* The server takes no more messages on this connection (RFC 9422), or has been left. */
bool delivery_is_used_up(const struct delivery *d);

#endif
