// SPDX-License-Identifier: BSD-2-Clause
/* slow_domains.h - For which recipient domains a server has said that it is sent too much.
 *
 * At a host that many share each of them may choose what it answers for his own mailboxes: so what
 * was said for one domain is of that one, until it was said for three. Domains are told apart by
 * what they are registered as; plain values; times in ms of one steady clock. */
#ifndef SLOW_DOMAINS_H
#define SLOW_DOMAINS_H

#include <stdbool.h>
#include <stdint.h>

enum { SLOW_OWNERS = 3, SLOW_DOMAINS = 4, SLOW_OWNERS_MS = 30 * 60 * 1000 };

/* Those for which it was said last; begins all zero. */
struct slow_domains {
    struct slow_domain {
        uint64_t mark; /* what stands for the name; 0: none */
        int64_t said_ms;
        unsigned others; /* messages for others that were taken since then, and none for it */
    } domains[SLOW_DOMAINS], owners[SLOW_OWNERS];
    int64_t all_until_ms; /* it was said for so many owners' */
};

/* Is it so for that domain, or for all of them? `domain` is a hop (hop.h), in normal form. */
bool slow_domains_has(const struct slow_domains *s, const char *domain, int64_t now_ms);
bool slow_domains_is_all(const struct slow_domains *s, int64_t now_ms);

/* It was said of mail for that domain. True: so it was for another owner's before, and for his not,
 * and for no more than can be told apart. */
bool slow_domains_said(struct slow_domains *s, const char *domain, int64_t now_ms);
/* Mail for it was taken. */
void slow_domains_taken(struct slow_domains *s, const char *domain);
/* Several have it, and while it was said for this one, mail for others was taken and none for it:
 * it is this one's. */
bool slow_domains_is_of_one(const struct slow_domains *s, const char *domain, int64_t now_ms);

#endif
