// SPDX-License-Identifier: BSD-2-Clause
/* returns.h - Reads what comes back after a message has left: reports of delivery (RFC 3464, RFC
 * 6533), bounces in no standard's form, complaints (RFC 5965), automatic answers (RFC 3834).
 *
 * Anybody may write such a message. What is read here is what it claims, and proves nothing.
 */
#ifndef RETURNS_H
#define RETURNS_H

#include "reply.h"

enum {
    RETURNS_BYTES_MAX = 256 * 1024, /* of a message, from its start */
    RETURNS_PARTS_MAX = 20,
    RETURNS_DEPTH_MAX = 6,
    RETURNS_RECIPIENTS_MAX = 50,
    RETURNS_ADDRESS_MAX = 320,
    RETURNS_STATUS_MAX = 11, /* "5.123.123" */
    RETURNS_REPLY_MAX = 1000,
    RETURNS_ID_MAX = 500,
    RETURNS_WORD_MAX = 40
};

#define RETURNS_KINDS(X)                        \
    X(UNKNOWN, "unknown")                       \
    X(DSN_FAILED, "dsn-failed")                 \
    X(DSN_DELAYED, "dsn-delayed")               \
    X(DSN_DELIVERED, "dsn-delivered")           \
    X(DSN_RELAYED, "dsn-relayed")               \
    X(DSN_EXPANDED, "dsn-expanded")             \
    X(BOUNCE_NONSTANDARD, "bounce-nonstandard") \
    X(ARF, "arf")                               \
    X(MDN, "mdn")                               \
    X(AUTO_REPLY, "auto-reply")                 \
    X(CHALLENGE, "challenge")                   \
    X(LIST, "list")                             \
    X(HUMAN, "human")

#define RETURNS_KIND_ENUM(name, word) RETURNS_##name,
enum returns_kind { RETURNS_KINDS(RETURNS_KIND_ENUM) RETURNS_KIND_COUNT };
#undef RETURNS_KIND_ENUM
/* "dsn-failed" … */
const char *returns_kind_name(enum returns_kind kind);

/* RFC 3464 section 2.3.3, with the words that servers use instead. */
#define RETURNS_ACTIONS_LIST(X) \
    X(UNSAID, "unsaid")         \
    X(FAILED, "failed")         \
    X(DELAYED, "delayed")       \
    X(DELIVERED, "delivered")   \
    X(RELAYED, "relayed")       \
    X(EXPANDED, "expanded")

#define RETURNS_ACTION_ENUM(name, word) RETURNS_ACTION_##name,
enum returns_action { RETURNS_ACTIONS_LIST(RETURNS_ACTION_ENUM) RETURNS_ACTIONS };
#undef RETURNS_ACTION_ENUM
/* "failed" …; "unsaid": none, or one that nobody knows. */
const char *returns_action_name(enum returns_action action);

/* "" is what is not said. Of a complaint there is the address only, where it is told. */
struct returns_recipient {
    char address[RETURNS_ADDRESS_MAX + 1];  /* to whom we wrote, as far as it says */
    char original[RETURNS_ADDRESS_MAX + 1]; /* Original-Recipient */
    char final[RETURNS_ADDRESS_MAX + 1];    /* Final-Recipient, which may be another, or none */
    enum returns_action action;
    char status[RETURNS_STATUS_MAX + 1]; /* "5.1.1" (RFC 3463) */
    char reply[RETURNS_REPLY_MAX + 1];   /* what a server said, or a program, on one line */
    bool by_text; /* only the text beside the report says why, where it names `address` */
};

struct returns_reading {
    enum returns_kind kind;
    bool more; /* parts or recipients beyond the limits were left out */
    bool lost; /* a disposition notification: the message was thrown away unread */
    char feedback_type[RETURNS_WORD_MAX + 1];  /* of a complaint: "abuse", in lower case */
    bool complaint;                            /* and it is one that says: this is not wanted */
    char message_id[RETURNS_ID_MAX + 1];       /* of the message that came back, with brackets */
    char return_path[RETURNS_ADDRESS_MAX + 1]; /* an address with a token (returns_token.h), that it
                                                  came to, or that the message was sent from */
    size_t recipient_count;
    struct returns_recipient recipients[RETURNS_RECIPIENTS_MAX];
};

/* Who has sent it, by the envelope: nobody hears of it but from whoever took the message. */
enum returns_sender { RETURNS_SENDER_UNSAID, RETURNS_SENDER_NULL, RETURNS_SENDER_SOMEBODY };

/* Read a message with any line ends, its first RETURNS_BYTES_MAX. Reports count wherever they stand
 * among its parts, but not inside an attached message: people forward reports. `sender`: unsaid, it
 * is that of Return-Path, which the last server has added (RFC 5321 section 4.4). `reading_r` has
 * some 100 KB. False only when there is no memory for what it holds. */
MUST_CHECK bool returns_read(struct span message, enum returns_sender sender,
                             struct returns_reading *reading_r);

/* What a recipient's fate means. */
struct returns_judgement {
    struct verdict answer; /* what was judged, with the code that fits */
    struct reply_judgement reply;
    unsigned suppress_after; /* heard on so many days the recipient is suppressed; 0: never */
};

/* What came back of a recipient, judged as if it had been heard at RCPT: by the reply, or the
 * status where there is none. A mailbox that is not known suppresses at once only by a report in
 * the standard's form, which says why, about the recipient that we wrote to; else when it is heard
 * on a second day. False: the delivery has not failed, or nothing says why. */
MUST_CHECK bool returns_judge(const struct returns_reading *reading, size_t index,
                              struct returns_judgement *judgement_r);

/* In order: what is done for most. */
#define RETURNS_FOLLOWS_LIST(X)               \
    X(NOTHING, "nothing")                     \
    X(READ, "read")                           \
    X(WAIT, "wait")                           \
    X(KEEP, "keep")                           \
    X(SUPPRESS_LATER, "suppress-if-repeated") \
    X(SUPPRESS, "suppress")                   \
    X(STOP, "stop")

#define RETURNS_FOLLOWS_ENUM(name, word) RETURNS_FOLLOWS_##name,
enum returns_follows { RETURNS_FOLLOWS_LIST(RETURNS_FOLLOWS_ENUM) RETURNS_FOLLOWS_COUNT };
#undef RETURNS_FOLLOWS_ENUM
/* "nothing"; "read": a person has to; "wait": it is tried again; "keep": it failed, but not because
 * the mailbox is gone; "suppress-if-repeated": on another day; "suppress"; "stop": the recipient
 * does not want such mail. */
const char *returns_follows_name(enum returns_follows follows);

/* For one recipient; for the message. */
enum returns_follows returns_follows(const struct returns_reading *reading, size_t index);
enum returns_follows returns_follows_all(const struct returns_reading *reading);

#endif
