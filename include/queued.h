// SPDX-License-Identifier: BSD-2-Clause
/* queued.h - The rows of queued mail, as operators see and change them (database.h). */
#ifndef QUEUED_H
#define QUEUED_H

#include "database.h"

/* Which recipients; each part that is set must match. Only waiting and held ones are in the queue.
 * They come in order of id and number, beginning behind `after`; what takes a `limit` moves `after`
 * to the last one it has taken, so that the same filter gives the next page. */
struct database_filter {
    int64_t id; /* 0: any */
    const char *recipient, *domain, *sender, *credential, *tenant;
    const char *author; /* the domain in From, which signs */
    const char *hops; /* a JSON list, of domain, enum tls_need and source: where their mail leads */
    /* Also below: whose mail leaves from where, as config_source_rules() has it; or NULL. */
    const char *sources;
    int state; /* -1: any */
    struct {
        int64_t id, number; /* 0 and -1: the beginning */
    } after;
};

struct database_queued {
    int64_t id, due_ms, created_ms, expires_ms, length;
    unsigned number, tries;
    enum mail_state state;
    enum stream_class class;
    enum tls_need tls_need;
    int code;
    const char *recipient, *enhanced, *reply, *remote, *sender, *credential, *tenant, *stream,
        *source; /* borrowed during the call */
};
typedef void database_on_queued(void *context, const struct database_queued *row);

/* Up to `limit` rows; 0: all. */
MUST_CHECK bool database_queue(struct database *db, struct database_filter *filter, int64_t limit,
                               database_on_queued *on_row, void *context, struct err *err);
MUST_CHECK bool database_queue_count(struct database *db, const struct database_filter *filter,
                                     int64_t *count_r, struct err *err);

/* What waits, by the recipients' domain, what the mail demands of TLS and where it leaves from;
 * `due`: now, or it is under way. */
struct database_queue_domain {
    const char *domain; /* borrowed during the call; "": it was refused, only the report is due */
    enum tls_need tls_need;
    const char *source; /* "": any */
    const char *remote; /* of one of those that were tried: "host[address]"; or "" */
    int64_t due, deferred, held;
    int64_t oldest_ms, next_ms; /* next_ms: 0: all are held */
};
typedef void database_on_queue_domain(void *context, const struct database_queue_domain *row);
MUST_CHECK bool database_queue_domains(struct database *db, const char *sources, int64_t now_ms,
                                       database_on_queue_domain *on_domain, void *context,
                                       struct err *err);

/* All in the queue; `due`: now, or it is under way. */
struct database_states {
    int64_t due, deferred, held;
};
MUST_CHECK bool database_queue_states(struct database *db, int64_t now_ms,
                                      struct database_states *n_r, struct err *err);

/* Those that are deferred for these hops, a list as above. */
typedef void database_on_deferred(void *context, const char *tenant, enum stream_class class,
                                  int64_t count);
struct database_hops {
    const char *hops, *sources;
};
MUST_CHECK bool database_queue_deferred(struct database *db, struct database_hops which,
                                        int64_t now_ms, database_on_deferred *on_deferred,
                                        void *context, struct err *err);

/* What the first 20,000 of those heard last; `hops` NULL: of all that are deferred. */
struct database_reply {
    const char *domain, *source, *remote, *enhanced, *reply; /* borrowed during the call */
    enum tls_need tls_need;
    int code;
    int64_t count;
};
typedef void database_on_reply(void *context, const struct database_reply *row);
MUST_CHECK bool database_queue_replies(struct database *db, struct database_hops which,
                                       int64_t now_ms, database_on_reply *on_reply, void *context,
                                       struct err *err);

/* How many that wait for these hops, a list as above, expire until then. */
MUST_CHECK bool database_queue_expiring(struct database *db, struct database_hops which,
                                        int64_t until_ms, int64_t *count_r, struct err *err);

enum database_change {
    DATABASE_RETRY,
    DATABASE_HOLD,
    DATABASE_RELEASE,
    DATABASE_DELETE,
    DATABASE_RETURN /* they fail at once: their senders are told as when a server refuses */
};
/* Change up to `limit` that match, 0: all; how many is `changed_r`. Deleted recipients are reported
 * to nobody. `why`: for those that are returned; or "". */
MUST_CHECK bool database_queue_change(struct database *db, struct database_filter *filter,
                                      int64_t limit, enum database_change change, const char *why,
                                      int64_t *changed_r, struct err *err);

#endif
