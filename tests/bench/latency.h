// SPDX-License-Identifier: BSD-2-Clause
/* latency.h - How long each of many things took, and what it cost in CPU. */
#ifndef LATENCY_H
#define LATENCY_H

#include <stddef.h>
#include <stdint.h>

/* Begins as zeroes; free with latency_fini(). */
struct latency {
    uint32_t *us;
    size_t count, size;
};

void latency_add(struct latency *l, int64_t ns);
/* Add all of `other`. */
void latency_merge(struct latency *l, const struct latency *other);
void latency_sort(struct latency *l);
/* Milliseconds, of a sorted one: 50 is the median, 100 the longest; 0 when there is none. */
double latency_percentile_ms(const struct latency *l, unsigned percent);
void latency_fini(struct latency *l);

/* CPU seconds of this process so far. */
double latency_cpu_s(void);

#endif
