// SPDX-License-Identifier: BSD-2-Clause
/* sevenbit.h - Make a message's content safe for a hop without 8BITMIME (RFC 6152 section 3, S23).
 *
 * A message is read once, in pieces of any size, and can then be written any number of times from
 * the same bytes, in pieces too: text with 8-bit octets becomes quoted-printable, other content
 * base64, part by part, and fields of parts encoded words. Parts that are 7-bit stay as they are,
 * header and body; a multipart's or message's own label follows what was done inside of it.
 *
 * Time is linear in the size, memory one octet for each part and a header of a part, however deep
 * parts are nested. What cannot be held is no obstacle: sevenbit_starved() tells it of what was
 * read, and `starved` of `out`, which must be a buf_init_peer(), of what is written.
 */
#ifndef SEVENBIT_H
#define SEVENBIT_H

#include "buf.h"

/* Multiparts and messages inside of each other, as Postfix's mime_nesting_limit; what is deeper is
 * not looked into, and must be 7-bit. */
enum { SEVENBIT_DEPTH_MAX = 100 };

struct sevenbit;

/* `header` ends with its last field's CRLF, and is copied. `protect`: what is signed or encrypted
 * must not be changed. */
struct sevenbit *sevenbit_new(struct span header, bool protect);
void sevenbit_free(struct sevenbit *c);

/* Read the body, piece by piece, then its end. */
void sevenbit_read(struct sevenbit *c, struct span piece);
void sevenbit_read_end(struct sevenbit *c);
/* There was no memory to find it out: nothing below counts. */
bool sevenbit_starved(const struct sevenbit *c);
/* What cannot be converted, as the end of "Message holds 8-bit content …"; NULL: all can. */
const char *sevenbit_obstacle(const struct sevenbit *c);
/* Is anything to be changed? */
bool sevenbit_needed(const struct sevenbit *c);

/* From the start: append the header, without the empty line. */
void sevenbit_write_header(struct sevenbit *c, struct buf *out);
/* Append what a piece becomes, then what was held back until the end. */
void sevenbit_write(struct sevenbit *c, struct span piece, struct buf *out);
void sevenbit_write_end(struct sevenbit *c, struct buf *out);

#endif
