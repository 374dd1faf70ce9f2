// SPDX-License-Identifier: BSD-2-Clause
/* reply.h - What a receiver means by a refusal: one of eighteen categories, and what it is about.
 *
 * Replies have codes, which many receivers use as they like, and words. Rules in a file of their
 * own (policy/reply/rules.txt) are tried in this order: what a provider is known to say, words that
 * many say, the enhanced code (RFC 3463), and at last the first digit. Words inside of addresses,
 * names of hosts, URLs and identifiers never count: see reply_words.h.
 */
#ifndef REPLY_H
#define REPLY_H

#include "err.h"
#include "span.h"

#include <stdint.h>

#define REPLY_CATEGORIES_LIST(X)                             \
    X(UNKNOWN, "unknown", REPLY_ABOUT_NOTHING)               \
    X(MAILBOX_UNKNOWN, "mailbox_unknown", REPLY_MAILBOX)     \
    X(DOMAIN_UNKNOWN, "domain_unknown", REPLY_MAILBOX)       \
    X(MAILBOX_DISABLED, "mailbox_disabled", REPLY_MAILBOX)   \
    X(MAILBOX_FULL, "mailbox_full", REPLY_MAILBOX)           \
    X(RECIPIENT_REFUSED, "recipient_refused", REPLY_MAILBOX) \
    X(RECIPIENT_RATE, "recipient_rate", REPLY_MAILBOX)       \
    X(RATE_LIMITED, "rate_limited", REPLY_SOURCE)            \
    X(REPUTATION, "reputation", REPLY_SOURCE)                \
    X(AUTH_FAILED, "auth_failed", REPLY_SENDER)              \
    X(CONTENT_REFUSED, "content_refused", REPLY_MESSAGE)     \
    X(MESSAGE_INVALID, "message_invalid", REPLY_MESSAGE)     \
    X(TOO_BIG, "too_big", REPLY_MESSAGE)                     \
    X(TLS_FAILED, "tls_failed", REPLY_SOURCE)                \
    X(GREYLISTED, "greylisted", REPLY_SOURCE)                \
    X(RELAY_DENIED, "relay_denied", REPLY_SOURCE)            \
    X(SERVER_ERROR, "server_error", REPLY_SERVER)            \
    X(NETWORK, "network", REPLY_SERVER)

#define REPLY_ENUM(name, word, about) REPLY_##name,
enum reply_category { REPLY_CATEGORIES_LIST(REPLY_ENUM) REPLY_CATEGORIES };
#undef REPLY_ENUM

/* "mailbox_unknown" … */
const char *reply_category_name(enum reply_category category);
/* REPLY_UNKNOWN: there is none of that name. */
enum reply_category reply_category_of(struct span name);

/* Whom or what the answer is about. */
enum reply_about {
    REPLY_ABOUT_NOTHING, /* it does not say */
    REPLY_MAILBOX,       /* this recipient */
    REPLY_MESSAGE,       /* this message: what it holds, its form, its size */
    REPLY_SENDER,        /* the sender's address or domain */
    REPLY_SOURCE,        /* us: our host, its address, its network, how it speaks */
    REPLY_SERVER,        /* the receiver's own trouble */
    REPLY_ABOUTS
};
/* "mailbox" …; "nothing". */
const char *reply_about_name(enum reply_about about);

/* Which command was answered so. Before RCPT nothing is about a mailbox. */
enum reply_stage {
    REPLY_AT_CONNECT, /* the greeting, EHLO, STARTTLS, AUTH */
    REPLY_AT_MAIL,
    REPLY_AT_RCPT,
    REPLY_AT_DATA, /* and the end of the message */
    REPLY_STAGES
};
/* "connect", "mail", "rcpt", "data". */
const char *reply_stage_name(enum reply_stage stage);
MUST_CHECK bool reply_stage_parse(struct span name, enum reply_stage *stage_r);

/* By what it was judged. */
enum reply_by { REPLY_BY_PROVIDER, REPLY_BY_TEXT, REPLY_BY_CODE, REPLY_BY_DIGIT, REPLY_BYS };
/* "provider", "text", "code", "digit". */
const char *reply_by_name(enum reply_by by);

enum { REPLY_RULE_NAME = 40 };

struct reply_judgement {
    enum reply_category category;
    enum reply_about about;
    enum reply_by by;
    char rule[REPLY_RULE_NAME]; /* the rule's name in rules.txt; "digit-5" when there was none */
    bool retry;                 /* it may be tried again; else it is over */
    unsigned suppress_after;    /* heard on so many days the recipient is suppressed; 0: never */
};

struct reply_input {
    const struct verdict *answer; /* of a server: 4yz or 5yz */
    enum reply_stage stage;
    struct span provider; /* as the table of MX hosts calls it; empty: it is not known */
};

/* Judge an answer. The first 1,000 octets of its text count. It takes a tenth of a millisecond, and
 * no memory but the stack.
 *
 * A 4yz is tried again and a 5yz is not (RFC 5321 section 4.2.1), but for a 552 that means too many
 * recipients (section 4.5.3.1.10). Only a 5yz to RCPT suppresses: by a rule that says that mailbox
 * or domain do not exist at once, and that the mailbox is disabled on the second day; never by
 * 5.7.z alone, never `unknown`. */
struct reply_judgement reply_judge(const struct reply_input *in);

/* How long, in ms, a text asks us to wait: "try again in 300 seconds", "00:04:59". 0: it does not
 * say, or not in English. */
int64_t reply_delay_ms(struct span text);

/* A reply as somebody has written it down, "550-5.1.1 No such\n550 5.1.1 user": its code, enhanced
 * code and text. False: it does not begin with a code from 400 to 599. */
MUST_CHECK bool reply_read(struct span text, struct verdict *answer_r);

#endif
