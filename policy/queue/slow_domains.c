// SPDX-License-Identifier: BSD-2-Clause
/* slow_domains.c - Two small tables, in which the newest takes the place of the oldest.
 *
 * Of domains, each with what lies below it: whose mail is slowed. Where names are registered under
 * two labels, as below co.uk, one is no other's neighbour. And of owners, by the last two labels as
 * in brake_domains.c: those are counted, and may take several owners for one, but never one who has
 * many names for several.
 */
#include "slow_domains.h"

#include "check.h"
#include "span.h"

#include <stddef.h>
#include <string.h>

enum { OTHERS = 3, DOMAINS_MS = 60 * 60 * 1000 }; /* as long as a level is known at most */

/* The last so many labels, or as many as there are. A hop says more behind its domain. */
static struct span last_labels(const char *hop, unsigned count)
{
    const char *end = hop + strcspn(hop, " ");
    const char *at = end;
    for (unsigned dots = 0; at > hop; at--)
        if (at[-1] == '.' && ++dots == count)
            break;
    return (struct span){at, (size_t)(end - at)};
}

/* As co.uk and or.at: many have their names below it. */
static bool is_for_many(struct span two_labels)
{
    size_t dot = span_find(two_labels, '.');
    return dot <= 3 && two_labels.len == dot + 3;
}

/* FNV-1a; never 0. A name that is taken for another waits with it. */
static uint64_t mark_of(struct span name)
{
    uint64_t hash = 14695981039346656037U;
    for (size_t i = 0; i < name.len; i++)
        hash = (hash ^ (unsigned char)name.ptr[i]) * 1099511628211U;
    return hash | 1;
}

static uint64_t owner_of(const char *hop)
{
    return mark_of(last_labels(hop, 2));
}

static uint64_t domain_of(const char *hop)
{
    struct span two = last_labels(hop, 2);
    return mark_of(is_for_many(two) ? last_labels(hop, 3) : two);
}

static const struct slow_domain *find(const struct slow_domain *all, size_t count, uint64_t mark,
                                      int64_t since_ms)
{
    for (size_t i = 0; i < count; i++)
        if (all[i].mark == mark && all[i].said_ms > since_ms)
            return &all[i];
    return NULL;
}

static size_t count_since(const struct slow_domain *all, size_t count, int64_t since_ms)
{
    size_t since = 0;
    for (size_t i = 0; i < count; i++)
        since += all[i].mark != 0 && all[i].said_ms > since_ms;
    return since;
}

static void note(struct slow_domain *all, size_t count, uint64_t mark, int64_t now_ms)
{
    struct slow_domain *at = &all[0];
    for (size_t i = 0; i < count; i++) {
        if (all[i].mark == mark) {
            at = &all[i];
            break;
        }
        if (all[i].said_ms < at->said_ms)
            at = &all[i];
    }
    *at = (struct slow_domain){.mark = mark, .said_ms = now_ms};
}

bool slow_domains_is_all(const struct slow_domains *s, int64_t now_ms)
{
    return s->all_until_ms > now_ms;
}

bool slow_domains_has(const struct slow_domains *s, const char *domain, int64_t now_ms)
{
    return slow_domains_is_all(s, now_ms) ||
           find(s->domains, SLOW_DOMAINS, domain_of(domain), now_ms - DOMAINS_MS);
}

bool slow_domains_said(struct slow_domains *s, const char *domain, int64_t now_ms)
{
    bool was_all = slow_domains_is_all(s, now_ms);
    int64_t since_ms = now_ms - SLOW_OWNERS_MS;
    bool another = count_since(s->owners, SLOW_OWNERS, since_ms) > 0 &&
                   !find(s->owners, SLOW_OWNERS, owner_of(domain), since_ms);
    note(s->domains, SLOW_DOMAINS, domain_of(domain), now_ms);
    note(s->owners, SLOW_OWNERS, owner_of(domain), now_ms);
    if (count_since(s->owners, SLOW_OWNERS, since_ms) == SLOW_OWNERS)
        s->all_until_ms = now_ms + SLOW_OWNERS_MS;
    return another && !was_all;
}

void slow_domains_taken(struct slow_domains *s, const char *domain)
{
    uint64_t mark = domain_of(domain);
    for (size_t i = 0; i < SLOW_DOMAINS; i++) {
        struct slow_domain *d = &s->domains[i];
        if (d->mark == mark)
            d->others = 0;
        else if (d->others < OTHERS)
            d->others++;
    }
}

bool slow_domains_is_of_one(const struct slow_domains *s, const char *domain, int64_t now_ms)
{
    int64_t since_ms = now_ms - DOMAINS_MS;
    const struct slow_domain *d = find(s->domains, SLOW_DOMAINS, domain_of(domain), since_ms);
    bool several =
        slow_domains_is_all(s, now_ms) || count_since(s->domains, SLOW_DOMAINS, since_ms) > 1;
    return d && several && d->others >= OTHERS;
}
