// SPDX-License-Identifier: BSD-2-Clause
/* shares.c - Two rules of arithmetic. */
#include "shares.h"

enum { SHARE_PARTS = 2 };

unsigned reserve_of(unsigned all)
{
    if (all < 2)
        return 0;
    return all / 5 > 1 ? all / 5 : 1;
}

bool is_within_share(uint64_t held, size_t left)
{
    return held == 0 || (left > 0 && held < SHARE_PARTS * (left - 1));
}
