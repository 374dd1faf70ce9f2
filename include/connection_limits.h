// SPDX-License-Identifier: BSD-2-Clause
/* connection_limits.h - Who has how many connections, over all shards: by address (IPv6: /64), by
 * network (/24, /48) and in all, so that nobody takes all there are. One lock, for as long as two
 * lookups take.
 *
 * A stranger is who has not authenticated yet. Where a place is missing and strangers have some, a
 * newcomer gets one of theirs, and whoever has been a stranger longest has to go. Strangers at an
 * address that nobody knows leave a reserve, and take no place of those at one that is known.
 */
#ifndef CONNECTION_LIMITS_H
#define CONNECTION_LIMITS_H

#include "login_limit.h"

#include <stdbool.h>

struct connection_limits;

struct connection_limits *connection_limits_new(void);
void connection_limits_free(struct connection_limits *c);

struct connection_bounds {
    unsigned all, reserve, per_address, per_network;
};

/* One who has to go: a stranger from that address or network; "" from anywhere. */
struct connection_place {
    enum login_limit_kind kind; /* LOGIN_LIMIT_ADDRESS or LOGIN_LIMIT_NETWORK */
    char name[LOGIN_LIMIT_TEXT];
    bool unknown; /* not from an address that is known */
};

/* One more from an IP address, as text; `known`: somebody has logged in from there. False: all
 * places are taken, and it is not counted. */
bool connection_limits_enter(struct connection_limits *c, const char *address, bool known,
                             const struct connection_bounds *limits, bool *replaces_r,
                             struct connection_place *place_r);
/* It has authenticated. */
void connection_limits_settle(struct connection_limits *c, const char *address, bool known);
/* One that was counted is gone. */
void connection_limits_leave(struct connection_limits *c, const char *address, bool known,
                             bool stranger);
/* Is a stranger at that address meant? */
bool connection_limits_is_place(const struct connection_place *place, const char *address,
                                bool known);

#endif
