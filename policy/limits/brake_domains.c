// SPDX-License-Identifier: BSD-2-Clause
/* brake_domains.c - Two small tables: of domains, and of what they are registered as. Whoever owns
 * a domain makes as many names below it as he likes, so that it is the last two labels that are
 * told apart there: that may take several owners for one, and never one for several.
 *
 * A new name takes the place of the one that least was heard of, and its count (Space-Saving,
 * Metwally et al., 2005): so whoever has more than one in BRAKE_TALLIES of the answers is there,
 * however many others come between. It is counted among what is known: no name answers for what
 * was said of another.
 */
#include "brake_domains.h"

#include "span.h"

#include <string.h>

enum { HALF_MS = 5 * 60 * 1000 };

static void name_of(const char *domain, char name_r[BRAKE_DOMAIN_TEXT])
{
    size_t len = strlen(domain);
    size_t skip = len >= BRAKE_DOMAIN_TEXT ? len - (BRAKE_DOMAIN_TEXT - 1) : 0;
    memcpy(name_r, domain + skip, len - skip + 1);
}

static const char *last_two_labels(const char *domain)
{
    const char *at = domain + strlen(domain);
    for (unsigned dots = 0; at > domain; at--)
        if (at[-1] == '.' && ++dots == 2)
            break;
    return at;
}

static struct brake_count heard(const struct brake_tally *t, int64_t now_ms)
{
    int64_t age_ms = now_ms - t->began_ms;
    struct brake_count all = {0};
    if (age_ms < 0 || age_ms >= (int64_t)2 * HALF_MS)
        return all;
    if (age_ms >= HALF_MS)
        return t->now;
    return (struct brake_count){t->now.answers + t->before.answers,
                                t->now.unknown + t->before.unknown};
}

static struct brake_tally *find(struct brake_tally *all, const char *name, int64_t now_ms)
{
    struct brake_tally *least = &all[0];
    for (size_t i = 0; i < BRAKE_TALLIES; i++) {
        if (strcmp(all[i].name, name) == 0)
            return &all[i];
        if (heard(&all[i], now_ms).answers < heard(least, now_ms).answers)
            least = &all[i];
    }
    least->now.unknown = least->before.unknown = 0;
    memcpy(least->name, name, strlen(name) + 1);
    return least;
}

static void count(struct brake_tally *all, const char *domain, bool unknown, int64_t now_ms)
{
    char name[BRAKE_DOMAIN_TEXT];
    name_of(domain, name);
    struct brake_tally *t = find(all, name, now_ms);
    int64_t age_ms = now_ms - t->began_ms;
    if (age_ms < 0 || age_ms >= HALF_MS) {
        t->before = age_ms >= 0 && age_ms < (int64_t)2 * HALF_MS ? t->now : (struct brake_count){0};
        t->now = (struct brake_count){0};
        t->began_ms = now_ms;
    }
    t->now.answers++;
    t->now.unknown += unknown;
}

void brake_domains_count(struct brake_domains *d, const char *domain, bool unknown, int64_t now_ms)
{
    count(d->domains, domain, unknown, now_ms);
    count(d->organizations, last_two_labels(domain), unknown, now_ms);
}

struct brake_count brake_domains_of(const struct brake_domains *d, const char *domain,
                                    int64_t now_ms)
{
    char name[BRAKE_DOMAIN_TEXT];
    name_of(domain, name);
    for (size_t i = 0; i < BRAKE_TALLIES; i++)
        if (strcmp(d->domains[i].name, name) == 0)
            return heard(&d->domains[i], now_ms);
    return (struct brake_count){0};
}

struct brake_count brake_domains_most(const struct brake_domains *d, size_t count, int64_t now_ms)
{
    struct brake_count sum = {0};
    bool taken[BRAKE_TALLIES] = {false};
    for (size_t n = 0; n < count; n++) {
        size_t most = BRAKE_TALLIES;
        for (size_t i = 0; i < BRAKE_TALLIES; i++)
            if (!taken[i] &&
                (most == BRAKE_TALLIES || heard(&d->organizations[i], now_ms).unknown >
                                              heard(&d->organizations[most], now_ms).unknown))
                most = i;
        CHECK(most < BRAKE_TALLIES);
        struct brake_count one = heard(&d->organizations[most], now_ms);
        taken[most] = true;
        sum.answers += one.answers;
        sum.unknown += one.unknown;
    }
    return sum;
}
