// SPDX-License-Identifier: BSD-2-Clause
/* bodies.h - The first step of a batch. */
#ifndef BODIES_H
#define BODIES_H

#include "jobs.h"
#include "segments.h"

/* Write the bodies of `jobs`, sync, and say in each where it lies. All are JOB_READY then; but when
 * that fails, or the disk is nearly full, new mail is JOB_LEFT_OUT. */
void bodies_write(struct segments *segments, struct job *jobs);

#endif
