// SPDX-License-Identifier: BSD-2-Clause
/* dns_outage.h - DNS gives no answer at all: since when, and is it time to tell somebody?
 *
 * A plain value; the caller keeps it and passes the time in, of a clock that never goes back. */
#ifndef DNS_OUTAGE_H
#define DNS_OUTAGE_H

#include <stdbool.h>
#include <stdint.h>

/* All zeros: DNS answers. */
struct dns_outage {
    bool lasts;
    int64_t since_ms;
    bool wanted; /* mail has asked since */
    bool told;
    const void *by; /* who has found it: the answers of others, who ask elsewhere, do not end it */
};

enum dns_outage_news {
    DNS_OUTAGE_NO_NEWS,
    DNS_OUTAGE_LASTS,  /* for `after_ms` by now, and mail waits for it: once */
    DNS_OUTAGE_IS_OVER /* after LASTS */
};

/* DNS is silent, or answers, for `by` (any pointer of one's own). `wanted`: mail has asked.
 * `since_ms_r`: when what lasts, or is over, began. */
enum dns_outage_news dns_outage_note(struct dns_outage *o, const void *by, bool silent, bool wanted,
                                     int64_t now_ms, int64_t after_ms, int64_t *since_ms_r);

/* What was LASTS could not be told: it is once more, the next time that it is noted. */
void dns_outage_untold(struct dns_outage *o);

#endif
