// SPDX-License-Identifier: BSD-2-Clause
/* webhooks.h - Endpoints that are told of a tenant's mail, and their outbox: what each is to be
 * told, written with the event that it is about. What changes rows is called in the store's
 * transaction. Times are wall-clock times.
 */
#ifndef WEBHOOKS_H
#define WEBHOOKS_H

#include "database.h"
#include "webhook_secret.h"
#include "webhook_url.h"

enum {
    WEBHOOKS_OF_TENANT = 16,
    WEBHOOK_STREAMS_MAX = 500,
    WEBHOOK_REPLY_MAX = 200,
    WEBHOOK_REPLAY_AT_ONCE = 1000
};

struct webhook {
    int64_t id;
    char tenant[64];
    char url[WEBHOOK_URL_MAX + 1];
    unsigned types;                        /* bits of enum webhook_type */
    char streams[WEBHOOK_STREAMS_MAX + 1]; /* ",reset,news,"; "": all */
    bool hashed;                           /* of addresses it is told a digest only */
    char secret[WEBHOOK_SECRET_TEXT];      /* "whsec_…" */
    char old_secret[WEBHOOK_SECRET_TEXT];  /* the one before; "": none */
    int64_t old_until_ms;                  /* that signs, too, until then */
    int64_t created_ms, failing_ms;        /* failing_ms 0: it takes what it is sent */
    char reply[WEBHOOK_REPLY_MAX];         /* of the last failure */
    char disabled[WEBHOOK_REPLY_MAX];      /* why; "": it is not */
    int64_t lost; /* events that went before they were sent, or were given up */
};
typedef void database_on_webhook(void *context, const struct webhook *w);

/* All endpoints, in the order of their numbers; borrowed for the call. */
MUST_CHECK bool database_webhooks(struct database *db, database_on_webhook *on_webhook,
                                  void *context, struct err *err);
/* One; ERR_NOT_FOUND. */
MUST_CHECK bool database_webhook(struct database *db, int64_t id, struct webhook *w_r,
                                 struct err *err);
/* How many events wait to be sent. */
MUST_CHECK bool database_webhook_waiting(struct database *db, int64_t id, int64_t *count_r,
                                         struct err *err);
/* `id_r`: its number. ERR_LIMIT: its tenant has WEBHOOKS_OF_TENANT. */
MUST_CHECK bool database_webhook_add(struct database *db, const struct webhook *w, int64_t *id_r,
                                     struct err *err);
MUST_CHECK bool database_webhook_remove(struct database *db, int64_t id, struct err *err);
/* The old secret signs, too, until then. */
MUST_CHECK bool database_webhook_rotate(struct database *db, int64_t id, const char *secret,
                                        int64_t old_until_ms, struct err *err);
/* It is sent all that waits, now. */
MUST_CHECK bool database_webhook_enable(struct database *db, int64_t id, int64_t now_ms,
                                        struct err *err);
/* Nothing is sent to it any more; what happens is kept. */
MUST_CHECK bool database_webhook_disable(struct database *db, int64_t id, const char *why,
                                         struct err *err);
/* The same, found by the relay: said in the audit trail, which alerts are made of. */
MUST_CHECK bool database_webhook_give_up(struct database *db, int64_t id, const char *why,
                                         struct err *err);
/* Since when it fails, and what it said last; 0: it does not. */
MUST_CHECK bool database_webhook_failing(struct database *db, int64_t id, int64_t since_ms,
                                         const char *reply, struct err *err);
/* An event that only it is told; refused of one that is disabled, as is a replay. */
MUST_CHECK bool database_webhook_ping(struct database *db, int64_t id, int64_t now_ms, char *id_r,
                                      struct err *err);

/* What was written for it is sent again, sent before or not: up to WEBHOOK_REPLAY_AT_ONCE rows are
 * looked at. Call it again with what `after` has become, while `more`. */
struct webhook_replay {
    int64_t webhook, since_ms;
    const char *id; /* only that one; NULL: any */
    int64_t after, now_ms;
    int64_t count; /* that are sent again */
    bool more;
};
MUST_CHECK bool database_webhook_replay(struct database *db, struct webhook_replay *r,
                                        struct err *err);

/* ---- for who sends ---- */

struct outbox_row {
    int64_t id, webhook, event, at_ms;
    unsigned tries;
    const char *body; /* borrowed for the call */
};
typedef void database_on_outbox(void *context, const struct outbox_row *row);

/* What is due, the oldest first. */
MUST_CHECK bool database_outbox_due(struct database *db, int64_t webhook, int64_t now_ms,
                                    int64_t limit, database_on_outbox *on_row, void *context,
                                    struct err *err);

/* What came of one attempt. */
struct outbox_result {
    int64_t id, webhook, event;
    bool again; /* at due_ms; else it is done with */
    bool lost;  /* it was not sent, and is not sent again */
    int64_t due_ms;
    unsigned tries;
    bool unreached;
};
MUST_CHECK bool database_outbox_settle(struct database *db, const struct outbox_result *r,
                                       struct err *err);
/* It can be reached again: what it missed is due now. */
MUST_CHECK bool database_outbox_recover(struct database *db, int64_t webhook, int64_t now_ms,
                                        struct err *err);

/* How many bytes of events an endpoint may have in the outbox, sent or not, and all tenants
 * together (0: any number), of which each has a share (tenant_shares.h); beyond that the oldest go.
 * From any thread. */
void database_limit_outbox(uint64_t each, uint64_t all);

#endif
