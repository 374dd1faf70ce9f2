// SPDX-License-Identifier: BSD-2-Clause
/* normal.h - Normalization of text that is not ASCII.
 *
 * Nothing here checks a grammar: address.c checks the result with the same grammar as the input.
 */
#ifndef NORMAL_H
#define NORMAL_H

#include "address.h"

/* The A-labels (RFC 5891, with the mapping of UTS 46) of a domain; `ascii_r` holds at least
 * ADDRESS_DOMAIN_MAX + 1 bytes. It may hold any ASCII, because the mapping makes '>' of U+FF1E.
 * False when there are none: unassigned or forbidden code points, broken punycode, too long.
 */
MUST_CHECK bool normal_domain(struct span domain, char *ascii_r);

/* Do these A-labels say what is written in the domain, but for case and composition? */
bool normal_domain_stays(struct span domain, const char *ascii);

/* NFKC and case folded until nothing changes (Unicode 3.13, D146); `text_r` holds at least
 * ADDRESS_CANONICAL_LOCAL_MAX bytes. False when it does not fit.
 */
MUST_CHECK bool normal_text(struct span text, char *text_r, size_t *len_r);

/* How many columns of a terminal it takes (UAX 11). */
size_t normal_width(struct span text);

/* How long the character at the front is, in octets; 0: no valid UTF-8. */
size_t normal_character(struct span text, uint32_t *c_r);

/* Append a character as UTF-8; nothing where there is none of that number. */
void normal_character_add(uint32_t c, struct buf *out);
uint32_t normal_lower(uint32_t c);

/* Does it change how the rest is shown, or does nobody see it: controls, line ends, bidi controls,
 * what is ignored by default, noncharacters? Joiners and variants are part of how a text looks. */
bool normal_disturbs(uint32_t c);

/* Is there such a character, or a joiner or a variant, or no valid UTF-8? */
bool normal_hides(struct span text);

#endif
