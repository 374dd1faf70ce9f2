// SPDX-License-Identifier: BSD-2-Clause
/* sevenbit.h - Make a message safe for a hop that takes 7-bit content only (RFC 6152 section 3,
 * S23). */
#ifndef SEVENBIT_H
#define SEVENBIT_H

#include "buf.h"

/* Rewrite a message so that every octet is below 0x80: text becomes quoted-printable, the rest
 * base64, part by part; the Content-Transfer-Encoding fields follow. What is 7-bit already stays as
 * it was. Both `header` and the fields written to `header_out` end with the last field's CRLF.
 * False when the message cannot be converted (raw 8-bit in a part's header, parts nested over 20
 * deep, no room): it must not be sent to that hop.
 */
MUST_CHECK bool sevenbit_convert(struct span header, struct span body, struct buf *header_out,
                                 struct buf *body_out);

#endif
