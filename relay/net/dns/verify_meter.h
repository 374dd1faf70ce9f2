// SPDX-License-Identifier: BSD-2-Clause
/* verify_meter.h - What validating has taken on one of libunbound's threads. */
#ifndef VERIFY_METER_H
#define VERIFY_METER_H

#include <stdint.h>

/* On the thread that libunbound starts for a context. Up to VERIFY_METERS; any further ones are one
 * together, which reads too much. */
enum { VERIFY_METERS = 256 };
struct verify_meter;
struct verify_meter *verify_meter_new(void);
/* Its thread must have ended. NULL does nothing. */
void verify_meter_free(struct verify_meter *m);
/* A thread that this one starts in between is metered by it. */
void verify_meter_begin(struct verify_meter *m);
void verify_meter_end(struct verify_meter *m);
/* Microseconds of CPU so far, from any thread. */
uint64_t verify_meter_us(const struct verify_meter *m);

/* On the metered thread: so much more. On others nothing happens. */
void verify_meter_add(uint64_t us);

#endif
