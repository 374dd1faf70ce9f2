// SPDX-License-Identifier: BSD-2-Clause
/* bodies.h - The first step of a batch. */
#ifndef BODIES_H
#define BODIES_H

#include "segments.h"
#include "store.h"

/* Write the bodies of `jobs`, sync, and say in each where it lies. When that fails, or the disk is
 * nearly full, the accepts are out of this batch: not `ok`, with the reason. Sets `ok` of all. */
void bodies_write(struct segments *segments, struct store_job *jobs);

#endif
