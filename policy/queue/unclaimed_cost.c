// SPDX-License-Identifier: BSD-2-Clause
/* unclaimed_cost.c - A few rows, looked through; what there is no room for is added to those of
 * which the zone is not known. */
#include "unclaimed_cost.h"

#include "span.h"

#include <string.h>

bool unclaimed_is_in_zone(const char *name, const char *zone)
{
    size_t len = strlen(name);
    size_t zone_len = strlen(zone);
    return len >= zone_len && strcmp(name + len - zone_len, zone) == 0 &&
           (len == zone_len || zone_len == 0 || name[len - zone_len - 1] == '.');
}

void unclaimed_add(struct unclaimed_cost *u, const char *zone, uint64_t us, int64_t now_ms)
{
    size_t i = 0;
    while (i < u->count && strcmp(u->list[i].zone, zone) != 0)
        i++;
    if (i == UNCLAIMED_ZONES) {
        u->list[--i].zone[0] = '\0';
    } else if (i == u->count) {
        span_put(span_of(zone), u->list[i].zone, sizeof(u->list[i].zone));
        u->list[i].us = 0;
        u->list[i].since_ms = now_ms;
        u->count++;
    }
    u->list[i].us += us;
}

/* The order of rows is nobody's. */
static uint64_t remove_row(struct unclaimed_cost *u, size_t i)
{
    uint64_t us = u->list[i].us;
    u->list[i] = u->list[--u->count];
    return us;
}

uint64_t unclaimed_take(struct unclaimed_cost *u, const char *name)
{
    uint64_t us = 0;
    for (size_t i = u->count; i-- > 0;)
        if (u->list[i].zone[0] && unclaimed_is_in_zone(name, u->list[i].zone))
            us += remove_row(u, i);
    return us;
}

uint64_t unclaimed_give_up(struct unclaimed_cost *u, int64_t now_ms)
{
    uint64_t us = 0;
    for (size_t i = u->count; i-- > 0;)
        if (now_ms - u->list[i].since_ms >= UNCLAIMED_MS)
            us += remove_row(u, i);
    return us;
}
