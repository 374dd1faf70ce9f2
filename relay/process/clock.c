// SPDX-License-Identifier: BSD-2-Clause
/* clock.c - The wall clock is the steady clock plus an offset, which only clock_follow() changes.
 */
#include "clock.h"

#include <stdatomic.h>
#include <time.h>

static _Atomic int64_t offset_ms; /* 0: not looked at yet */
static atomic_uint epoch;         /* odd while the rows are behind the clock */

static int64_t read_clock(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t clock_steady_ms(void)
{
    return read_clock(CLOCK_BOOTTIME);
}

int64_t clock_offset_ms(void)
{
    int64_t offset = atomic_load(&offset_ms);
    if (offset == 0) {
        int64_t first = read_clock(CLOCK_REALTIME) - clock_steady_ms();
        offset = atomic_compare_exchange_strong(&offset_ms, &offset, first) ? first : offset;
    }
    return offset;
}

int64_t clock_now_ms(void)
{
    return clock_steady_ms() + clock_offset_ms();
}

int64_t clock_follow(void)
{
    int64_t step = read_clock(CLOCK_REALTIME) - clock_now_ms();
    bool is_step = step > CLOCK_STEP_MS || step < -CLOCK_STEP_MS;
    if (is_step)
        atomic_fetch_or(&epoch, 1);
    atomic_fetch_add(&offset_ms, step);
    return is_step ? step : 0;
}

void clock_moved(void)
{
    atomic_fetch_add(&epoch, 1);
}

unsigned clock_epoch(void)
{
    return atomic_load(&epoch);
}

bool clock_holds(unsigned before)
{
    return (before & 1) == 0 && before == atomic_load(&epoch);
}
