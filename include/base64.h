// SPDX-License-Identifier: BSD-2-Clause
/* base64.h - Base64 encoding and decoding (RFC 4648 section 4). */
#ifndef BASE64_H
#define BASE64_H

#include "buf.h"

/* Base64 (RFC 4648 section 4): padding required, no blanks. Appends; false when malformed or over
 * the limit. */
MUST_CHECK bool base64_decode(struct span text, struct buf *out);
MUST_CHECK bool base64_encode(struct span bytes, struct buf *out);
/* The six bits that a letter stands for; -1: it is none. */
int base64_value(char c);

#endif
