// SPDX-License-Identifier: BSD-2-Clause
/* store_jobs.h - What the store can be asked: accept a message, settle recipients, change rows, and
 * tell the events something.
 *
 * A job is made by its store_*_new(), filled in, and handed over with store_put(store, &x->job).
 * From then on it is the store's, until `answer` gives it back, decided and durable; then it is
 * freed with store_job_free(). What `answer` is given is found again by OWNER_OF(job, struct
 * store_accept, job). Jobs are run in the order in which they were put, all that wait in one
 * transaction; one that fails fails alone. When more wait than one transaction should hold, tenants
 * take turns: then the order is that among one tenant's mail, and among all that is no mail.
 */
#ifndef STORE_JOBS_H
#define STORE_JOBS_H

#include "buf.h"
#include "content.h"
#include "database.h"
#include "directory.h"
#include "fingerprint.h"
#include "mail.h"
#include "reply.h"
#include "throttle.h"
#include "tls_policy.h"

struct tlsrpt_entry;
struct tlsrpt_session;

/* The part that all jobs begin with. */
struct store_job {
    /* Called on the store's thread, and must only pass it on. NULL: nobody waits, and the store
     * frees it; when it has failed, that is in the log. */
    void (*answer)(struct store_job *job);
    void *owner;    /* of who asked */
    struct err err; /* why, where the result says so */
};

/* Frees a job of any kind with all that it owns; NULL is allowed. */
void store_job_free(struct store_job *job);

/* ---- accept ---- */

enum store_accept_result {
    STORE_UNDECIDED = 0,
    STORE_ACCEPTED,
    STORE_CAPTURED,   /* accepted; some recipient is held, as the domain's records are not right */
    STORE_DUPLICATE,  /* not accepted: all recipients have got it, or will get the same */
    STORE_REFUSED,    /* by limits, suppression, or a key that was used before: see `refusal` */
    STORE_STALE,      /* its credential or domain is not what it was: see `refusal` */
    STORE_OVER_QUOTA, /* its tenant has no room for it: see `refusal` */
    STORE_NO_ROOM,    /* the disk is full, or nearly: see `job.err` */
    STORE_FAILED      /* see `job.err` */
};

/* New mail. */
struct store_accept {
    struct store_job job;
    enum store_accept_result result;

    struct mail *mail; /* owned */
    struct buf body;   /* its bytes; with mail->place.segment not 0 they lie there (body.h) */
    int64_t offset_ms; /* of the clock by which the mail's times were made; 0: it is not said */
    uint64_t session;  /* for the one who asked */

    /* Count its recipients by these settings; NULL: accept it as it is, and look at nothing that
     * follows but may_capture; borrowed. */
    const struct throttle_settings *throttle;
    enum stream_on_limit on_limit;
    /* The same Message-ID with the same content, or the same idempotency key (`keyed`), to the same
     * recipient within a day is a repetition; NULL: none; owned. */
    char *once;
    bool keyed;
    unsigned char content[CONTENT_BYTES];
    bool has_fingerprint;
    unsigned char fingerprint[FINGERPRINT_BYTES];
    struct database_room room; /* that its tenant's mail may take up beside the others' */

    /* Accept it only while that is not over; held by the job. NULL: nobody has logged in. */
    struct credential *credential;

    /* Hold it, when its domain is captured, from all but these (in canonical form, borrowed). */
    bool may_capture;
    const char *const *operators;
    size_t operator_count;

    /* It is a TLS report: that this one is sent is written down with it, and one that was sent
     * before is a STORE_DUPLICATE (tlsrpt_reports.h). NULL: it is none; owned. */
    struct tlsrpt_entry *tls_report;

    enum domain_capture capture; /* what was found; DOMAIN_SENDS: none of it is held */
    /* What was decided, beside the recipients; owned; NULL: nothing was. */
    struct throttle_decision *decisions;
    struct verdict *refusals; /* of those that are suppressed; NULL: nobody is; owned */
    struct verdict refusal;   /* of the whole message */
    unsigned observed;        /* recipients that would not have passed */
};

/* Empty: mail, body and what else decides are to be filled in. */
struct store_accept *store_accept_new(void);
/* Is it durable, and going to be delivered? */
bool store_has_accepted(const struct store_accept *a);

/* ---- settle ---- */

/* What a sender is owed. Stored in the database: never renumber. */
enum store_report {
    STORE_REPORT_NONE = 0,
    STORE_REPORT_FAILED = 1,
    STORE_REPORT_DELAYED = 2,
    STORE_REPORT_RELAYED = 3 /* said once, when the message has come to its end */
};

enum store_settle_result {
    STORE_UNRECORDED = 0,
    STORE_RECORDED,
    STORE_SUPERSEDED, /* of an outcome: a person has ended it meanwhile, and it changed nothing */
    STORE_GIVEN_UP    /* could not be recorded in time (`job.err`, and the log): its recipients are
                         delivered again after the next start (C3) */
};

/* What became of one recipient in one attempt. */
struct store_outcome {
    enum store_settle_result result; /* out */
    int64_t message;
    unsigned number;
    enum mail_state state; /* MAIL_WAITING: later, at due_ms; MAIL_HELD: its record is damaged */
    unsigned tries;
    int64_t due_ms;
    enum store_report report; /* its sender is to be told */
    enum stream_class class;
    struct verdict answer;
    const char *kind;       /* event: "delivered", "deferred", "bounced", "expired" … a literal */
    char remote[280];       /* "host[address]" that the answer is from or about; "": none */
    bool heard, returnable; /* the host has said it; it has a return path (returns_token.h) */
    enum tls_policy tls_policy; /* of the host that was judged last */
    enum tls_result tls_result;
    char tlsa[TLSA_TEXT], source[33]; /* that its certificate has fit; where it left from; or "" */
    struct reply_judgement meant;     /* by a server; rule "": none has said anything */
    int64_t suppress_ms; /* there is no such mailbox: keep mail to it back for so long; 0: do not */
    char site[64];       /* whose answer it is: a provider, or the domain of a host; "": nobody's */
};

/* Outcomes, all or none. It is kept until they are recorded (C5); store_give_up() ends that. */
struct store_settle {
    struct store_job job;
    enum store_settle_result result; /* STORE_RECORDED or STORE_GIVEN_UP */
    int64_t offset_ms;               /* as of store_accept */
    struct store_outcome *outcomes;  /* owned */
    size_t count;
    /* Connections that were made, to be counted for TLS reports in that tenant's share; owned. */
    struct tlsrpt_session *sessions;
    size_t session_count;
    char tenant[64];
};

struct store_settle *store_settle_new(void); /* without outcomes */
/* One more, all zero. Borrowed until the next one. */
struct store_outcome *store_settle_add(struct store_settle *s);

/* ---- change ---- */

typedef bool store_on_change(struct database *db, void *context, struct err *err);

enum store_change_result {
    STORE_UNCHANGED = 0,
    STORE_CHANGED,
    STORE_CHANGE_REFUSED, /* `run` said so (`job.err`), and what it had done is undone */
    STORE_CHANGE_FAILED   /* the database or the disk could not take it: `job.err`; undone, too */
};

/* Run something inside the transaction. */
struct store_change {
    struct store_job job;
    enum store_change_result result;
    store_on_change *run;
    void *context;
    void (*forget)(void *context); /* frees the context with the job; NULL: it is borrowed */
    bool reads;                    /* it changes nothing that deliveries have read */
    bool repeatable;   /* it may be run anew after it was undone, as it has told nobody of it */
    const char *tells; /* the event that it may write, borrowed for good; or NULL */
    char tenant[64];   /* whose endpoints hear of it; "": it may be anybody's */
};

/* `run` is called on the store's thread with `context`. False undoes what it has done. */
struct store_change *store_change_new(store_on_change *run, void *context);

/* ---- tell ---- */
enum store_tell_result { STORE_UNTOLD = 0, STORE_TOLD, STORE_NOT_TOLD /* `job.err` */ };

/* A note for the events. */
struct store_tell {
    struct store_job job;
    enum store_tell_result result;
    struct database_event event; /* at_ms 0: when it is written */
    char *texts;                 /* owned: what the event's texts are */
};

/* The texts are copied; those that are NULL are empty. */
struct store_tell *store_tell_new(const struct database_event *event);

#endif
