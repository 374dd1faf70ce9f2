// SPDX-License-Identifier: BSD-2-Clause
/* shares.h - What one may have of something limited, so that others always find something left. */
#ifndef SHARES_H
#define SHARES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* So many of `all` are kept for what is urgent where there is any. */
unsigned reserve_of(unsigned all);
/* Where there has been none until then for an hour, a few do: at a message's end it has the next
 * turn. `urgent_ms`: when there last was some. */
enum { NEVER_MS = -60 * 60 * 1000 };
unsigned reserve_at(unsigned all, int64_t urgent_ms, int64_t now_ms);

/* What goes first goes before others who wait so many times; then one of those goes. */
enum { PASSED_MAX = 10 };

/* May who holds so many take one of those that are left? The first in any case; then at most twice
 * what is left. So n of them can take 2n of each 2n + 1, and no more. */
bool is_within_share(uint64_t held, size_t left);
/* The same of half of what one may have if nobody else has any. */
bool is_within_half(uint64_t held, size_t left);

#endif
