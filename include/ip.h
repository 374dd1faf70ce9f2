// SPDX-License-Identifier: BSD-2-Clause
/* ip.h - IP addresses and networks, and the ranges that no public host has (RFC 6890). */
#ifndef IP_H
#define IP_H

#include "check.h"

#include <stdbool.h>
#include <stdint.h>

enum { IP_TEXT = 46 };

struct ip {
    bool v6;
    unsigned char bytes[16];
};

/* Where a server listens. */
struct endpoint {
    struct ip ip;
    unsigned port;
    uint32_t from; /* which of our own addresses it is called from: a mark; 0: any */
};

struct ip_network {
    struct ip ip;
    unsigned prefix;
};

/* An IPv4 address mapped into IPv6 becomes the IPv4 address. */
MUST_CHECK bool ip_parse(const char *text, struct ip *ip_r);
void ip_print(const struct ip *ip, char *text_r); /* IP_TEXT bytes */
bool ip_equal(const struct ip *a, const struct ip *b);
bool endpoint_equal(const struct endpoint *a, const struct endpoint *b);

/* "10.0.0.0/8", or one address; without host bits. */
MUST_CHECK bool ip_network_parse(const char *text, struct ip_network *network_r);
bool ip_within(const struct ip *ip, const struct ip_network *network);

/* What an address is that cannot be a public host's, as "private, RFC 1918"; NULL when it can.
 * NAT64 and 6to4 addresses are what the IPv4 address inside is. The bytes are taken as they are:
 * a mapped IPv4 address on the wire is special itself. */
const char *ip_special(const struct ip *ip);
/* The IPv4 address that an IPv6 address leads to: mapped, compatible, NAT64, 6to4. */
MUST_CHECK bool ip_inside(const struct ip *ip, struct ip *inside_r);
bool ip_is_loopback(const struct ip *ip);

#endif
