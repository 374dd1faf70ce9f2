// SPDX-License-Identifier: BSD-2-Clause
/* verify_limits.h - What a zone's keys and signatures may make DNSSEC cost. */
#ifndef VERIFY_LIMITS_H
#define VERIFY_LIMITS_H

#include <stdint.h>

/* Before libunbound validates anything; from any thread. Signatures beyond the limits, or by keys
 * beyond them, are bad from then on. */
void verify_limits_set(void);
/* What all verifications of this process have taken so far: microseconds of CPU. From any thread.
 */
uint64_t verify_limits_spent_us(void);

#endif
