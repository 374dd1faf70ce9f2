// SPDX-License-Identifier: BSD-2-Clause
/* downgrade.h - Header fields with raw UTF-8 (RFC 6532) for those who take ASCII only: encoded
 * words (RFC 2047), parameters by RFC 2231, domains as A-labels, octets of identifiers and URIs by
 * percent.
 */
#ifndef DOWNGRADE_H
#define DOWNGRADE_H

#include "buf.h"
#include "message.h"

/* Append the field in ASCII. False: it holds an address whose local part is not ASCII, which
 * nothing can stand for (RFC 6530 section 4.3). */
MUST_CHECK bool downgrade_field(const struct field *f, struct buf *out);
/* The same for a header that is content: such an address becomes words. */
void downgrade_quoted_field(const struct field *f, struct buf *out);

#endif
