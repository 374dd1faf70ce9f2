// SPDX-License-Identifier: BSD-2-Clause
/* signing.h - DKIM (RFC 6376, 8301, 8463) by libopendkim: sign what leaves, check what arrives.
 *
 * A copy is fed once: each header field, the end of the header, the body in any number of chunks;
 * all keys sign in the same pass. The caller has kept the limits of message.h, beyond which the
 * library returns a signature that does not verify.
 */
#ifndef SIGNING_H
#define SIGNING_H

#include "buf.h"
#include "err.h"
#include "key.h"

enum { SIGNING_KEYS_MAX = 2, SIGNING_LIFETIME_S = 7 * 24 * 3600, SIGNING_BODY_HASH = 32 };

/* How long the signatures of this process hold (x=); said before the first one, or it is
 * SIGNING_LIFETIME_S. */
void signing_set_lifetime(unsigned lifetime_s);

struct signing_key {
    const struct key *key; /* borrowed until signing_free() */
    char selector[64];
};

struct signing;

/* Begin a copy signed with d=`domain` by each of `count` keys. Free with signing_free(), whatever
 * happens. */
MUST_CHECK bool signing_begin(const char *domain, const struct signing_key *keys, size_t count,
                              struct signing **signing_r, struct err *err);
MUST_CHECK bool signing_field(struct signing *s, struct span raw,
                              struct err *err); /* with its CRLF */
MUST_CHECK bool signing_end_header(struct signing *s, struct err *err);
/* A body is empty or ends with CRLF: else finishing it is a fault. */
void signing_body(struct signing *s, struct span chunk);
/* Instead: the body is one that was signed before, and signing_body_hash() gave this. */
void signing_body_known(struct signing *s, const unsigned char hash[SIGNING_BODY_HASH]);
/* Append one "DKIM-Signature: …" field per key, CRLF included. */
MUST_CHECK bool signing_finish(struct signing *s, struct buf *fields, struct err *err);
/* SHA-256 of the body's canonical form; after signing_finish(). */
void signing_body_hash(const struct signing *s, unsigned char hash_r[SIGNING_BODY_HASH]);
void signing_free(struct signing *s);

/* Give the TXT record of `name`, or return false when there is none. */
typedef bool signing_lookup(void *context, const char *name, char *record_r, size_t size);

struct signing_result {
    bool signature_found;
    bool pass; /* at least one signature verifies and none fails */
    char domain[256];
    char text[200]; /* for a person */
};

/* Verify the signatures of a whole message. Blocking: the lookups are made one after the other. */
void signing_verify(struct span message, signing_lookup *lookup, void *context,
                    struct signing_result *result_r);

#endif
