// SPDX-License-Identifier: BSD-2-Clause
/* sts_look.h - Which MTA-STS policy a delivery to a domain would go by, found out for a command: as
 * the relay does it, but by itself, and nothing is written down. */
#ifndef STS_LOOK_H
#define STS_LOOK_H

#include "config.h"
#include "mta_sts.h"

struct sts_look {
    struct mta_sts machine;     /* decided */
    enum mta_sts_record record; /* what the domain has in DNS */
    bool unanswered;            /* DNS has not said */
};

/* Blocking, for half a minute at most. `domain`: of sts_domain(). `kept`: what the relay keeps of
 * it, zeroed for nothing; borrowed until sts_look_fini(), also after false: something could not be
 * asked, and only what is kept can count. */
MUST_CHECK bool sts_look(const struct config *config, const char *domain,
                         const struct mta_sts_kept *kept, struct sts_look *look_r, struct err *err);
void sts_look_fini(struct sts_look *look);

#endif
