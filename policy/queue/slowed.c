// SPDX-License-Identifier: BSD-2-Clause
/* slowed.c - Whose mail a destination's level (speed.c) is for, and what may not go yet. */
#include "queue_moves.h"

#include <stdlib.h>

bool slowed_is_shared(const struct destination *d, int64_t now_ms)
{
    return d->fast_shared_until_ms > now_ms;
}

bool slowed_is_for(const struct destination *d, uint64_t tenant, const char *domain, int64_t now_ms)
{
    return (d->fast_tenant == tenant || slowed_is_shared(d, now_ms)) &&
           slow_domains_has(&d->slow, domain, now_ms);
}

static bool is_of(const struct destination *d, const struct line *line, int64_t now_ms)
{
    return slowed_is_for(d, line->tenant->id, line->domain->name, now_ms);
}

bool slowed_bars_all(const struct destination *d, int64_t now_ms)
{
    return slowed_is_shared(d, now_ms) && slow_domains_is_all(&d->slow, now_ms) &&
           spacing_next_ms(&d->spacing, now_ms) > now_ms;
}

bool slowed_bars(const struct destination *d, const struct line *line, int64_t now_ms)
{
    return d->spacing.level > 0 && line->class != STREAM_SECURITY && is_of(d, line, now_ms) &&
           spacing_next_ms(&d->spacing, now_ms) > now_ms;
}

bool slowed_bars_rest(const struct connection *c, int64_t now_ms)
{
    const struct destination *d = c->lane->destination;
    return c->attempt && !c->urgent && is_of(d, c->attempt->line, now_ms) &&
           spacing_next_ms(&d->spacing, now_ms) > now_ms;
}

void slowed_goes(struct destination *d, const struct line *line, int64_t now_ms)
{
    if (is_of(d, line, now_ms))
        spacing_goes(&d->spacing, now_ms);
    else if (!slow_domains_has(&d->slow, line->domain->name, now_ms))
        d->fast_beside = true;
}

void slowed_is_of(struct destination *d, const char *tenant, int64_t now_ms)
{
    free(d->fast_name);
    d->fast_name = xstrdup(tenant);
    d->fast_tenant = *tenant ? tenant_id(tenant) : 0;
    d->fast_shared_until_ms = *tenant ? 0 : now_ms + SLOWED_SHARED_MS;
    d->slow = (struct slow_domains){.all_until_ms = now_ms + SLOW_OWNERS_MS};
}
