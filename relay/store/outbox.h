// SPDX-License-Identifier: BSD-2-Clause
/* outbox.h - Inside the store: what endpoints are told, written in the transaction of the event. */
#ifndef OUTBOX_H
#define OUTBOX_H

#include "webhook_type.h"
#include "webhooks.h"

/* An endpoint, as it is kept in memory by the connection that writes. */
struct outbox_endpoint {
    struct outbox_endpoint *next; /* list */
    int64_t id, created_ms;
    uint64_t written_in; /* db->outbox_turn: the last that has changed its rows */
    bool measured;       /* begin and end are known */
    int64_t begin, end;  /* of what it has in the outbox, in bytes that were ever written for it */
    bool lost;           /* some went before they were sent, since that was told */
    bool by_share;       /* the last of them for want of its tenant's share */
    int64_t told_ms;     /* when it was */
    unsigned types;
    bool hashed;
    char tenant[64];
    char streams[WEBHOOK_STREAMS_MAX + 1];
};

/* An event has been written, under this id: tell those who want it. */
MUST_CHECK bool outbox_event(struct database *db, const struct database_event *e, int64_t id,
                             struct err *err);
/* Of a type that is no event of a message's history. */
MUST_CHECK bool outbox_event_of(struct database *db, enum webhook_type type,
                                const struct database_event *e, int64_t id, struct err *err);
/* The same for one endpoint, whatever it wants. */
MUST_CHECK bool outbox_event_to(struct database *db, int64_t webhook,
                                const struct database_event *e, int64_t id, struct err *err);

/* Endpoints have been changed by the open transaction: they are read anew when they are needed. */
void outbox_changed(struct database *db);
/* Something of the open transaction has been undone. */
void outbox_undone(struct database *db);
void outbox_fini(struct database *db);
/* One that is in no list any more: frees it. */
void outbox_forget(struct database *db, struct outbox_endpoint *p);

/* db->endpoints are there. */
MUST_CHECK bool outbox_know(struct database *db, struct err *err);
/* ---- how much there may be (outbox_room.c) ---- */

/* How many bytes it has, if that is not known; its tenant has them, too. */
MUST_CHECK bool outbox_measure(struct database *db, struct outbox_endpoint *p, struct err *err);
/* It is not known any more. */
void outbox_unmeasure(struct database *db, struct outbox_endpoint *p);
/* So many bytes are written for one that is measured. */
void outbox_grow(struct database *db, struct outbox_endpoint *p, int64_t bytes);
/* Behind that row: what is too much goes, the oldest first. */
MUST_CHECK bool outbox_make_room(struct database *db, struct outbox_endpoint *p, int64_t added,
                                 struct err *err);
/* What has gone. */
struct outbox_gone {
    bool more; /* there may be more that is old */
    bool lost; /* some of it was not sent */
};
/* Of the oldest rows of an endpoint some hundred that are older go. */
MUST_CHECK bool outbox_forget_oldest(struct database *db, struct outbox_endpoint *p,
                                     int64_t before_ms, struct outbox_gone *gone_r,
                                     struct err *err);

/* Between transactions (outbox_sweep.c): forget what is too old, some at a time; true when there
 * is more. And tell who has lost something, once an hour for each. */
bool outbox_sweep(struct database *db, int64_t now_ms);
void outbox_tell_lost(struct database *db, int64_t now_ms);

#endif
