// SPDX-License-Identifier: BSD-2-Clause
/* base64.h - Bytes as letters, as mail, passwords and keys carry them. */
#ifndef BASE64_H
#define BASE64_H

#include "buf.h"

/* Base64 (RFC 4648 section 4): padding required, no blanks. Appends; false when malformed or over
 * the limit. */
MUST_CHECK bool base64_decode(struct span text, struct buf *out);
MUST_CHECK bool base64_encode(struct span bytes, struct buf *out);

#endif
