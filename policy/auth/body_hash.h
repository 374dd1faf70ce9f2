// SPDX-License-Identifier: BSD-2-Clause
/* body_hash.h - The hash of a body for a DKIM signature: SHA-256 of its canonical form (RFC 6376
 * section 3.4), made while it passes by in any number of chunks.
 *
 * Bit for bit what libopendkim's own routines give; those copy every byte, one at a time. The
 * relaxed form is theirs for bodies that break the rules, too, the simple one for those that may be
 * signed: without a bare CR or LF, and empty or with a CRLF at their end.
 */
#ifndef BODY_HASH_H
#define BODY_HASH_H

#include "check.h"
#include "span.h"

enum body_canon {
    BODY_SIMPLE, /* RFC 6376 section 3.4.3 */
    BODY_RELAXED /* section 3.4.4 */
};

enum { BODY_HASH = 32 };

struct body_hash;

/* Free with body_hash_free(). */
struct body_hash *body_hash_begin(enum body_canon canon);
void body_hash_add(struct body_hash *h, struct span chunk);
/* Once, at the end. False: a relaxed body does not end with CRLF, and has no hash. */
MUST_CHECK bool body_hash_end(struct body_hash *h, unsigned char hash_r[BODY_HASH]);
void body_hash_free(struct body_hash *h); /* NULL is allowed */

#endif
