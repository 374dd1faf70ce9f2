// SPDX-License-Identifier: BSD-2-Clause
/* transfer_encoding.h - Write bytes as quoted-printable or base64 (RFC 2045 section 6), piece by
 * piece. */
#ifndef TRANSFER_ENCODING_H
#define TRANSFER_ENCODING_H

#include "buf.h"

enum transfer_encoding { TRANSFER_IDENTITY = 0, TRANSFER_QUOTED_PRINTABLE, TRANSFER_BASE64 };
enum { TRANSFER_BASE64_LINE = 57 }; /* bytes that make a line of 76 characters */

struct transfer_encoder {
    enum transfer_encoding encoding;
    size_t column;                            /* of quoted-printable */
    unsigned char held[TRANSFER_BASE64_LINE]; /* of base64: no whole line yet */
    size_t held_len;
};

/* "quoted-printable", "base64"; "7bit" for what stays as it is. */
const char *transfer_name(enum transfer_encoding encoding);

void transfer_begin(struct transfer_encoder *e, enum transfer_encoding encoding);
/* Text of a line, or a part of one, without its CRLF. */
void transfer_text(struct transfer_encoder *e, struct span text, struct buf *out);
void transfer_line_end(struct transfer_encoder *e, struct buf *out);
/* No more comes. */
void transfer_end(struct transfer_encoder *e, struct buf *out);

#endif
