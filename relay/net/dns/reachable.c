// SPDX-License-Identifier: BSD-2-Clause
/* reachable.c - Checks an address against the relay's own addresses, then against the networks that
 * the settings allow, then against the special ranges. */
#include "reachable.h"

static bool is_public_ip(const struct config *c, const struct ip *ip)
{
    struct ip own;
    for (size_t i = 0; i < c->source_count; i++) {
        const struct ip *from = config_source_ip(&c->sources[i], ip);
        if (from && ip_equal(ip, from))
            return true;
    }
    for (size_t i = 0; i < c->public_ip_count; i++)
        if (ip_parse(c->public_ips[i], &own) && ip_equal(ip, &own))
            return true;
    return false;
}

static bool is_any(const struct ip *ip)
{
    struct ip any = {.v6 = ip->v6};
    return ip_equal(ip, &any);
}

/* Does one of our listeners have this address? `port` 0: with any port. */
static bool is_listener(const struct config *c, const struct ip *ip, unsigned port)
{
    struct ip own;
    for (size_t i = 0; i < c->listener_count; i++) {
        const struct config_listener *l = &c->listeners[i];
        if (!ip_parse(l->host, &own) || (port != 0 && port != l->port))
            continue;
        if (ip_equal(ip, &own))
            return true;
        if (is_any(&own) && port != 0 && (ip_is_loopback(ip) || is_public_ip(c, ip)))
            return true;
    }
    return false;
}

static bool is_meant(const struct config *c, const struct ip *ip)
{
    for (size_t i = 0; i < c->private_network_count; i++)
        if (ip_within(ip, &c->private_networks[i]))
            return true;
    return false;
}

static bool is_own(const struct config *c, const struct ip *ip)
{
    return is_public_ip(c, ip) || is_listener(c, ip, 0);
}

enum mx_reach reachable(const struct config *c, const struct ip *ip, unsigned port,
                        const char **why_r)
{
    struct ip inside;
    bool leads_on = ip_inside(ip, &inside); /* there is an IPv4 address in it */
    *why_r = "our own address";
    if (is_listener(c, ip, port) || (leads_on && is_listener(c, &inside, port)))
        return MX_REACH_SELF; /* a loop, whatever is meant */
    if (is_meant(c, ip)) {
        *why_r = NULL;
        return MX_REACH;
    }
    if (is_own(c, ip) || (leads_on && is_own(c, &inside)))
        return MX_REACH_SELF;
    *why_r = ip_special(ip);
    if (*why_r == NULL)
        return MX_REACH;
    bool loops = ip_is_loopback(ip) || (leads_on && ip_is_loopback(&inside));
    return loops ? MX_REACH_SELF : MX_REACH_NEVER;
}
