// SPDX-License-Identifier: BSD-2-Clause
/* compose.h - Make the outgoing copy: trace, missing fields, removed fields, what the hop does not
 * take converted, then the signature over exactly the bytes that leave (C7).
 */
#ifndef COMPOSE_H
#define COMPOSE_H

#include "buf.h"
#include "err.h"
#include "sevenbit.h"
#include "signing.h"

/* Gives the submitted body piece by piece: an empty chunk is the end. Called until then, or until
 * it fails. */
typedef bool compose_read(void *context, struct span *chunk_r, struct err *err);
/* The next piece is the first one. */
typedef void compose_rewind(void *context);

/* A body as it was submitted: what signing it for the first recipient found out serves the others.
 */
struct compose_body {
    uint64_t length;
    unsigned char hash[SIGNING_BODY_HASH];
};

/* What a message's body may leave as; each is always the same bytes. */
enum compose_form {
    COMPOSE_AS_SUBMITTED = 0,
    COMPOSE_IN_7BIT,
    COMPOSE_IN_ASCII /* in seven bits, as the header is */
};
enum { COMPOSE_FORMS = 3 };

struct compose_input {
    struct span header; /* as submitted, up to its last field's CRLF */
    compose_read *read_body;
    compose_rewind *rewind_body; /* called before each reading */
    void *context;
    const struct compose_body *known[COMPOSE_FORMS]; /* NULL: it is read for the signature, too */
    bool header_has_utf8, body_has_8bit;
    /* trace (RFC 5321 section 4.4) */
    const char *hostname, *id;
    struct span helo, peer,
        protocol;               /* protocol: "ESMTPSA"; empty for mail that we made ourselves */
    bool trace_client;          /* helo and peer are said */
    struct span only_recipient; /* for the "for" clause; empty when there are several */
    int64_t created_ms;
    /* stream: what lets this recipient end it (RFC 8058), and what tells Gmail's reports apart;
     * empty: nothing. What the message has already is kept. */
    struct span unsubscribe_url, feedback_id;
    /* the hop */
    bool hop_8bitmime, hop_smtputf8;
    /* the signature */
    const char *domain;
    const struct signing_key *keys;
    size_t key_count;
};

enum compose_result {
    COMPOSE_OK,
    COMPOSE_NEVER, /* this hop cannot take the message: `verdict` says why */
    COMPOSE_FAULT  /* our side could not do it: `err` says why; nothing may leave */
};

/* What a conversion is given at once, and room for what it becomes: encoded fields of a part may be
 * in it. */
enum { COMPOSE_PIECE_MAX = 64 * 1024, COMPOSE_CONVERTED_MAX = 4 * 1024 * 1024 };

struct compose_output {
    struct buf head; /* all fields and the empty line */
    /* What the submitted body goes through on its way out; NULL: it leaves as it is. */
    struct sevenbit *conversion;
    struct compose_body body; /* of what leaves */
    bool header_converted;
    struct verdict verdict;
    struct err err;
};

/* What `out` leaves as: it has been composed. */
enum compose_form compose_form(const struct compose_output *out);

/* Initialises `out`; the caller ends it with compose_fini() in every case. */
enum compose_result compose(const struct compose_input *in, struct compose_output *out);
void compose_fini(struct compose_output *out);

/* Is all of what a piece was converted to in `piece`? ERR_LIMIT: a header grew over its limit, and
 * will at each try; ERR_SYSTEM: memory is short. */
MUST_CHECK bool compose_converted(const struct buf *piece, struct err *err);

enum compose_said { COMPOSE_SAID, COMPOSE_NEEDS_SMTPUTF8, COMPOSE_NO_ADDRESS };

/* Write an envelope address as this hop can take it: the local part as it is, and a domain that is
 * not ASCII as A-labels (RFC 6531 section 3.6), because their spelling is one. What does not parse
 * back to the same mailbox is not written. `out` is empty before.
 */
MUST_CHECK enum compose_said compose_address(struct span address, bool hop_smtputf8,
                                             struct buf *out);

#endif
