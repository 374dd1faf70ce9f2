// SPDX-License-Identifier: BSD-2-Clause
/* database.h - The rows of the store. What needs changing is called on the store's thread, inside
 * its transaction; what only reads may be called with any thread's own read-only database.
 *
 * A second engine would take the place of relay/store/ behind this header and store.h.
 */
#ifndef DATABASE_H
#define DATABASE_H

#include "err.h"
#include "identity.h"
#include "key.h"
#include "mail.h"
#include "tenant_shares.h"
#include "throttle.h"

struct database;

enum database_mode {
    DATABASE_CREATE,
    DATABASE_SERVE, /* also what an earlier release has written: it is brought up */
    DATABASE_WRITE,
    DATABASE_READ
};

/* state_dir/state.db. There must be no more than one that writes at a time, anywhere: SQLite
 * before 3.51.3 can lose data when one connection writes while another checkpoints. Free with
 * database_close().
 */
MUST_CHECK bool database_open(const char *state_dir, enum database_mode mode,
                              struct database **db_r, struct err *err);
void database_close(struct database *db);

/* What all open databases keep of their pages in memory, together, at most. From any thread. */
void database_limit_cache(uint64_t bytes);

/* Could it be opened, as far as the file's head tells? Nothing is changed, no lock taken. */
MUST_CHECK bool database_check_file(const char *state_dir, struct err *err);

/* ---- mail ---- */

/* A recipient that waits, for the queue. */
struct database_due {
    int64_t message, due_ms, expires_ms;
    unsigned number;
    enum stream_class class;
    enum tls_need tls_need;
    bool retried; /* by an operator, who wants it to go now whatever was the matter */
    char tenant[64], stream[64];
    char domain[ADDRESS_DOMAIN_MAX + 1]; /* "": it was refused, and nobody is to be asked */
};
typedef void database_on_due(void *context, const struct database_due *due);

typedef void database_on_place(void *context, const struct mail_place *place);

/* Where each message lies, and all recipients that wait; what is held is counted, too (shares.c).
 * Once, when the store is opened. */
MUST_CHECK bool database_waiting(struct database *db, database_on_place *on_place,
                                 database_on_due *on_due, void *context, struct err *err);

/* One message with its recipients of any state; false with ERR_NOT_FOUND when it is settled or
 * never was. */
MUST_CHECK bool database_mail(struct database *db, int64_t id, struct mail **mail_r,
                              struct err *err);

/* All that is read in between is of one moment. */
MUST_CHECK bool database_begin_reading(struct database *db, struct err *err);
void database_end_reading(struct database *db);

/* ---- events ---- */

struct database_event {
    int64_t id, at_ms, message;
    int code;
    const char *kind, *recipient, *enhanced, *reply, *remote; /* borrowed during the call */
    const char *credential;                                   /* whose mail it is; NULL: not said */
    const char *message_id, *sender; /* as far as they are known; NULL: they are not */
    const char *tenant; /* in whose share it counts, and is not written; NULL: in nobody's */
    const char *stream; /* for webhooks, and not written; NULL: not said */
    unsigned number;    /* of the recipient, where it is delayed; the same */
    bool own;           /* of mail that the relay has made itself; the same */
    bool first_time;    /* it has never written to the recipient before */
    const char *tls_policy, *tls_result; /* tls_policy.h; literals, or NULL or "": not said */
    const char *tlsa;            /* the record that has fit, as tlsa_print() has it; the same */
    const char *source;          /* which of our addresses it is about; NULL or "": not said */
    const char *category, *rule; /* what the answer meant, and by which rule (reply.h); the same */
};
typedef void database_on_event(void *context, const struct database_event *event);

/* The names of the kinds of events, in alphabetical order; NULL behind the last one. */
const char *database_event_kind(size_t i);

/* Up to `limit` events after the one with id `after`. */
MUST_CHECK bool database_events(struct database *db, int64_t after, int64_t limit,
                                database_on_event *on_event, void *context, struct err *err);
/* In the store's transaction. */
MUST_CHECK bool database_add_event(struct database *db, const struct database_event *event,
                                   struct err *err);
MUST_CHECK bool database_last_event(struct database *db, int64_t *id_r, struct err *err);

/* What to look for: NULL: anything. A recipient "@dest.test" is everybody in that domain. What
 * became of a message is found by its sender, Message-ID and credential, too. */
struct database_search {
    const char *kind, *recipient, *sender, *message_id, *credential;
    int64_t since_ms,
        until_ms;          /* from the first on, before the second; 0 and INT64_MAX: any time */
    int64_t after, before; /* between events with these ids; 0: any */
    int64_t limit;
    bool forward; /* the oldest first; else the newest */
};
/* Up to `limit` events. A call looks at some 500,000 rows. Afterwards, when searching forward,
 * `after` is the last event that was looked at; when searching back, `before` is where the next
 * call goes on, or 0 when there is nothing more to look at or enough was found. */
MUST_CHECK bool database_search_events(struct database *db, struct database_search *q,
                                       database_on_event *on_event, void *context, struct err *err);
/* All events of one message. */
MUST_CHECK bool database_trace(struct database *db, int64_t message, database_on_event *on_event,
                               void *context, struct err *err);

/* ---- the throttle ---- */

/* The buckets of a mailbox for one tenant and class, as they are; of a stream that is counted apart
 * when it is not NULL. */
MUST_CHECK bool database_buckets(struct database *db, const char *tenant,
                                 const struct address *recipient, enum stream_class class,
                                 const char *stream,
                                 struct throttle_bucket buckets_r[THROTTLE_BUCKETS],
                                 struct err *err);
/* What can be said at RCPT; `settings` as for store_job.throttle. Reads only. */
MUST_CHECK bool database_glance(struct database *db, const struct throttle_settings *settings,
                                const char *tenant, const char *recipient, const char *domain,
                                struct throttle_decision *decision_r, struct err *err);
/* Write down that a recipient was refused at RCPT; in the store's transaction. */
MUST_CHECK bool database_refused(struct database *db, const struct throttle_settings *settings,
                                 const char *tenant, const char *credential, const char *recipient,
                                 const char *domain, struct err *err);
/* The tenant's own rate. */
MUST_CHECK bool database_rate(struct database *db, const char *tenant,
                              struct throttle_bucket *bucket_r, struct err *err);
/* Its first-time recipients. */
MUST_CHECK bool database_new_recipients(struct database *db, const char *tenant, int64_t now_ms,
                                        struct throttle_new_recipients *n_r, struct err *err);
enum database_top_by {
    DATABASE_TOP_RECIPIENT,
    DATABASE_TOP_USER,
    DATABASE_TOP_DOMAIN,
    DATABASE_TOP_TENANT
};
struct database_top {
    const char *who; /* borrowed during the call */
    int64_t accepted, paced, collapsed, refused;
};
typedef void database_on_top(void *context, const struct database_top *row);
/* Who has most recipients' worth of mail since then, the first `limit` of them. */
MUST_CHECK bool database_top(struct database *db, enum database_top_by by, int64_t since_ms,
                             int64_t limit, database_on_top *on_top, void *context,
                             struct err *err);
/* Forget them, and what is counted for the mailbox over the whole relay; not the tenant's rate and
 * not the domain's. */
MUST_CHECK bool database_reset_buckets(struct database *db, const char *tenant,
                                       const struct address *recipient, enum stream_class class,
                                       const char *stream, struct err *err);

/* Forget the tenant's own rate, and today's first-time recipients. */
MUST_CHECK bool database_reset_tenant(struct database *db, const char *tenant, int64_t now_ms,
                                      struct err *err);

#endif
