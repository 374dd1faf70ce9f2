// SPDX-License-Identifier: BSD-2-Clause
/* rsa_limits.h - What a zone's RSA keys may make DNSSEC cost. */
#ifndef RSA_LIMITS_H
#define RSA_LIMITS_H

/* Before libunbound validates anything; from any thread. Signatures by keys beyond the limits are
 * bad from then on. */
void rsa_limits_set(void);

#endif
