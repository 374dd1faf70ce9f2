// SPDX-License-Identifier: BSD-2-Clause
/* brake_domains.h - Whose recipients a site has answered about: the domains that one tenant's mail
 * there was for, so that one of them alone does not speak for all. For suppress_brake.c. */
#ifndef BRAKE_DOMAINS_H
#define BRAKE_DOMAINS_H

#include "check.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Names are told apart by their last so many characters. A tenth of the answers is too much
 * (suppress_brake.c), so there is room for more than ten. */
enum { BRAKE_DOMAIN_TEXT = 48, BRAKE_TALLIES = 16 };

struct brake_count {
    unsigned answers, unknown;
};

struct brake_tally {
    char name[BRAKE_DOMAIN_TEXT];
    struct brake_count now, before; /* in this half of the window, and in the one before */
    int64_t began_ms;               /* of this half */
};

/* Those of each kind that were heard of most; begins all zero. */
struct brake_domains {
    struct brake_tally domains[BRAKE_TALLIES];       /* each for itself */
    struct brake_tally organizations[BRAKE_TALLIES]; /* by their last two labels */
};

/* An answer about a recipient of `domain` (normal form). */
void brake_domains_count(struct brake_domains *d, const char *domain, bool unknown, int64_t now_ms);
/* What was heard about that domain, in the last five to ten minutes. */
struct brake_count brake_domains_of(const struct brake_domains *d, const char *domain,
                                    int64_t now_ms);
/* What was heard about those so many organizations of which most was unknown. */
struct brake_count brake_domains_most(const struct brake_domains *d, size_t count, int64_t now_ms);

#endif
