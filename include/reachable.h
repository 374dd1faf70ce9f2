// SPDX-License-Identifier: BSD-2-Clause
/* reachable.h - Decides whether another domain's DNS may direct mail to an address.
 *
 * Anyone can publish an MX record. It must not direct mail to the relay itself or into a private
 * network, unless delivery.private_networks lists the network. The host of a route is the
 * operator's choice and is not checked here.
 */
#ifndef REACHABLE_H
#define REACHABLE_H

#include "config.h"
#include "mx.h"

/* `why_r`: what the address is, for a sentence; NULL for MX_REACH. */
enum mx_reach reachable(const struct config *c, const struct ip *ip, unsigned port,
                        const char **why_r);

#endif
