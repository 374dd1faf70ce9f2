// SPDX-License-Identifier: BSD-2-Clause
/* suffix.h - The Public Suffix List, by libpsl: the names under which domains are registered. */
#ifndef SUFFIX_H
#define SUFFIX_H

#include "address.h"
#include "check.h"

struct suffixes;

/* Load the newest list there is: Debian's `publicsuffix`, or the one built into libpsl. Read-only
 * from then on. Free with suffixes_free(). */
struct suffixes *suffixes_new(void);
void suffixes_free(struct suffixes *s);

/* The registrable domain that `domain` (normal form) lies in; `name_r` holds ADDRESS_DOMAIN_MAX + 1
 * bytes. False when there is none: it is a public suffix itself, or no name. */
MUST_CHECK bool suffixes_find(const struct suffixes *s, const char *domain, char *name_r);

#endif
