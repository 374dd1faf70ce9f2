// SPDX-License-Identifier: BSD-2-Clause
/* returns_notice.h - Bounces that only people were meant to read: whose mail did not arrive, and
 * why, as far as a text tells it. */
#ifndef RETURNS_NOTICE_H
#define RETURNS_NOTICE_H

#include "returns.h"
#include "returns_lines.h"

/* Add the recipients that the lines tell of, with what was said of them. Addresses in `own` are
 * those of who is told; `failed`: X-Failed-Recipients, which says whom it is about. */
void returns_notice_read(const struct returns_lines *lines, struct span own, struct span failed,
                         struct returns_reading *reading);

#endif
