// SPDX-License-Identifier: BSD-2-Clause
/* verify_meter.h - What validating has taken on one of libunbound's threads. */
#ifndef VERIFY_METER_H
#define VERIFY_METER_H

#include "rrset_tries.h"

#include <stddef.h>
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
/* What signatures of a zone have taken, in microseconds. */
enum { VERIFY_METER_ZONES = 8 };
struct verify_cost {
    char zone[RRSET_SIGNER]; /* "": the root, or of more zones than there is room for */
    uint64_t us;
};
/* What has been spent since the last call, from any thread; how many zones. */
size_t verify_meter_take(struct verify_meter *m, struct verify_cost costs_r[VERIFY_METER_ZONES]);

/* On the metered thread: so much more, for this zone. On others nothing happens. */
void verify_meter_add(const char *zone, uint64_t us);

#endif
