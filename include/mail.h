// SPDX-License-Identifier: BSD-2-Clause
/* mail.h - A message: envelope, trace, place of its bytes, and the state of each recipient. */
#ifndef MAIL_H
#define MAIL_H

#include "address.h"
#include "envelope.h"
#include "stream.h"
#include "tls_need.h"

/* Stored in the database: never renumber. The moves are at the head of relay/store/store.c. */
enum mail_state { MAIL_WAITING = 0, MAIL_HELD = 1, MAIL_DONE = 2, MAIL_BOUNCED = 3 };
enum { MAIL_STATES = 4, MAIL_ID_TEXT = 16 };

/* Where a record lies: spool/<segment>.seg, at this offset; `length` counts the message's bytes.
 * Segment 0: nowhere yet. */
struct mail_place {
    int64_t segment;
    int64_t offset;
    int64_t length;
};

/* The row of one recipient, beside envelope.rcpts[] of the same index. */
struct mail_row {
    unsigned number; /* within the message, from 0 */
    enum mail_state state;
    unsigned tries;
    int64_t due_ms;
    bool delay_told; /* the sender has been told of the delay */
    int code;        /* of the last reply; 0: there was none yet */
    char enhanced[12], reply[160];
    char remote[280]; /* by whom it was said, or where there was trouble, as a row has it */
    bool over;        /* its time is: that reply is the last one */
};

struct mail {
    int64_t id;
    int64_t created_ms, expires_ms;
    enum stream_class class;
    char stream[64], tenant[64], credential[ADDRESS_MAX + 1];
    char from_domain[ADDRESS_DOMAIN_MAX + 1]; /* the signature's d= */
    char *message_id; /* of the header, with its brackets; NULL when not known; owned */
    struct envelope envelope;
    struct mail_row *rows; /* when read from the store; NULL before */
    char helo[256], peer[64],
        protocol[16]; /* trace; protocol is empty for mail that we made ourselves */
    bool header_utf8, body_8bit,
        dialogue; /* dialogue: the SMTP dialogue of its delivery goes into the events */
    enum tls_need tls_need;
    struct mail_place place;
};

/* The stream of mail that carries a TLS report of ours (RFC 8460); no setting can name one so. */
#define MAIL_TLS_REPORT "(tls report)"
bool mail_is_tls_report(const struct mail *m);

/* Everything is zero, and owned by it: freed by mail_free(), which allows NULL. */
struct mail *mail_new(void);
void mail_free(struct mail *m);

/* An id as people see it: 13 letters and digits. */
void mail_id_print(int64_t id, char *text_r); /* MAIL_ID_TEXT bytes */
MUST_CHECK bool mail_id_parse(struct span text, int64_t *id_r);

/* As people see it: "waiting", "held" … */
const char *mail_state_name(enum mail_state state);
MUST_CHECK bool mail_state_parse(struct span name, enum mail_state *state_r);

#endif
