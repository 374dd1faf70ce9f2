// SPDX-License-Identifier: BSD-2-Clause
/* bounce.h - Delivery status notifications (RFC 3464, 6522, 6533) about mail that was not
 * delivered, or whose sender requested a report. */
#ifndef BOUNCE_H
#define BOUNCE_H

#include "buf.h"
#include "err.h"
#include "reply.h"

/* The gravest first. */
enum bounce_action { BOUNCE_FAILED, BOUNCE_DELAYED, BOUNCE_RELAYED, BOUNCE_ACTIONS };

struct bounce_recipient {
    enum bounce_action action;
    struct span address;  /* as given at RCPT */
    struct span original; /* ORCPT as given, xtext; empty when there was none */
    struct verdict answer;
    struct span remote;        /* host that it was about; empty: none */
    bool heard;                /* that host has answered so; else the answer is ours */
    enum reply_category meant; /* what its answer means; REPLY_UNKNOWN: nobody knows */
};

struct bounce_input {
    const char *hostname, *from_domain, *id; /* id: of the message that is reported */
    struct span to;                          /* the original sender */
    struct span envelope_id;                 /* ENVID as given, xtext; empty when there was none */
    struct span header;                      /* of the original, as it came */
    struct span body;                        /* of the original; reported when `full` */
    bool full;
    int64_t arrived_ms, now_ms, expires_ms;
    const struct bounce_recipient *recipients; /* the gravest first: the subject speaks of it */
    size_t count;
};

/* Append the whole notification, header and body, CRLF lines: in plain words what has happened,
 * then what was said, then the same for programs, then the original with the Date and Message-ID
 * that it left with. False when it does not fit into `out`. The caller sends it from the null
 * sender, and never for a message that came from the null sender (RFC 5321 section 4.5.5).
 */
MUST_CHECK bool bounce_write(const struct bounce_input *in, struct buf *out);

/* Append what an xtext (RFC 3461 section 4) stands for; control bytes become '?'. False when it is
 * no xtext. */
MUST_CHECK bool bounce_xtext_decode(struct span xtext, struct buf *out);

#endif
