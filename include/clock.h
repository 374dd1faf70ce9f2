// SPDX-License-Identifier: BSD-2-Clause
/* clock.h - Two clocks: the wall clock as the relay believes in it, and a steady one.
 *
 * What outlives the process (due, created, expires) is wall-clock time. When somebody sets the
 * system's clock, what waits must wait no day longer and expire no day earlier: the belief goes on
 * as if nothing had happened, until clock_follow() says by how much all that waits has to move.
 */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdint.h>

/* Milliseconds since 1970. From any thread. */
int64_t clock_now_ms(void);

/* Milliseconds since some moment; nobody can set it, and it counts while the machine sleeps. From
 * any thread. */
int64_t clock_steady_ms(void);

/* Look at the system's clock and believe it from now on. Returns the step in milliseconds (more
 * than 2 seconds either way), 0 when there was none: small corrections are followed silently. From
 * one thread.
 */
int64_t clock_follow(void);

#endif
