// SPDX-License-Identifier: BSD-2-Clause
/* shown.h - What mail readers show of a field that names a sender. */
#ifndef SHOWN_H
#define SHOWN_H

#include "address.h"

enum { SHOWN_MAX = 1000 };

enum shown_fault {
    SHOWN_OK,
    SHOWN_LONG,     /* over SHOWN_MAX */
    SHOWN_REVERSED, /* U+202D or U+202E, which turn the order round */
    SHOWN_CHARSET,  /* an encoded word that not every reader reads in the same way */
};

/* A part of a field's value as text: encoded words decoded (RFC 2047), quotes and backslashes gone,
 * folded, what nobody sees left out. `text_r` holds at least SHOWN_MAX + 1 bytes; what it is about,
 * when that is a fault. */
enum shown_fault shown_text(struct span value, char *text_r);

/* Take out the blanks around '@', and around a '.' that stands alone, as in "ceo" "@" "bank.test":
 * what is shown so close to an address is read as one. */
void shown_join(char *text);

/* The next address in such a text, with a dot in its domain. Taken off `rest`; borrows from it. */
MUST_CHECK bool shown_next(struct span *rest, struct address *address_r);

#endif
