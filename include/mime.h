// SPDX-License-Identifier: BSD-2-Clause
/* mime.h - MIME entities (RFC 2045, 2046): what they say of themselves, their leaves, their text.
 *
 * Nothing here fails: what is malformed is taken as it stands.
 */
#ifndef MIME_H
#define MIME_H

#include "buf.h"

enum { MIME_DEPTH_MAX = 20, MIME_BOUNDARY_MAX = 70 };

struct mime_entity {
    struct span header, body; /* borrowed; the header ends with its last field's CRLF */
    struct span type;         /* "text/plain" without parameters; empty when absent */
    struct span encoding;     /* Content-Transfer-Encoding; empty when absent */
    char boundary[MIME_BOUNDARY_MAX + 1];
    unsigned depth; /* 0: the message itself */
};

/* What is said before a comment, and behind any at the front: "8bit" of "(all) 8bit (of it)". */
struct span mime_token(struct span value);
/* The value of parameter `name` in a Content-Type value, without quotes, backslashes and blanks at
 * its end, the first if there are several. False when there is none, or `size` is too small. */
bool mime_parameter(struct span value, struct span name, char *text_r, size_t size);
/* Is it text, as far as it says? */
bool mime_is_text(const struct mime_entity *e);
/* Is this line "--boundary" or, the last one, "--boundary--" (RFC 2046 section 5.1.1)? */
bool mime_is_delimiter(struct span line, const char *boundary, bool *last_r);

/* Each entity that holds no others, in order; preambles and epilogues are left out, and what is
 * nested over MIME_DEPTH_MAX deep is a leaf. */
typedef void mime_on_leaf(void *context, const struct mime_entity *leaf);
void mime_leaves(struct span header, struct span body, mime_on_leaf *on_leaf, void *context);

/* Append a body without its Content-Transfer-Encoding (RFC 2045 section 6). */
void mime_decode(struct span encoding, struct span body, struct buf *out);
/* Append a header value with its encoded words decoded (RFC 2047), whatever their charset. */
void mime_decode_words(struct span value, struct buf *out);

#endif
