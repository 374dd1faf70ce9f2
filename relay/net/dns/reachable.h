// SPDX-License-Identifier: BSD-2-Clause
/* reachable.h - May somebody's DNS lead us to this address?
 *
 * Anybody can publish an MX record. It never leads to ourselves, nor into a network that is nobody
 * else's business, unless delivery.private_networks names it. The host of a route is our own
 * choice, and is not asked about here.
 */
#ifndef REACHABLE_H
#define REACHABLE_H

#include "config.h"

enum reachable { REACHABLE_YES, REACHABLE_SELF, REACHABLE_NEVER };

/* `why_r`: what the address is, for a sentence; NULL for REACHABLE_YES. */
enum reachable reachable(const struct config *c, const struct ip *ip, unsigned port,
                         const char **why_r);

#endif
