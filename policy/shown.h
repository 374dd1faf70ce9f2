// SPDX-License-Identifier: BSD-2-Clause
/* shown.h - What a reader is shown of a field that says who sends it. */
#ifndef SHOWN_H
#define SHOWN_H

#include "address.h"

enum { SHOWN_MAX = 1000 };

/* A part of a field's value as text: encoded words decoded (RFC 2047), quotes and backslashes gone,
 * folded, what nobody sees left out. `text_r` holds at least SHOWN_MAX + 1 bytes. False when it is
 * longer. */
MUST_CHECK bool shown_text(struct span value, char *text_r);

/* The next address in such a text, with a dot in its domain. Taken off `rest`; borrows from it. */
MUST_CHECK bool shown_next(struct span *rest, struct address *address_r);

#endif
