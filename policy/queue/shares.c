// SPDX-License-Identifier: BSD-2-Clause
/* shares.c - Some rules of arithmetic. */
#include "shares.h"

enum { SHARE_PARTS = 2, QUIET_PART = 100 };

unsigned reserve_of(unsigned all)
{
    if (all < 2)
        return 0;
    return all / 5 > 1 ? all / 5 : 1;
}

unsigned reserve_at(unsigned all, int64_t urgent_ms, int64_t now_ms)
{
    unsigned few = all < 2 ? 0 : 1 + all / QUIET_PART;
    return urgent_ms - NEVER_MS > now_ms ? reserve_of(all) : few;
}

bool is_within_half(uint64_t held, size_t left)
{
    return is_within_share(2 * SHARE_PARTS * held, left); /* of what it leaves itself */
}

bool is_within_share(uint64_t held, size_t left)
{
    return held == 0 || (left > 0 && held < SHARE_PARTS * (left - 1));
}
