// SPDX-License-Identifier: BSD-2-Clause
/* crowd.h - Who has how many connections, over all shards: by address (IPv6: /64), by network (/24,
 * /48) and in all, so that nobody takes all there are. One lock, for as long as two lookups take.
 *
 * A stranger is who has not authenticated yet. Where a place is missing and strangers have some, a
 * newcomer gets one of theirs, and whoever has been a stranger longest has to go. Strangers at an
 * address that nobody knows leave a reserve, and take no place of those at one that is known.
 */
#ifndef CROWD_H
#define CROWD_H

#include "guard.h"

#include <stdbool.h>

struct crowd;

struct crowd *crowd_new(void);
void crowd_free(struct crowd *c);

struct crowd_limits {
    unsigned all, reserve, per_address, per_network;
};

/* One who has to go: a stranger from that address or network; "" from anywhere. */
struct crowd_place {
    enum guard_kind kind; /* GUARD_ADDRESS or GUARD_NETWORK */
    char name[GUARD_TEXT];
    bool unknown; /* not from an address that is known */
};

/* One more from an IP address, as text; `known`: somebody has logged in from there. False: all
 * places are taken, and it is not counted. */
bool crowd_enter(struct crowd *c, const char *address, bool known,
                 const struct crowd_limits *limits, bool *replaces_r, struct crowd_place *place_r);
/* It has authenticated. */
void crowd_settle(struct crowd *c, const char *address, bool known);
/* One that was counted is gone. */
void crowd_leave(struct crowd *c, const char *address, bool known, bool stranger);
/* Is a stranger at that address meant? */
bool crowd_is_place(const struct crowd_place *place, const char *address, bool known);

#endif
