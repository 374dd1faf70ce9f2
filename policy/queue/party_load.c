// SPDX-License-Identifier: BSD-2-Clause
/* party_load.c - Grows by doubling, and falls at once. */
#include "party_load.h"

enum {
    BUSY_PART = 2,       /* of the time */
    BUSY_MIN_US = 25000, /* less is nothing that anybody waits for */
    GROW_MS = 100,
    GROW_SLOWLY_MS = 1000,
    SLOW_FOR_MS = 60 * 1000
};

void party_load_init(struct party_load *l, int64_t now_ms)
{
    *l = (struct party_load){
        .each = PARTY_LOAD_SOME, .grown_ms = now_ms, .busy_ms = now_ms - SLOW_FOR_MS};
}

static void grow(struct party_load *l, bool waits, int64_t now_ms)
{
    bool slowly = party_load_counts(l, now_ms);
    unsigned most = slowly ? PARTY_LOAD_SOME : PARTY_LOAD_ALL;
    if (now_ms - l->grown_ms < (slowly ? GROW_SLOWLY_MS : GROW_MS))
        return;
    l->grown_ms = now_ms;
    if (l->each < PARTY_LOAD_SOME || (waits && l->each < most))
        l->each *= 2;
    else if (!waits)
        l->each = PARTY_LOAD_SOME;
}

void party_load_look(struct party_load *l, bool busy, bool waits, int64_t now_ms)
{
    if (!busy) {
        grow(l, waits, now_ms);
        return;
    }
    l->each = PARTY_LOAD_FEW;
    l->busy_ms = l->grown_ms = now_ms;
}

bool party_load_counts(const struct party_load *l, int64_t now_ms)
{
    return now_ms - l->busy_ms < SLOW_FOR_MS;
}

bool party_load_is_busy(uint64_t spent_us, int64_t passed_ms)
{
    return spent_us >= BUSY_MIN_US && spent_us >= (uint64_t)passed_ms * 1000 / BUSY_PART;
}
