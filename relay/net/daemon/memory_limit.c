// SPDX-License-Identifier: BSD-2-Clause
/* memory_limit.c - Checks the memory that is allocated, by the allocator's statistics. A shortage
 * ends only when a tenth of the limit is free again, so that clients are not accepted and refused
 * in turn. */
#include "memory_limit.h"

#include "database.h"
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

void memory_limit_set(struct memory_limit *m, const struct config *config)
{
    m->budget = (uint64_t)config->memory_mb << 20;
    database_limit_cache(config_cache(config));
}

void memory_limit_watch(struct memory_limit *m, uv_loop_t *loop, atomic_bool *is_short)
{
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

void memory_limit_keep_blocks(void)
{
    mallopt(M_MMAP_THRESHOLD, 4 * 1024 * 1024);
    mallopt(M_TRIM_THRESHOLD, 8 * 1024 * 1024);
}
