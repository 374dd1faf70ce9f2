// SPDX-License-Identifier: BSD-2-Clause
/* ip.c - IP addresses and networks: parsing, printing, comparison, and a table of special ranges
 * from IANA's registries. */
#include "ip.h"

#include "span.h"

#include <arpa/inet.h>
#include <string.h>

bool ip_parse(const char *text, struct ip *ip_r)
{
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
    *ip_r = (struct ip){0};
    if (inet_pton(AF_INET, text, ip_r->bytes) == 1)
        return true;
    if (inet_pton(AF_INET6, text, ip_r->bytes) != 1)
        return false;
    ip_r->v6 = memcmp(ip_r->bytes, mapped, sizeof(mapped)) != 0;
    if (!ip_r->v6) {
        memmove(ip_r->bytes, ip_r->bytes + sizeof(mapped), 4);
        memset(ip_r->bytes + 4, 0, sizeof(mapped));
    }
    return true;
}

void ip_print(const struct ip *ip, char *text_r)
{
    CHECK(inet_ntop(ip->v6 ? AF_INET6 : AF_INET, ip->bytes, text_r, IP_TEXT) != NULL);
}

bool ip_equal(const struct ip *a, const struct ip *b)
{
    return a->v6 == b->v6 && memcmp(a->bytes, b->bytes, a->v6 ? 16 : 4) == 0;
}

bool endpoint_equal(const struct endpoint *a, const struct endpoint *b)
{
    return a->port == b->port && a->from == b->from && ip_equal(&a->ip, &b->ip);
}

static bool same_start(const unsigned char *a, const unsigned char *b, unsigned bits)
{
    unsigned rest = bits % 8;
    if (memcmp(a, b, bits / 8) != 0)
        return false;
    return rest == 0 || (a[bits / 8] ^ b[bits / 8]) >> (8 - rest) == 0;
}

bool ip_within(const struct ip *ip, const struct ip_network *network)
{
    return ip->v6 == network->ip.v6 && same_start(ip->bytes, network->ip.bytes, network->prefix);
}

bool ip_network_parse(const char *text, struct ip_network *network_r)
{
    char address[IP_TEXT];
    struct span rest = span_of(text);
    uint64_t prefix = 0;
    bool with_prefix = span_find(rest, '/') < rest.len;
    if (!span_copy(span_take(&rest, '/'), address, sizeof(address)) ||
        !ip_parse(address, &network_r->ip))
        return false;
    unsigned bits = network_r->ip.v6 ? 128 : 32;
    if (with_prefix && (!span_number(rest, &prefix) || prefix > bits))
        return false;
    network_r->prefix = with_prefix ? (unsigned)prefix : bits;
    for (unsigned i = network_r->prefix; i < bits; i++)
        if (network_r->ip.bytes[i / 8] & 0x80 >> i % 8)
            return false;
    return true;
}

/* ---- special ranges ---- */

/* The first that fits counts. `inside`: where an IPv4 address lies, which decides when the range is
 * nothing else; 0: nowhere. Of IPv6, only 2000::/3 is allocated for public hosts. */
static const struct {
    struct ip_network range;
    const char *what;
    unsigned inside;
} ranges[] = {
    {{{false, {0}}, 8}, "an address of \"this network\", RFC 791", 0},
    {{{false, {10}}, 8}, "a private address, RFC 1918", 0},
    {{{false, {100, 64}}, 10}, "an address of a carrier's NAT, RFC 6598", 0},
    {{{false, {127}}, 8}, "a loopback address, RFC 1122", 0},
    {{{false, {169, 254}}, 16}, "a link-local address, RFC 3927", 0},
    {{{false, {172, 16}}, 12}, "a private address, RFC 1918", 0},
    {{{false, {192, 0, 0}}, 24}, "an address of a protocol, RFC 6890", 0},
    {{{false, {192, 0, 2}}, 24}, "an address of documentation, RFC 5737", 0},
    {{{false, {192, 88, 99}}, 24}, "an address of 6to4 relays, RFC 7526", 0},
    {{{false, {192, 168}}, 16}, "a private address, RFC 1918", 0},
    {{{false, {198, 18}}, 15}, "an address of benchmarks, RFC 2544", 0},
    {{{false, {198, 51, 100}}, 24}, "an address of documentation, RFC 5737", 0},
    {{{false, {203, 0, 113}}, 24}, "an address of documentation, RFC 5737", 0},
    {{{false, {224}}, 4}, "a multicast address, RFC 5771", 0},
    {{{false, {240}}, 4}, "a reserved address, RFC 1112", 0},
    {{{true, {[15] = 1}}, 128}, "the loopback address, RFC 4291", 0},
    {{{true, {0}}, 128}, "the unspecified address, RFC 4291", 0},
    {{{true, {0}}, 96}, "an IPv4-compatible address, RFC 4291", 12},
    {{{true, {[10] = 0xff, [11] = 0xff}}, 96}, "an IPv4-mapped address, RFC 4291", 12},
    {{{true, {[8] = 0xff, [9] = 0xff}}, 96}, "an IPv4-translated address, RFC 2765", 12},
    {{{true, {0, 0x64, 0xff, 0x9b}}, 96}, NULL, 12}, /* NAT64, RFC 6052 */
    {{{true, {0, 0x64, 0xff, 0x9b, 0, 1}}, 48}, "an address of a local NAT64, RFC 8215", 12},
    {{{true, {1}}, 64}, "an address that is discarded, RFC 6666", 0},
    {{{true, {1, 0, 0, 0, 0, 0, 0, 1}}, 64}, "a dummy address, RFC 9780", 0},
    {{{true, {0x20, 1}}, 23}, "an address of a protocol, RFC 2928", 0},
    {{{true, {0x20, 1, 0x0d, 0xb8}}, 32}, "an address of documentation, RFC 3849", 0},
    {{{true, {0x20, 2}}, 16}, NULL, 2}, /* 6to4, RFC 3056 */
    {{{true, {0x3f, 0xff}}, 20}, "an address of documentation, RFC 9637", 0},
    {{{true, {0x5f}}, 16}, "a segment identifier, RFC 9602", 0},
    {{{true, {0xfc}}, 7}, "a private address, RFC 4193", 0},
    {{{true, {0xfe, 0x80}}, 10}, "a link-local address, RFC 4291", 0},
    {{{true, {0xfe, 0xc0}}, 10}, "a site-local address, RFC 3879", 0},
    {{{true, {0xff}}, 8}, "a multicast address, RFC 4291", 0},
    {{{true, {0x20}}, 3}, NULL, 0},
    {{{true, {0}}, 0}, "an address that is not global unicast, RFC 4291", 0},
};

static const char *special(const struct ip *ip, unsigned *inside_r)
{
    *inside_r = 0;
    for (size_t i = 0; i < COUNT_OF(ranges); i++) {
        if (!ip_within(ip, &ranges[i].range))
            continue;
        *inside_r = ranges[i].inside;
        return ranges[i].what;
    }
    return NULL;
}

bool ip_inside(const struct ip *ip, struct ip *inside_r)
{
    unsigned inside = 0;
    (void)special(ip, &inside);
    *inside_r = (struct ip){.v6 = false};
    if (inside > 0)
        memcpy(inside_r->bytes, ip->bytes + inside, 4);
    return inside > 0;
}

const char *ip_special(const struct ip *ip)
{
    unsigned inside = 0;
    const char *what = special(ip, &inside);
    struct ip within;
    if (what || !ip_inside(ip, &within))
        return what;
    return special(&within, &inside);
}

bool ip_is_loopback(const struct ip *ip)
{
    static const unsigned char one[16] = {[15] = 1};
    return ip->v6 ? memcmp(ip->bytes, one, sizeof(one)) == 0 : ip->bytes[0] == 127;
}
