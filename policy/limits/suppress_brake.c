// SPDX-License-Identifier: BSD-2-Clause
/* suppress_brake.c - What each tenant has heard at each site, in steps of a minute.
 *
 * A tenant's share of a site holds ten steps, the last 20 answers as bits, and whom it has put on
 * the list. It lies in the table of its tenant, in the order of its last answer, so that the oldest
 * goes first, and in the list of its site, where the others' brakes are looked at. It goes ten
 * minutes after its last answer, unless its brake is on, whose end is told: at each answer its
 * tenant's are looked at, and those of another tenant in turn.
 *
 * What others have heard holds for a domain's recipients if it was said about that domain, or about
 * so many that no three of them are its cause: any domain can name a receiver's host as its own MX,
 * and then the receiver says truly of all its recipients that it does not know them.
 */
#include "suppress_brake.h"

#include "brake_domains.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

enum { STEP_MS = 60 * 1000, STEPS = 10, WINDOW_MS = STEPS * STEP_MS };
enum { ENOUGH = 20, TENTH = 10, OTHERS = 2, ALONE = 3 };

struct site;

struct noted {
    char *address;
    int64_t at_ms;
};

/* Large, and most mail is for nobody who is unknown. */
struct blamed {
    struct brake_domains domains;
    char last[BRAKE_DOMAIN_MAX + 1]; /* of the last unknown one */
};

struct share {
    UT_hash_handle hh;         /* of the tenant */
    struct share *next, *prev; /* of the site */
    struct site *site;
    struct step {
        int64_t began_ms;
        unsigned answers, unknown;
    } steps[STEPS];
    uint32_t last; /* a bit an answer, the last one the lowest: unknown */
    bool on;
    struct blamed *blamed; /* from the first unknown one on; NULL before */
    struct noted *noted;
    size_t noted_count, noted_size;
};

struct site {
    UT_hash_handle hh;
    struct share *shares;
    char name[];
};

struct party {
    UT_hash_handle hh;
    struct share *shares; /* by the name of their site; the first is the oldest */
    char name[];
};

struct suppress_brake {
    struct party *parties;
    struct site *sites;
};

static bool is_over(int64_t since_ms, int64_t now_ms)
{
    return since_ms > now_ms || now_ms - since_ms >= WINDOW_MS;
}

struct suppress_brake *suppress_brake_new(void)
{
    return xcalloc(1, sizeof(struct suppress_brake));
}

static void free_share(struct suppress_brake *b, struct party *p, struct share *s)
{
    HASH_DEL(p->shares, s);
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): s is in the list */
    DL_DELETE(s->site->shares, s);
    if (!s->site->shares) {
        HASH_DEL(b->sites, s->site);
        free(s->site);
    }
    for (size_t i = 0; i < s->noted_count; i++)
        free(s->noted[i].address);
    free(s->noted);
    free(s->blamed);
    free(s);
}

void suppress_brake_free(struct suppress_brake *b)
{
    if (!b)
        return;
    struct party *p;
    struct party *next;
    HASH_ITER (hh, b->parties, p, next) {
        while (p->shares)
            free_share(b, p, p->shares);
        /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): p is in the table */
        HASH_DEL(b->parties, p);
        free(p);
    }
    free(b);
}

/* Those that are over, and the oldest beyond so many. */
static void drop_notes(struct share *s, size_t most, int64_t now_ms)
{
    size_t old = 0;
    while (old < s->noted_count &&
           (s->noted_count - old > most || is_over(s->noted[old].at_ms, now_ms)))
        free(s->noted[old++].address);
    if (old > 0)
        memmove(s->noted, s->noted + old, (s->noted_count - old) * sizeof(*s->noted));
    s->noted_count -= old;
}

/* ---- found ---- */

static struct party *find_party(struct suppress_brake *b, const char *tenant)
{
    struct party *p;
    HASH_FIND_STR(b->parties, tenant, p);
    if (!p) {
        p = xcalloc(1, sizeof(*p) + strlen(tenant) + 1);
        memcpy(p->name, tenant, strlen(tenant));
        HASH_ADD_KEYPTR(hh, b->parties, p->name, strlen(p->name), p);
    }
    return p;
}

static struct site *find_site(struct suppress_brake *b, const char *name)
{
    struct site *site;
    HASH_FIND_STR(b->sites, name, site);
    if (!site) {
        site = xcalloc(1, sizeof(*site) + strlen(name) + 1);
        memcpy(site->name, name, strlen(name));
        HASH_ADD_KEYPTR(hh, b->sites, site->name, strlen(site->name), site);
    }
    return site;
}

static struct share *find_share(struct suppress_brake *b, const char *tenant, const char *site)
{
    struct party *p;
    struct share *s = NULL;
    HASH_FIND_STR(b->parties, tenant, p);
    if (p)
        HASH_FIND_STR(p->shares, site, s);
    return s;
}

/* The newest of its tenant from now on. */
static struct share *use_share(struct suppress_brake *b, const char *tenant, const char *name)
{
    struct party *p = find_party(b, tenant);
    struct share *s;
    HASH_FIND_STR(p->shares, name, s);
    if (s) {
        HASH_DEL(p->shares, s);
    } else {
        s = xcalloc(1, sizeof(*s));
        if (HASH_COUNT(p->shares) >= BRAKE_SITES)
            free_share(b, p, p->shares);
        s->site = find_site(b, name);
        DL_APPEND(s->site->shares, s);
    }
    HASH_ADD_KEYPTR(hh, p->shares, s->site->name, strlen(s->site->name), s);
    return s;
}

/* ---- counted ---- */

static void count(struct share *s, bool unknown, int64_t now_ms)
{
    size_t at = 0;
    for (size_t i = 0; i < STEPS; i++) {
        if (s->steps[i].answers > 0 && is_over(s->steps[i].began_ms, now_ms))
            s->steps[i] = (struct step){0};
        if (s->steps[i].began_ms > s->steps[at].began_ms)
            at = i; /* the newest */
    }
    if (s->steps[at].answers == 0 || now_ms - s->steps[at].began_ms >= STEP_MS) {
        for (size_t i = 0; i < STEPS; i++)
            if (s->steps[i].began_ms < s->steps[at].began_ms)
                at = i; /* the oldest */
        s->steps[at] = (struct step){.began_ms = now_ms};
    }
    s->steps[at].answers++;
    s->steps[at].unknown += unknown;
    s->last = s->last << 1 | unknown;
}

static struct step sum(const struct share *s, int64_t now_ms)
{
    struct step all = {0};
    for (size_t i = 0; i < STEPS; i++) {
        if (is_over(s->steps[i].began_ms, now_ms))
            continue;
        all.answers += s->steps[i].answers;
        all.unknown += s->steps[i].unknown;
    }
    return all;
}

static unsigned bits(uint32_t of)
{
    unsigned found = 0;
    for (; of; of &= of - 1)
        found++;
    return found;
}

/* By what this tenant has heard alone. */
static bool is_too_much(const struct share *s, int64_t now_ms)
{
    struct step all = sum(s, now_ms);
    return all.answers >= ENOUGH && (all.unknown > all.answers / TENTH ||
                                     bits(s->last & ((UINT32_C(1) << ENOUGH) - 1)) > ENOUGH / 2);
}

static bool is_many(unsigned answers, unsigned unknown)
{
    return answers >= ENOUGH && unknown > answers / TENTH;
}

/* Does what a tenant has heard say something about that domain's recipients? */
static bool speaks_for(const struct share *s, const char *domain, int64_t now_ms)
{
    if (!s->blamed)
        return false;
    struct step all = sum(s, now_ms);
    struct brake_count own = brake_domains_of(&s->blamed->domains, domain, now_ms);
    struct brake_count most = brake_domains_most(&s->blamed->domains, ALONE, now_ms);
    return is_many(own.answers, own.unknown) ||
           (all.answers > most.answers && all.unknown > most.unknown &&
            is_many(all.answers - most.answers, all.unknown - most.unknown));
}

static bool others_brake(const struct share *s, int64_t now_ms)
{
    unsigned found = 0;
    const struct share *other;
    const char *domain = s->blamed ? s->blamed->last : "";
    DL_FOREACH (s->site->shares, other)
        found += other != s && other->on && is_too_much(other, now_ms) &&
                 speaks_for(other, domain, now_ms);
    return found >= OTHERS;
}

static void blame(struct share *s, const struct brake_heard *heard, int64_t now_ms)
{
    if (!s->blamed && !heard->unknown)
        return;
    if (!s->blamed)
        s->blamed = xcalloc(1, sizeof(*s->blamed));
    brake_domains_count(&s->blamed->domains, heard->domain, heard->unknown, now_ms);
    if (heard->unknown)
        snprintf(s->blamed->last, sizeof(s->blamed->last), "%s", heard->domain);
}

/* ---- forgotten ---- */

/* Those of which nothing was heard for ten minutes; they come first. */
static void drop_old(struct suppress_brake *b, struct party *p, int64_t now_ms)
{
    struct share *s;
    struct share *next;
    HASH_ITER (hh, p->shares, s, next) {
        if (sum(s, now_ms).answers > 0)
            return;
        if (!s->on) {
            free_share(b, p, s);
            continue;
        }
        drop_notes(s, 0, now_ms);
        free(s->blamed);
        s->blamed = NULL;
    }
}

/* The first one of all, which is the last one then. */
static void drop_anothers(struct suppress_brake *b, int64_t now_ms)
{
    struct party *p = b->parties;
    if (!p)
        return;
    drop_old(b, p, now_ms);
    HASH_DEL(b->parties, p);
    if (p->shares)
        HASH_ADD_KEYPTR(hh, b->parties, p->name, strlen(p->name), p);
    else
        free(p);
}

enum brake suppress_brake_answer(struct suppress_brake *b, const struct brake_heard *heard,
                                 int64_t now_ms)
{
    drop_old(b, find_party(b, heard->tenant), now_ms);
    drop_anothers(b, now_ms);
    struct share *s = use_share(b, heard->tenant, heard->site);
    bool was = s->on;
    bool unknown = heard->unknown;
    drop_notes(s, BRAKE_KEPT, now_ms);
    count(s, unknown, now_ms);
    blame(s, heard, now_ms);
    s->on = is_too_much(s, now_ms) || ((unknown || was) && others_brake(s, now_ms));
    if (s->on)
        return was ? BRAKE_ON : BRAKE_BEGINS;
    return was ? BRAKE_ENDS : BRAKE_OFF;
}

bool suppress_brake_is_on(struct suppress_brake *b, const char *tenant, const char *site,
                          int64_t now_ms)
{
    const struct share *s = find_share(b, tenant, site);
    return s && s->on && sum(s, now_ms).answers > 0;
}

/* ---- whom it has put on the list ---- */

void suppress_brake_note(struct suppress_brake *b, const char *tenant, const char *site,
                         const char *address, int64_t now_ms)
{
    struct share *s = find_share(b, tenant, site);
    if (!s)
        return;
    drop_notes(s, BRAKE_KEPT - 1, now_ms);
    if (s->noted_count == s->noted_size) {
        s->noted_size = s->noted_size > 0 ? 2 * s->noted_size : 4;
        s->noted = xgrow(s->noted, s->noted_size, sizeof(*s->noted));
    }
    s->noted[s->noted_count++] = (struct noted){.address = xstrdup(address), .at_ms = now_ms};
}

char *suppress_brake_take(struct suppress_brake *b, const char *tenant, const char *site,
                          int64_t now_ms)
{
    struct share *s = find_share(b, tenant, site);
    if (!s || s->noted_count == 0 || is_over(s->noted[s->noted_count - 1].at_ms, now_ms))
        return NULL;
    return s->noted[--s->noted_count].address;
}

void suppress_brake_counts(struct suppress_brake *b, const char *tenant, const char *site,
                           int64_t now_ms, unsigned *answers_r, unsigned *unknown_r)
{
    const struct share *s = find_share(b, tenant, site);
    struct step all = s ? sum(s, now_ms) : (struct step){0};
    *answers_r = all.answers;
    *unknown_r = all.unknown;
}
