// SPDX-License-Identifier: BSD-2-Clause
/* hosts.h - The hosts that take a domain's mail, with their addresses, in the order to be tried.
 *
 * An MX set is whatever somebody publishes: it is cut to what one attempt could use anyway, and
 * then a part of it is another one at each lookup. Hosts whose address is not known stay in the
 * list, so that the set is the same each time.
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
    bool drawn;      /* by lot, of more than there is room for */
    bool secure;     /* DNSSEC has proven its addresses, and the alias */
    char *canonical; /* what its name is an alias for (dns.h), or NULL */
};

/* Zeroed: none. Free with hosts_fini(). */
struct hosts {
    struct host *all;
    size_t count;
    bool secure;     /* DNSSEC has proven that these are the domain's, or the operator named them */
    bool missing;    /* addresses that were not waited for to the end */
    uint32_t from;   /* which of our addresses they are called from: a mark; 0: any */
    char *canonical; /* secure: what the domain is an alias for, or NULL */
};

/* One more host, without addresses, at the end; `name` is copied. */
void hosts_add(struct hosts *h, struct span name, unsigned preference);
/* One more address; what is there already, or over HOSTS_IPS_MAX, is left out. */
void hosts_add_ip(struct hosts *h, size_t host, const struct ip *ip);
/* What an answer about its addresses says of the host besides them. */
void hosts_note_answer(struct hosts *h, size_t host, bool secure, const char *canonical_or_null);
/* The same of the domain. Of what is not secure only that is kept. */
void hosts_note_domain(struct hosts *h, bool secure, const char *canonical_or_null);
void hosts_fini(struct hosts *h);

/* Names in lower case, without a dot at the end, and each once, with its best preference. Before
 * they have addresses, or any order. */
void hosts_unite(struct hosts *h);

/* By preference, in random order where it is equal (RFC 5321 section 5.1). */
void hosts_sort(struct hosts *h, uint64_t random);
/* Keep HOSTS_MAX of them, sorted: the best, of equal ones the first by name, and as many of the
 * others by lot, so that each of them has its turn. */
void hosts_choose(struct hosts *h, uint64_t random);
/* Leave out addresses of a family; the hosts stay. */
void hosts_leave_family(struct hosts *h, bool v6);
/* Leave out hosts of this preference and worse. */
void hosts_cut(struct hosts *h, unsigned preference);
/* The addresses of each host in random order, the families in turn (RFC 8305 section 4). */
void hosts_spread(struct hosts *h, uint64_t random);
/* The same hosts for connection number `turn` to them. Equal hosts are first in turn, then the
 * families of a host, then the addresses of a family, so that each has its share exactly; who
 * stands in when the first fails is random. */
void hosts_in_turn(const struct hosts *h, uint64_t turn, uint64_t random, struct hosts *hosts_r);
/* Has DNS given that host, in any case, this address? */
bool hosts_give(const struct hosts *h, const char *name, const struct ip *ip);
/* What stands for a host's name, in any case. */
uint32_t hosts_name_mark(const char *name);
/* What they take in memory. */
size_t hosts_bytes(const struct hosts *h);
bool hosts_have_ips(const struct hosts *h);
/* Is that host, in any case, one of them? `rank_r`: how many other preferences are better. */
bool hosts_find_rank(const struct hosts *h, const char *name, unsigned *rank_r);

#endif
