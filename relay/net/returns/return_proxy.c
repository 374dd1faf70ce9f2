// SPDX-License-Identifier: BSD-2-Clause
/* return_proxy.c - Those of the listeners that take what comes back, as one list. */
#include "return_proxy.h"

#include "ip.h"

static bool lists(const struct config_listener *l, const struct ip *ip)
{
    struct ip_network network;
    for (size_t i = 0; i < l->proxy_count; i++)
        if (ip_network_parse(l->proxies[i], &network) && ip_within(ip, &network))
            return true;
    return false;
}

bool return_proxy_is_one(const struct config *c, const char *peer)
{
    struct ip ip;
    if (!ip_parse(peer, &ip))
        return false;
    for (size_t i = 0; i < c->listener_count; i++)
        if (c->listeners[i].returns && lists(&c->listeners[i], &ip))
            return true;
    return false;
}
