// SPDX-License-Identifier: BSD-2-Clause
/* attempt.h - One message's recipients in one domain, on their way: read, hand over, settle.
 *
 * Happy path: attempt_read (the rows, from memory or by the store's reader; then its work comes
 * again) - attempt_start (who is still due) - outbound connection - attempt_settle (store) -
 * attempt_end (dispatch). Every recipient that was still due gets exactly one outcome, or is given
 * back.
 */
#ifndef ATTEMPT_H
#define ATTEMPT_H

#include "deliveries.h"
#include "delivery.h"
#include "host_policy.h"
#include "reply.h"
#include "tls_policy.h"

/* Who has answered, and how it was reached. */
struct attempt_host {
    char remote[280]; /* its name and address */
    char tls[80];     /* empty: clear text */
    bool verified;    /* its certificate was valid for its name, or fits what DNSSEC says */
    enum tls_policy tls_policy; /* as it was judged */
    enum tls_result tls_result;
    char tlsa[TLSA_TEXT]; /* the record that has fit, or "" */
};

struct attempt {
    struct attempt *next, *prev;
    struct deliveries *home;
    struct dispatch_work *work;
    struct settings *settings; /* held */
    struct attempt_reading {
        struct store_question *answer; /* owned; NULL: not there, or not needed */
        uint64_t revision;             /* of the store when it was asked */
        unsigned epoch;                /* of the clock at that time */
        unsigned times;                /* that it was asked */
        bool keys;                     /* they have been read, or were to be */
        bool outdated;                 /* rows have been ended since */
        struct inbox_item *behind;     /* works of its connection that came meanwhile; a list */
    } reading;
    const struct config_route *route;
    const struct config_source *source; /* NULL: any */
    struct mail *mail;                  /* only the recipients that are to be delivered now */
    struct verdict *answers;            /* beside mail->envelope.rcpts; code 0: none yet */
    enum reply_stage *at;               /* beside them: which command was answered so */
    bool *suppressed;                   /* beside them: who does not want it, or cannot get it */
    struct attempt_host host;           /* that it is with, or was last */
    struct attempt_host *hosts;         /* that it was with while others still had no answer */
    size_t host_count;
    unsigned *by;             /* beside the answers: whose it is, of `hosts` from 1 on; 0: `host` */
    bool hop_dsn;             /* the hop reports on delivery itself */
    bool not_attempted;       /* our own fault */
    bool no_host;             /* none took the connection */
    bool distrusted;          /* DNSSEC or its domain's policy has kept it from a host */
    struct sts_answer policy; /* of its domain, by MTA-STS: domain_policy.c */
    int64_t due_ms;           /* when its first recipient was */
    int64_t clock_offset_ms;  /* of the mail's times, and that */
    bool damaged;
    struct buf dialogue;
    uint64_t begun_ms;   /* by the loop's clock */
    int64_t settled_ms;  /* when */
    unsigned parted;     /* connections broke among its recipients, and it went on */
    size_t answered;     /* that many had their answer before anybody was asked */
    int64_t again_in_ms; /* nothing was recorded: try again so much later; 0: it was */
    bool outdated;       /* its settings are newer than where the queue has sent it */
    bool moved;          /* they say another source than the queue has sent it from */
    bool untried;        /* the queue has it again: nothing is to be told */
    /* Connections that were made for it, for TLS reports; owned (session_count.c). */
    struct tlsrpt_session *sessions;
    size_t session_count;
    bool *left;       /* beside the attempt's numbers: who goes again at once; or NULL */
    bool *recorded;   /* beside the answers: it is with the store already */
    size_t recording; /* so many of these are not on disk yet */
    enum { ATTEMPT_GOES_ON, ATTEMPT_SETTLES, ATTEMPT_ENDS } then; /* as soon as they are */
};

/* ---- attempt.c ---- */

/* From the outbound connection: the same for everyone who has none. */
void attempt_answer_all(struct attempt *p, const struct verdict *v);
/* Nobody is left to be asked about. */
bool attempt_all_answered(const struct attempt *p);
size_t attempt_count_answers(const struct attempt *p);
/* Somebody has got one since it was started. */
bool attempt_has_answer(const struct attempt *p);
/* The same when our side cannot send it just now: everyone waits, and the operator is told. */
void attempt_own_fault(struct attempt *p, const struct err *err);
/* Is its time over? Then everyone who has no answer is told so: nothing late is sent. */
MUST_CHECK bool attempt_expired(struct attempt *p);
/* Move its times as somebody has set the clock. */
void attempt_follow_clock(struct attempt *p);
/* Was it due at that time of the steady clock? Not at 0. */
bool attempt_was_due(struct attempt *p, int64_t at_ms);
/* How much of its time is left, in ms; not above 0 when it is over. */
int64_t attempt_left_ms(struct attempt *p);
/* `usual_ms`, or until that time is just over. */
uint64_t attempt_timeout_ms(struct attempt *p, uint64_t usual_ms);

/* What EHLO says for its mail. */
const char *attempt_hostname(const struct attempt *p);

/* It is with this host, or cannot reach it: nothing else is known of it yet. */
void attempt_meets(struct attempt *p, const char *name, const char *address);
/* Those who have an answer have it from the host as it stands: others will be asked elsewhere. */
void attempt_answered_by(struct attempt *p);
/* Who has answered for this recipient. */
const struct attempt_host *attempt_host_of(const struct attempt *p, size_t i);

/* Between two transactions: those who have no answer go back to the queue, untried, when the others
 * are settled. */
void attempt_leave_rest(struct attempt *p);

/* ---- attempt_notes.c ---- */

/* Another way is tried with this host: in the log, and as an event when it is less safe. */
void attempt_note_remedy(struct attempt *p, const char *host, const struct delivery *d);
/* The host refuses our login, and all mail of the route waits for somebody who mends it. */
void attempt_note_login(const struct attempt *p, const char *host, const struct delivery *d);
/* There is no token to log in by; `why` says nothing of one. */
void attempt_note_token(const struct attempt *p, const char *why);
/* What is wrong with the login: "login refused". */
const char *attempt_login_word(const struct delivery *d);
/* Its domain has no key that signs: told at most once an hour for each domain. */
void attempt_note_unsigned(const struct attempt *p, const char *why);
/* Lines that `who` has said, for the dialogue, if it is wanted; `p` may be NULL. */
void attempt_note_dialogue(struct attempt *p, const struct delivery *d, const char *who,
                           struct span bytes);

/* ---- domain_policy.c ---- */

/* What counts by now for mail of `work`; let it go by sts_answer_fini(). False: nobody knows. */
MUST_CHECK bool domain_policy_know(struct deliveries *home, const struct config_route *route,
                                   const struct dispatch_work *work, struct sts_answer *answer_r);
/* The same for work that has hosts; else that none could be had with them, which holds for this
 * tenant's mail, too. */
MUST_CHECK bool domain_policy_expect(struct deliveries *home, const struct config_route *route,
                                     const struct dispatch_work *work, struct sts_answer *answer_r);
enum domain_policy {
    DOMAIN_POLICY_TAKEN,   /* what counts by now, or was found with the hosts since mail was due */
    DOMAIN_POLICY_AWAITED, /* it was not found out for another tenant, or less urgent mail: it is
                              being asked for */
    DOMAIN_POLICY_OUTDATED /* the hosts are to be looked up again, and the policy with them */
};
MUST_CHECK enum domain_policy domain_policy_take(struct attempt *p);
/* What it says of this host. */
void domain_policy_say(const struct sts_answer *answer, const char *host, struct host_situation *s);
/* The policy for a domain whose hosts are known by now. NULL: it is in `known_r`; else `done` is
 * called. For work that asks `anew` what is known is asked for past all caches. */
struct sts_ask *domain_policy_find(struct deliveries *home, const struct config_route *route,
                                   const struct dispatch_work *work, struct sts_answer *known_r,
                                   sts_on_answer *done, void *context);
/* A domain's hosts are looked up: its policy is asked for beside them. */
void domain_policy_prefetch(struct deliveries *home, const struct config_route *route,
                            const struct dispatch_work *work);

/* ---- outcome.c ---- */

/* Between two transactions: record who has got it, while the others are still to be asked (C3). */
void attempt_record(struct attempt *p);
/* Its other recipients are not asked for now: so many are not on disk yet that nobody else should
 * get it before they are, or the server has said that it was sent too much. */
bool attempt_asks_no_more(const struct attempt *p);
/* Turn the answers into outcomes, bounces and one transaction; then the attempt is gone. */
void attempt_settle(struct attempt *p);
/* Free it, and tell the queue. */
void attempt_end(struct attempt *p);

/* No server has been asked, and the queue has it again. */
void attempt_drop(struct attempt *p);

/* ---- attempt_read.c ---- */

/* Read what `work` is about. True: attempt_start() can go on. False: it is being read, and the work
 * comes again when it has been. */
MUST_CHECK bool attempt_read(struct deliveries *home, struct dispatch_work *work);
/* Its rows are there, or are not needed: works of its connection that waited for that come next. */
void attempt_leave_reading(struct attempt *p);
/* The queue has the attempt of `work` again, whether it has been read or not. Takes `work`. */
void attempt_forget(struct dispatch_work *work);

/* Is `work` about a connection whose attempt is being read? Then it is kept until that goes on. */
MUST_CHECK bool attempt_holds_back(struct deliveries *home, struct dispatch_work *work);
/* Rows have been ended: whatever is being read is read once more. */
void attempt_read_again(struct deliveries *home);

/* ---- attempt_start.c ---- */

/* Answer what needs no connection. NULL: there is nothing to send, and it settles or ends by
 * itself. Takes `work`, which has been read. */
struct attempt *attempt_start(struct dispatch_work *work);

#endif
