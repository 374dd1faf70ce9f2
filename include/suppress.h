// SPDX-License-Identifier: BSD-2-Clause
/* suppress.h - Decides which mail a suppressed recipient does not get.
 *
 * An entry applies to exactly the mailbox that refused mail, or whose owner asked for it. What a
 * provider may ignore in an address (tags, dots) is used for counting, never for blocking, because
 * only the receiver knows whether bob+shop is bob. Case is ignored, see address_same_form(). An
 * entry belongs to one tenant or to all, and to one stream or to all. It never applies to mail that
 * a person needs: see suppress_applies().
 */
#ifndef SUPPRESS_H
#define SUPPRESS_H

#include "address.h"
#include "err.h"
#include "reply.h"
#include "stream.h"

/* Stored in the database: never renumber. */
enum suppress_reason {
    SUPPRESS_UNSUBSCRIBE = 0,
    SUPPRESS_BOUNCE = 1, /* a receiver has said that there is no such mailbox */
    SUPPRESS_COMPLAINT = 2,
    SUPPRESS_MANUAL = 3,
    SUPPRESS_FLOOD = 4, /* the recipient has stopped everything for a while */
    SUPPRESS_REASONS = 5
};
const char *suppress_reason_name(enum suppress_reason reason);
MUST_CHECK bool suppress_reason_parse(struct span name, enum suppress_reason *reason_r);

enum { SUPPRESS_ANSWERS_FOR_SECURITY = 2 };

struct suppress_entry {
    char address[ADDRESS_CANONICAL_MAX + 1];
    bool every_spelling; /* for whatever counts as this mailbox: a stop of all mail by its owner,
                            and what an older version has written */
    unsigned answers;    /* with SUPPRESS_BOUNCE: on so many days the receiver has said so */
    unsigned needed;     /* on so many it must have, or nothing is kept back; 0 as 1 */
    char tenant[64];     /* empty: all */
    char stream[64];     /* empty: all */
    enum suppress_reason reason;
    char source[80]; /* who or what has made it: "one-click", "command", a host … */
    int64_t created_ms, expires_ms; /* expires_ms 0: never */
};

/* Does an entry for this mailbox keep back mail of a stream (empty: none) and class? Security mail
 * is kept back by `manual` only, and by `bounce` when the receiver has said so on two days;
 * confirmations also by `flood` and `complaint`; an unsubscription from one stream always keeps
 * back that stream. */
bool suppress_applies(const struct suppress_entry *e, const char *tenant, const char *stream,
                      enum stream_class class, int64_t now_ms);

/* 550 5.7.1, with reason and date. */
struct verdict suppress_verdict(const struct suppress_entry *e);

/* Who takes part in what a server has answered. */
struct suppress_sides {
    struct span sender, from_domain; /* what was said at MAIL, and the author's domain */
    struct span hostname;            /* ours, as said at EHLO */
    struct span recipient;
    const char *const *ips; /* our own, where they are known */
    size_t ip_count;
};

/* On how many days must a receiver have given this answer before it suppresses the recipient? 0: it
 * never does, as the judgement says, or because the answer may be about us: it names our host, our
 * address, or the sender's domain. */
unsigned suppress_after(const struct reply_judgement *judgement, const struct verdict *answer,
                        const struct suppress_sides *sides);
/* For how long, in ms, where the settings say so many days: at most a month of a domain that does
 * not exist, as it may be back. */
int64_t suppress_for_ms(enum reply_category category, unsigned days);
/* Does an answer at `now_ms` count beside the one at `last_ms`? On another day (UTC), and not only
 * because midnight has passed. */
bool suppress_is_another_day(int64_t last_ms, int64_t now_ms);

#endif
