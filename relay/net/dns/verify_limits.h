// SPDX-License-Identifier: BSD-2-Clause
/* verify_limits.h - What a zone's keys and signatures may make DNSSEC cost. */
#ifndef VERIFY_LIMITS_H
#define VERIFY_LIMITS_H

/* Before libunbound validates anything; from any thread. Signatures beyond the limits, or by keys
 * beyond them, are bad from then on. */
void verify_limits_set(void);

#endif
