// SPDX-License-Identifier: BSD-2-Clause
/* memory_limit.c - What is allocated, by the allocator's own account. It ends a shortage only when
 * a tenth is free again, so that nobody hears yes and no in turn. */
#include "memory_limit.h"

#include "log.h"

#include <malloc.h>

enum { TICK_MS = 1000 };

static void on_tick(uv_timer_t *timer)
{
    struct memory_limit *m = timer->data;
    struct mallinfo2 now = mallinfo2();
    uint64_t used = (uint64_t)now.uordblks + now.hblkhd;
    bool was = atomic_load(m->is_short);
    bool is = used > (was ? m->budget / 10 * 9 : m->budget);
    if (is == was)
        return;
    atomic_store(m->is_short, is);
    log_end(log_number(log_begin(LOG_WARN, is ? "memory_short" : "memory_enough"), "size",
                       (int64_t)used));
}

void memory_limit_watch(struct memory_limit *m, uv_loop_t *loop, uint64_t budget,
                        atomic_bool *is_short)
{
    m->budget = budget;
    m->is_short = is_short;
    uv_timer_init(loop, &m->timer);
    m->timer.data = m;
    uv_timer_start(&m->timer, on_tick, TICK_MS, TICK_MS);
}

void memory_limit_close(struct memory_limit *m)
{
    if (m->timer.data)
        uv_close((uv_handle_t *)&m->timer, NULL);
}
