// SPDX-License-Identifier: BSD-2-Clause
/* sts_upkeep.c - What is kept is fetched again each day, and dropped when it is of no use. Tenants
 * have their turns: one with thousands of policy hosts that are slow waits for its own. */
#include "sts_parts.h"

#include "clock.h"

#include <utlist.h>

enum {
    REFRESHES_MAX = 16, /* at once; who sends goes first */
    USES_MAX = 64       /* written down at a time */
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

/* For a refresh, since when. */
static enum due due_of(const struct sts_entry *e, int64_t now_ms, int64_t *at_ms_r)
{
    if (e->discoveries || e->asks || (!e->kept.there && !e->kept.failed_id[0]))
        return DUE_NOTHING;
    enum mta_sts_due due = mta_sts_upkeep(&e->kept, spread_of(e->domain), now_ms, at_ms_r);
    if (*at_ms_r > now_ms)
        return DUE_NOTHING;
    return due == MTA_STS_DROP ? DUE_DROP : DUE_REFRESH;
}

static void write_use(struct sts *s, struct sts_entry *e, unsigned *uses)
{
    bool due = e->kept.used_ms - e->written_ms > use_ms || (e->use_count > 1 && !e->written_shared);
    if (!e->kept.there || !due || *uses == USES_MAX)
        return;
    ++*uses;
    e->written_ms = e->kept.used_ms;
    e->written_shared = e->use_count > 1;
    sts_write_put(sts_write_new(s, e, STS_WRITE_USE, SPAN_NONE));
}

static void look_at_all(struct sts *s, int64_t now_ms)
{
    struct sts_entry *e;
    struct sts_entry *next;
    unsigned uses = 0;
    HASH_ITER (hh, s->table.entries, e, next) {
        int64_t at_ms = 0;
        pthread_mutex_lock(&s->table.mutex);
        enum due due = due_of(e, now_ms, &at_ms);
        e->refresh_ms = due == DUE_REFRESH ? at_ms : INT64_MAX;
        if (due == DUE_DROP) {
            s->table.going(s, e);
            sts_table_drop(e);
        } else {
            write_use(s, e, &uses);
        }
        pthread_mutex_unlock(&s->table.mutex);
    }
}

static struct sts_entry *first_due(const struct sts_party *p, int64_t now_ms)
{
    struct sts_entry *first = NULL;
    struct sts_entry *e;
    DL_FOREACH (p->entries, e)
        if (e->refresh_ms <= now_ms && (!first || e->refresh_ms < first->refresh_ms))
            first = e;
    return first;
}

/* The first in any case; then no more than it leaves to others. */
static bool may_have_more(const struct sts_party *p, unsigned left)
{
    return left > 0 && (p->refreshes == 0 || p->refreshes < left);
}

static bool goes_before(const struct sts_party *p, const struct sts_party *other)
{
    return p->refreshes != other->refreshes ? p->refreshes < other->refreshes
                                            : p->served < other->served;
}

struct sts_entry *sts_upkeep_take(struct sts_table *t, unsigned under_way, int64_t now_ms)
{
    unsigned left = under_way < REFRESHES_MAX ? REFRESHES_MAX - under_way : 0;
    struct sts_entry *best = NULL;
    for (struct sts_party *p = t->parties; p; p = p->hh.next) {
        if (!may_have_more(p, left) || (best && !goes_before(p, best->party)))
            continue;
        struct sts_entry *e = first_due(p, now_ms);
        best = e ? e : best;
    }
    if (best) {
        best->refresh_ms = INT64_MAX;
        best->party->refreshes++;
        best->party->served = ++t->services;
    }
    return best;
}

static struct sts_entry *take(struct sts *s, int64_t now_ms)
{
    pthread_mutex_lock(&s->table.mutex);
    struct sts_entry *e = sts_upkeep_take(&s->table, sts_discoveries_refreshing(s), now_ms);
    pthread_mutex_unlock(&s->table.mutex);
    return e;
}

void sts_upkeep(struct sts *s)
{
    const struct sts_reason reason = {.aim = MTA_STS_TO_REFRESH};
    struct sts_entry *e;
    int64_t now_ms = clock_now_ms();
    look_at_all(s, now_ms);
    while ((e = take(s, now_ms)) != NULL)
        sts_discover(s, e, &reason);
}
