// SPDX-License-Identifier: BSD-2-Clause
/* return_proxy.h - Who may say of a connection whose it is. */
#ifndef RETURN_PROXY_H
#define RETURN_PROXY_H

#include "config.h"

/* Is `peer`, an address, in a network that a listener with `returns` lists as its proxies'? */
bool return_proxy_is_one(const struct config *c, const char *peer);

#endif
