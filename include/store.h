// SPDX-License-Identifier: BSD-2-Clause
/* store.h - Durable state: one thread, one inbox, one transaction for all that waits (group
 * commit).
 *
 * A job is handed over with store_put() and comes back, decided and durable, through its `answer`,
 * which is called on the store's thread and must only pass it on. See the head of
 * relay/store/store.c for what is guaranteed.
 */
#ifndef STORE_H
#define STORE_H

#include "buf.h"
#include "content.h"
#include "database.h"
#include "fingerprint.h"
#include "mail.h"
#include "throttle.h"

struct store;

/* What a sender is owed. Stored in the database: never renumber. */
enum store_report {
    STORE_REPORT_NONE = 0,
    STORE_REPORT_FAILED = 1,
    STORE_REPORT_DELAYED = 2,
    STORE_REPORT_RELAYED = 3 /* said once, when the message has come to its end */
};

/* What became of one recipient in one attempt. */
struct store_outcome {
    int64_t message;
    unsigned number;
    enum mail_state state; /* MAIL_WAITING: later, at due_ms; MAIL_HELD: its record is damaged */
    unsigned tries;
    int64_t due_ms;
    enum store_report report; /* its sender is to be told */
    enum stream_class class;
    struct verdict answer;
    const char *kind;    /* event: "delivered", "deferred", "bounced", "expired" … a literal */
    char remote[280];    /* "host[address]" that the answer is from or about; "": none */
    bool heard;          /* the host has said it; else it is what happened there */
    char suppress[64];   /* there is no such mailbox: put it on this tenant's list; empty: no */
    int64_t suppress_ms; /* for so long */
    bool gone;           /* out: a person has ended it meanwhile, and it changed nothing */
};

struct store_job {
    struct store_job *next;

    /* Accept this message, if there is one: owned by the job. With place.segment 0 its bytes are
     * `body`, else they already lie there, synced. */
    struct mail *mail;
    int64_t offset_ms; /* of the clock by which the mail's times were made; 0: it is not said */
    struct buf body;

    /* Count its recipients by these settings, if they are there: borrowed. What was decided comes
     * back beside the recipients, owned by the job; when all are refused the message is not
     * accepted, and `refusal` says why. */
    const struct throttle_settings *throttle;
    enum stream_on_limit on_limit;
    /* The same Message-ID with the same content, or the same idempotency key (`keyed`), to the same
     * recipient within a day is a repetition; NULL: none; owned. */
    char *once;
    bool keyed;
    unsigned char content[CONTENT_BYTES];
    bool has_fingerprint;
    unsigned char fingerprint[FINGERPRINT_BYTES];
    struct throttle_decision *decisions;
    struct verdict
        *refusals;          /* beside them, of those that are suppressed; NULL: nobody is; owned */
    struct verdict refusal; /* code 0: none */
    unsigned observed;      /* recipients that would not have passed */
    bool is_duplicate;      /* all recipients have got it already, or will get the same */

    /* `marked`: accept it only while its credential is what it was, see database_user_mark(), when
     * store_accounts() was that number. */
    bool marked;
    unsigned char mark[DATABASE_MARK];
    uint64_t accounts;

    struct database_room room; /* that its tenant's mail may take up beside the others' */

    /* Hold it, when its domain is captured, back from all but these (in canonical form, borrowed).
     * `captured`: it was. */
    bool may_capture, captured;
    const char *const *operators;
    size_t operator_count;

    /* Settle these, if there are any: owned by the job. Kept until they are recorded, however long
     * that takes (C5). */
    struct store_outcome *outcomes;
    size_t outcome_count;

    /* A note for the events, if `note` is not NULL: owned. */
    int64_t note_message;
    char *note;

    /* `mail` reports on this message, to its sender, about these recipients of it: owned. When that
     * mailbox has had its share of reports it is `dropped`, which is an event. */
    int64_t report_of;
    unsigned *reported;
    size_t reported_count;
    bool report_fails; /* about a failure, too: it waits rather than be dropped */
    bool unquoted;     /* that could not be read */
    bool dropped;

    /* Run this inside the transaction, if it is there. */
    bool (*run)(struct database *db, void *context, struct err *err);
    void *context;
    bool reads; /* and it changes nothing */

    /* The store's own: the database does not take it for what it is, and that has been said; run it
     * once more. */
    bool bad, told, again;

    /* The answer. */
    bool ok;
    struct err err;
    void (*answer)(struct store_job *job);
    void *owner; /* for the one who asked */
    uint64_t session;
};

struct store_job *store_job_new(void (*answer)(struct store_job *job), void *owner);
void store_job_free(struct store_job *job);
struct store_outcome *store_job_add_outcome(struct store_job *job);

/* What those who keep the queue in memory are told; called on the store's thread, after a commit.
 */
struct store_events {
    /* Here due_ms and expires_ms are clock_steady_ms()'s: no step of the wall clock changes it. */
    void (*due)(void *context, const struct database_due *due, size_t count);
    /* The system's clock has been set, and what waits in the store has been moved along. */
    void (*stepped)(void *context, int64_t step_ms);
    void *context;
};

/* Lock the state directory, open what is there, begin the thread. A state directory that another
 * process holds is refused. `events->due` is also called, here, for all that waits from before.
 */
MUST_CHECK bool store_start(const char *state_dir, const struct store_events *events,
                            struct store **store_r, struct err *err);
/* How the store makes reports, from now on; without it none are made, and they stay owed. From any
 * thread. */
void store_set_reports(struct store *store, const char *hostname,
                       const struct throttle_settings *throttle);
/* Do all that is in the inbox, end the thread, free. False when an outcome was not recorded. */
bool store_stop(struct store *store);

/* From now on outcomes that cannot be recorded are answered as failed and not tried again: what
 * they were about is delivered again after the next start (C3). From any thread. */
void store_give_up(struct store *store);

/* Takes `job`; from any thread. */
void store_put(struct store *store, struct store_job *job);

/* A message that was accepted a moment ago, as the database has it: with its rows, nobody of it
 * suppressed, all of it due. Once; owned by the caller. NULL: ask the database. From any thread. */
struct mail *store_recent(struct store *store, int64_t id);

/* A new message id, later than any before; from any thread. */
int64_t store_new_id(struct store *store);
/* CONTENT_KEY bytes, the same for the life of the state directory: what contents are digested
 * with (content.h). Borrowed. */
const unsigned char *store_content_key(const struct store *store);
/* A number for a segment of its own; from any thread. */
int64_t store_new_segment(struct store *store);

/* Grows with each committed change of credentials or domains; from any thread. What was read of
 * them under another number may be out of date. */
uint64_t store_accounts(const struct store *store);

/* Outcomes cannot be recorded just now: deliver nothing (C5). From any thread. */
bool store_paused(struct store *store);

/* Run `run` as one transaction without a thread, holding the lock, for the command line when no
 * daemon runs. ERR_UNREACHABLE when a daemon holds the lock.
 */
MUST_CHECK bool store_run_alone(const char *state_dir,
                                bool (*run)(struct database *db, void *context, struct err *err),
                                void *context, struct err *err);

/* Make the directories and the empty database. */
MUST_CHECK bool store_create(const char *state_dir, struct err *err);

#endif
