// SPDX-License-Identifier: BSD-2-Clause
/* verify_load.c - Grows by doubling, and falls at once. */
#include "verify_load.h"

enum {
    LOOK_MS = 100,
    BUSY_PART = 2,       /* of the time */
    BUSY_MIN_US = 25000, /* less is nothing that anybody waits for */
    GROW_MS = 100,
    GROW_SLOWLY_MS = 1000,
    SLOW_FOR_MS = 60 * 1000
};

void verify_load_init(struct verify_load *l, uint64_t spent_us, int64_t now_ms)
{
    *l = (struct verify_load){.each = VERIFY_LOAD_SOME,
                              .spent_us = spent_us,
                              .looked_ms = now_ms,
                              .grown_ms = now_ms,
                              .busy_ms = now_ms - SLOW_FOR_MS};
}

static void grow(struct verify_load *l, bool waits, int64_t now_ms)
{
    bool slowly = now_ms - l->busy_ms < SLOW_FOR_MS;
    unsigned most = slowly ? VERIFY_LOAD_SOME : VERIFY_LOAD_ALL;
    if (now_ms - l->grown_ms < (slowly ? GROW_SLOWLY_MS : GROW_MS))
        return;
    l->grown_ms = now_ms;
    if (l->each < VERIFY_LOAD_SOME || (waits && l->each < most))
        l->each *= 2;
    else if (!waits)
        l->each = VERIFY_LOAD_SOME;
}

unsigned verify_load_look(struct verify_load *l, uint64_t spent_us, bool waits, int64_t now_ms)
{
    int64_t passed_ms = now_ms - l->looked_ms;
    uint64_t spent = spent_us - l->spent_us;
    bool busy = spent >= BUSY_MIN_US && spent >= (uint64_t)passed_ms * 1000 / BUSY_PART;
    if (busy) {
        l->each = VERIFY_LOAD_FEW;
        l->busy_ms = l->grown_ms = now_ms;
    } else {
        grow(l, waits, now_ms);
    }
    if (busy || passed_ms >= LOOK_MS) {
        l->looked_ms = now_ms;
        l->spent_us = spent_us;
    }
    return l->each;
}
