// SPDX-License-Identifier: BSD-2-Clause
/* gzip.h - Compressed files (RFC 1952), unpacked up to a limit: a few bytes may stand for millions.
 */
#ifndef GZIP_H
#define GZIP_H

#include "buf.h"

enum gzip_result { GZIP_OK, GZIP_BAD, GZIP_TOO_LARGE };

/* Does it begin as such a file does? */
bool gzip_is(struct span bytes);
/* Append what is in it, all members; what follows them is left out. GZIP_BAD: it is damaged or cut
 * off. GZIP_TOO_LARGE: it is more than `out` may hold. Then `out` holds some of it. */
MUST_CHECK enum gzip_result gzip_unpack(struct span bytes, struct buf *out);
/* Append the compressed form: the same bytes of the same ones. False when `out` may not hold it. */
MUST_CHECK bool gzip_pack(struct span bytes, struct buf *out);

#endif
