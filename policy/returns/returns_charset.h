// SPDX-License-Identifier: BSD-2-Clause
/* returns_charset.h - Text as UTF-8, as far as it is needed to know words in it. */
#ifndef RETURNS_CHARSET_H
#define RETURNS_CHARSET_H

#include "buf.h"

/* Append the text as UTF-8. Charsets of one octet for a character are converted (charsets.txt);
 * text of others, or of none that is known, stays as it is. */
void returns_to_utf8(struct span charset, struct span text, struct buf *out);

/* Append a field's value unfolded, with its encoded words (RFC 2047) decoded and as UTF-8. */
void returns_words(struct span value, struct buf *out);

#endif
