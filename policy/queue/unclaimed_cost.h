// SPDX-License-Identifier: BSD-2-Clause
/* unclaimed_cost.h - What was spent on zones that nobody is known to ask for: until an answer shows
 * whose name was an alias into one, or so long that nobody will say it. */
#ifndef UNCLAIMED_COST_H
#define UNCLAIMED_COST_H

#include "dns.h"

#include <stdint.h>

enum { UNCLAIMED_ZONES = 8, UNCLAIMED_MS = 500 };

/* All zero: nothing. */
struct unclaimed_cost {
    struct {
        char zone[DNS_NAME_MAX + 1]; /* "": it is not known which */
        uint64_t us;
        int64_t since_ms;
    } list[UNCLAIMED_ZONES];
    size_t count;
};

/* Both in lower case, without a dot at the end. Every name is in the root, "". */
bool unclaimed_is_in_zone(const char *name, const char *zone);

void unclaimed_add(struct unclaimed_cost *u, const char *zone, uint64_t us, int64_t now_ms);
/* What was spent on zones that this name is in, which is claimed now; "" is nobody's to claim. */
uint64_t unclaimed_take(struct unclaimed_cost *u, const char *name);
/* What has not been claimed for UNCLAIMED_MS, and is not kept any more. */
uint64_t unclaimed_give_up(struct unclaimed_cost *u, int64_t now_ms);

#endif
