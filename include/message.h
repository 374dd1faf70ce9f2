// SPDX-License-Identifier: BSD-2-Clause
/* message.h - Reads and checks the header of a message.
 *
 * The bytes are lines that end with CRLF (RFC 5322). Nothing is changed here: `compose` makes the
 * outgoing copy.
 */
#ifndef MESSAGE_H
#define MESSAGE_H

#include "address.h"
#include "err.h"
#include "span.h"

#include <stdint.h>

/* What receivers and libopendkim can take: beyond these a signature may be silently invalid. */
enum {
    MESSAGE_HEADER_MAX = 256 * 1024,
    MESSAGE_FIELD_MAX = 32 * 1024,
    MESSAGE_FIELDS_MAX = 5000,
    MESSAGE_SIGNED_MAX = 100, /* instances of fields that a signature names */
    MESSAGE_LINE_MAX = 998,
    MESSAGE_ID_MAX = 500,
    MESSAGE_SUBJECT_MAX = 998,
    MESSAGE_HOPS_MAX = 50
};

struct field {
    struct span raw;   /* name, colon, value, folds and the last CRLF */
    struct span name;  /* empty when the line is no field */
    struct span value; /* after the colon, without the last CRLF */
};

/* What a message's bytes were seen to hold while they arrived. */
struct message_facts {
    bool has_8bit;
    bool header_too_long; /* no end of the header within MESSAGE_HEADER_MAX */
};

/* What the header says; spans borrow from it. */
struct message_summary {
    struct address from;
    char from_domain[ADDRESS_DOMAIN_MAX + 1]; /* normal form */
    struct span stream;     /* value of the stream control header; empty when there is none */
    struct span message_id; /* with its brackets; empty when there is none */
    struct span once; /* what makes a repetition one: the idempotency key, else the Message-ID */
    bool has_key;
    bool has_utf8;    /* raw UTF-8 in the header (RFC 6532) */
    bool tls_verify;  /* the control header that demands verified TLS */
    bool tls_waived;  /* TLS-Required: No (RFC 8689 section 3) */
    unsigned senders; /* fields that say who sends it: From, Sender, Resent-From, Resent-Sender */
};

/* Take the next field off the front of `rest`; false at the end. Folded lines belong to their
 * field. */
bool message_next_field(struct span *rest, struct field *field_r);

/* Where the header ends: the offset just after its last field's CRLF. The body begins 2 bytes
 * later, after the empty line. Returns false when no empty line has been seen; the whole of `bytes`
 * is then header.
 */
bool message_header_length(struct span bytes, size_t *length_r);

/* The n-th (0 is the first) field of that name; false when there is none. */
bool message_find(struct span header, struct span name, size_t nth, struct field *field_r);

/* Is the header one that receivers accept and that means the same to all of them (RFC 5322
 * section 3.6, S33)? The verdict names the field and the rule. `utf8` says that SMTPUTF8 was given
 * (RFC 6531).
 */
struct verdict message_check(struct span header, bool utf8, struct message_summary *summary_r);

/* Not those that never do (Bcc, Return-Path, the control headers that an application sets for us)
 * nor those that say nothing (an empty Cc). */
bool message_leaves(const struct field *f);

/* Is it an Authentication-Results field that speaks in the name of `host`? Only we may do that (RFC
 * 8601 section 5). */
bool message_speaks_as(const struct field *f, const char *host);

/* The fields that a message cannot be without, of which it lacks some. */
struct message_lacks {
    bool date, id;
    int64_t created_ms;          /* when it came: its Date */
    const char *name, *hostname; /* its Message-ID is <name@hostname> */
};
/* Append what it lacks as it leaves (RFC 6409 section 8.2 and 8.3). */
void message_add_lacking(const struct message_lacks *lacks, struct buf *out);

/* RFC 5322 date-time in UTC; `text_r` holds at least 40 bytes. */
void message_date(int64_t unix_ms, char *text_r);
/* Is it one that exists (section 3.3, with the zones' names of 4.3)? `why_r` says what is wrong. */
MUST_CHECK bool message_date_valid(struct span value, const char **why_r);

#endif
