// SPDX-License-Identifier: BSD-2-Clause
/* clock.h - Two clocks: a wall clock that the system's clock cannot disturb, and a steady clock.
 *
 * Times that are stored (due, created, expires) are wall-clock times. If somebody sets the system's
 * clock, queued mail must neither be delayed nor expire. Therefore this clock continues as before
 * until clock_follow() returns by how much all stored times have to be moved.
 */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* Milliseconds since 1970. From any thread. */
int64_t clock_now_ms(void);

enum { CLOCK_STEP_MS = 2000 }; /* less is drift: nothing moves for it */

/* Milliseconds since some moment; nobody can set it, and it counts while the machine sleeps. From
 * any thread. */
int64_t clock_steady_ms(void);

/* clock_now_ms() less clock_steady_ms(): who keeps wall-clock times for a while keeps this beside
 * them, and moves them by how much it has changed. From any thread. */
int64_t clock_offset_ms(void);

/* Look at the system's clock and believe it from now on. Returns the step in milliseconds (more
 * than 2 seconds either way), 0 when there was none: small corrections are followed silently. After
 * a step the rows on disk have to be moved; when they are, call clock_moved(). From one thread.
 */
int64_t clock_follow(void);
void clock_moved(void);

/* Who compares a row with clock_now_ms() takes the epoch before reading, and asks afterwards
 * whether the comparison holds: not while rows are being moved. From any thread.
 */
unsigned clock_epoch(void);
bool clock_holds(unsigned epoch);

#endif
