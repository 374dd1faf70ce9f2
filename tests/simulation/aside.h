// SPDX-License-Identifier: BSD-2-Clause
/* aside.h - Which recipients the queue holds aside. */
#ifndef ASIDE_H
#define ASIDE_H

#include <stdbool.h>
#include <stdint.h>

struct queue;

/* Is it due, but so many domains stand already that others' come first? */
bool is_held_aside(const struct queue *q, int64_t message, unsigned number);

#endif
