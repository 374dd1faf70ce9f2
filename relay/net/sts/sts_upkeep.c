// SPDX-License-Identifier: BSD-2-Clause
/* sts_upkeep.c - What is kept is fetched again each day, and dropped when it is of no use. */
#include "sts_parts.h"

#include "clock.h"

enum {
    REFRESHES_MAX = 4, /* at once; who sends goes first */
    USES_MAX = 64      /* written down at a time */
};
static const int64_t use_ms = INT64_C(12) * 3600 * 1000; /* so old may be what is written */

/* Each domain has its own time of the day. */
static uint32_t spread_of(const char *domain)
{
    uint32_t hash = 2166136261U;
    for (; *domain; domain++)
        hash = (hash ^ (unsigned char)*domain) * 16777619U;
    return hash;
}

enum due { DUE_NOTHING, DUE_REFRESH, DUE_DROP };

static enum due due_of(const struct sts_entry *e, int64_t now_ms)
{
    int64_t at_ms = 0;
    if (e->discovery || e->asks || (!e->kept.there && !e->kept.failed_id[0]))
        return DUE_NOTHING;
    enum mta_sts_due due = mta_sts_upkeep(&e->kept, spread_of(e->domain), now_ms, &at_ms);
    if (at_ms > now_ms)
        return DUE_NOTHING;
    return due == MTA_STS_DROP ? DUE_DROP : DUE_REFRESH;
}

static void write_use(struct sts *s, struct sts_entry *e, unsigned *uses)
{
    if (!e->kept.there || e->kept.used_ms - e->written_ms <= use_ms || *uses == USES_MAX)
        return;
    ++*uses;
    e->written_ms = e->kept.used_ms;
    sts_write_put(sts_write_new(s, e, STS_WRITE_USE, SPAN_NONE));
}

void sts_upkeep(struct sts *s)
{
    struct sts_entry *e;
    struct sts_entry *next;
    int64_t now_ms = clock_now_ms();
    unsigned uses = 0;
    HASH_ITER (hh, s->table.entries, e, next) {
        pthread_mutex_lock(&s->table.mutex);
        enum due due = due_of(e, now_ms);
        if (due == DUE_DROP) {
            s->table.going(s, e);
            sts_table_drop(e);
        } else {
            write_use(s, e, &uses);
        }
        pthread_mutex_unlock(&s->table.mutex);
        const struct sts_reason reason = {.aim = MTA_STS_TO_REFRESH};
        if (due == DUE_REFRESH && s->refreshes < REFRESHES_MAX)
            sts_discover(s, e, &reason);
    }
}
