// SPDX-License-Identifier: BSD-2-Clause
/* hosts.h - The hosts that take a domain's mail, with their addresses, in the order to be tried.
 *
 * An MX set is whatever somebody publishes: it is cut to what one attempt could use anyway. Hosts
 * whose address is not known stay in the list, so that the set is the same each time.
 */
#ifndef HOSTS_H
#define HOSTS_H

#include "ip.h"
#include "span.h"

#include <stdint.h>

enum { HOSTS_MAX = 30, HOSTS_IPS_MAX = 16 };

struct host {
    char *name;
    unsigned preference;
    struct ip *ips;
    size_t count;
};

/* Zeroed: none. Free with hosts_fini(). */
struct hosts {
    struct host *all;
    size_t count;
};

void hosts_add(struct hosts *h, struct span name, unsigned preference);
/* One more address; what is there already, or over HOSTS_IPS_MAX, is left out. */
void hosts_add_ip(struct hosts *h, size_t host, const struct ip *ip);
void hosts_fini(struct hosts *h);

/* By preference, in random order where it is equal (RFC 5321 section 5.1); then HOSTS_MAX of
 * them. */
void hosts_sort(struct hosts *h, uint64_t random);
/* Leave out hosts of this preference and worse. */
void hosts_cut(struct hosts *h, unsigned preference);
/* The addresses of each host in random order, the families in turn (RFC 8305 section 4). */
void hosts_spread(struct hosts *h, uint64_t random);
/* The same hosts for connection number `turn` to them. Equal hosts are first in turn, then the
 * families of a host, then the addresses of a family, so that each has its share exactly; who
 * stands in when the first fails is random. */
void hosts_in_turn(const struct hosts *h, uint64_t turn, uint64_t random, struct hosts *hosts_r);
bool hosts_have_ips(const struct hosts *h);
/* Is there another address to be tried after this one? */
bool hosts_have_more(const struct hosts *h, size_t host, size_t ip);

#endif
