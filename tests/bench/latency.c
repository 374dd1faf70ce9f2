// SPDX-License-Identifier: BSD-2-Clause
/* latency.c - Every value is kept: a percentile is a place in the sorted list. */
#include "latency.h"

#include "check.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static void make_room(struct latency *l, size_t count)
{
    if (l->count + count <= l->size)
        return;
    l->size = 2 * (l->count + count) + 1024;
    l->us = xgrow(l->us, l->size, sizeof(*l->us));
}

void latency_add(struct latency *l, int64_t ns)
{
    make_room(l, 1);
    l->us[l->count++] = (uint32_t)(ns / 1000);
}

void latency_merge(struct latency *l, const struct latency *other)
{
    make_room(l, other->count);
    if (other->count > 0)
        memcpy(l->us + l->count, other->us, other->count * sizeof(*l->us));
    l->count += other->count;
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

void latency_sort(struct latency *l)
{
    if (l->count > 0)
        qsort(l->us, l->count, sizeof(*l->us), by_value);
}

double latency_percentile_ms(const struct latency *l, unsigned percent)
{
    if (l->count == 0)
        return 0;
    size_t at = l->count * percent / 100;
    return l->us[at < l->count ? at : l->count - 1] / 1e3;
}

void latency_fini(struct latency *l)
{
    free(l->us);
    *l = (struct latency){0};
}

double latency_cpu_s(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}
