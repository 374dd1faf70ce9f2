// SPDX-License-Identifier: BSD-2-Clause
/* connection_limits.h - Counts connections over all shards, by address (IPv6: /64), by network
 * (/24, /48) and in total, so that nobody can take all of them. One lock, held for the time of a
 * few lookups.
 *
 * A client is a stranger until it has authenticated. If there is no place left and strangers have
 * some, a new client gets the place of a stranger: the oldest of the address that has most of
 * them. That one is not counted from then on, so that of many who come at once each takes the place
 * of another. Strangers from unknown addresses must leave a reserve, and take a place from those at
 * a known address only while they have less than half of what is kept for strangers.
 *
 * Of each limit a tenth is kept for strangers, so that there is always a place to log in on. Those
 * who have logged in share the rest by tenant: when one more logs in and there is none left, the
 * tenant with most connections (at the address, in the network, or in total) gives one up. Those
 * who have to go are not counted from then on, so that of many who log in at once each takes the
 * place of another.
 */
#ifndef CONNECTION_LIMITS_H
#define CONNECTION_LIMITS_H

#include "login_limit.h"

#include <stdbool.h>

enum { CONNECTION_TENANT = 64 };

struct connection_limits;

/* For all shards. Free when nobody is connected any more; NULL is allowed. */
struct connection_limits *connection_limits_new(void);
void connection_limits_free(struct connection_limits *c);

struct connection_bounds {
    unsigned all, reserve, per_address, per_network;
};

/* One who has to go, from that address or network; "" from anywhere. */
struct connection_place {
    enum login_limit_kind kind; /* LOGIN_LIMIT_ADDRESS or LOGIN_LIMIT_NETWORK */
    char name[LOGIN_LIMIT_TEXT];
    bool unknown;                   /* a stranger not from an address that is known */
    char tenant[CONNECTION_TENANT]; /* one who has logged in for that tenant; "" a stranger */
    unsigned held, limit; /* connections of that tenant there, and how many all may have */
};

/* One more from an IP address, as text; `known`: somebody has logged in from there. False: all
 * places are taken, and it is not counted. If it replaces another one, that has to leave: call
 * connection_limits_made_room() just before, or connection_limits_look_again(). */
bool connection_limits_enter(struct connection_limits *c, const char *address, bool known,
                             const struct connection_bounds *limits, bool *replaces_r,
                             struct connection_place *place_r);
/* It has authenticated, for that tenant. True: for that, another one has to go; when it has left,
 * or there is none, call connection_limits_made_room(). */
bool connection_limits_settle(struct connection_limits *c, const char *address, bool known,
                              const char *tenant, const struct connection_bounds *limits,
                              struct connection_place *place_r);
void connection_limits_made_room(struct connection_limits *c, const struct connection_place *place);
/* There was no stranger at that place: it has left, or logged in. True: there are still too many,
 * and one at `place`, which is another now, has to leave. */
bool connection_limits_look_again(struct connection_limits *c, struct connection_place *place);
/* One that was counted is gone. `tenant`: NULL, a stranger. */
void connection_limits_leave(struct connection_limits *c, const char *address, bool known,
                             const char *tenant);
/* A stranger is served just now, and keeps its place until it is not: then it may have to go again.
 * It leaves as a stranger that is not served. */
void connection_limits_serve(struct connection_limits *c, const char *address, bool known,
                             bool served);
/* Is one at that address meant? */
bool connection_limits_is_place(const struct connection_place *place, const char *address,
                                bool known);

#endif
