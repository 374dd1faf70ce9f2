// SPDX-License-Identifier: BSD-2-Clause
/* webhook_body.h - What an endpoint is sent of one event: JSON in ASCII, {type, timestamp, data},
 * under 20 KB whatever the event holds. contrib/webhook.schema.json describes it. */
#ifndef WEBHOOK_BODY_H
#define WEBHOOK_BODY_H

#include "buf.h"
#include "webhook_type.h"

enum { WEBHOOK_ID_TEXT = 5 + 2 * 16 + 1, WEBHOOK_BODY_MAX = 20 * 1000 };

/* One event. Texts are borrowed; NULL or "": not known, and left out. */
struct webhook_event {
    enum webhook_type type;
    bool hashed;                    /* of addresses only their SHA-256, and no text that has them */
    int64_t at_ms;                  /* wall clock */
    int64_t event;                  /* its id in the history: later events have higher ones */
    int64_t message;                /* the relay's id; 0: of none */
    const char *recipient, *sender; /* envelope addresses */
    const char *message_id;         /* as the application wrote it */
    const char *stream, *user;      /* user: the credential */
    int code;                       /* of SMTP; 0: none */
    const char *source;             /* which of our addresses it left from; NULL or "": not said */
    const char *enhanced, *reply, *remote, *category, *rule; /* what was answered, and by whom */
};

/* Appends it. `out` has room for WEBHOOK_BODY_MAX. */
void webhook_body_write(const struct webhook_event *e, struct buf *out);

/* The `webhook-id`: the same whenever the event is sent, of no other event; `id_r` holds
 * WEBHOOK_ID_TEXT bytes. The time makes part of it, as event ids begin anew when all events were
 * forgotten. */
void webhook_body_id(int64_t at_ms, int64_t event, char *id_r);

#endif
