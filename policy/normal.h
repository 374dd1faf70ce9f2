// SPDX-License-Identifier: BSD-2-Clause
/* normal.h - Text that is not ASCII, as whoever folds it will read it.
 *
 * Nothing here is a grammar: address.c checks what comes out with the same one that it uses for
 * what came in.
 */
#ifndef NORMAL_H
#define NORMAL_H

#include "address.h"

/* The A-labels (RFC 5891, with the mapping of UTS 46) of a domain; `ascii_r` holds at least
 * ADDRESS_DOMAIN_MAX + 1 bytes. It may hold any ASCII, because the mapping makes '>' of U+FF1E.
 * False when there are none: unassigned or forbidden code points, broken punycode, too long.
 */
MUST_CHECK bool normal_domain(struct span domain, char *ascii_r);

/* NFKC and case folded until nothing changes (Unicode 3.13, D146); `text_r` holds at least
 * ADDRESS_CANONICAL_LOCAL_MAX bytes. False when it does not fit.
 */
MUST_CHECK bool normal_text(struct span text, char *text_r, size_t *len_r);

/* Does it hold what nobody sees, or what changes how the rest is shown: controls, line ends, bidi
 * controls, characters that are ignored by default, noncharacters? `text` is valid UTF-8. */
bool normal_hides(struct span text);

#endif
