// SPDX-License-Identifier: BSD-2-Clause
/* mime_parameter.h - The parameters of Content-Type and Content-Disposition (RFC 2045 section 5.1),
 * with comments and blanks wherever they may stand, and their sections (RFC 2231).
 */
#ifndef MIME_PARAMETER_H
#define MIME_PARAMETER_H

#include "buf.h"

struct mime_parameter {
    struct span raw;   /* what stands between the semicolons */
    struct span name;  /* empty: it is no parameter */
    struct span value; /* with its quotes */
    bool plain; /* a token or quoted string, and around it nothing else: all readers see the same */
};

/* How many bytes are before the first semicolon outside of quotes and comments. */
size_t mime_parameter_length(struct span s);
/* Take the next one off the front of what is behind the first semicolon; false at the end. */
bool mime_parameter_next(struct span *rest, struct mime_parameter *p_r);
/* Append what a value says: without quotes, backslashes and folds. */
void mime_parameter_text(struct span value, struct buf *out);

/* "name*2*" is section 2 of `name`, in the extended form: octets by percent. */
struct mime_section {
    struct span base;
    bool numbered, extended;
    uint64_t number;
};

void mime_parameter_section(struct span name, struct mime_section *s_r);
/* Append octets that are written by percent. */
void mime_parameter_decode(struct span text, struct buf *out);

#endif
