// SPDX-License-Identifier: BSD-2-Clause
/* spf_deployed.h - What a receiver running libspf2 would say, which differs from RFC 7208 in about
 * sixty of two hundred test cases.
 *
 * libspf2 sees only records that the strict grammar has accepted, of at most 2,000 printable
 * characters, and never the text of an exp=: its parser for that overflows the stack.
 */
#ifndef SPF_DEPLOYED_H
#define SPF_DEPLOYED_H

#include "spf.h"

struct spf_reading {
    bool read; /* false: a record was not handed over, and nothing is known */
    enum spf_result result;
    char why[200];
};

/* Pending as spf_check() is. */
void spf_deployed_check(const struct spf_query *query, const struct dns *dns,
                        struct spf_reading *reading_r);

#endif
