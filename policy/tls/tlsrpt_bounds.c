// SPDX-License-Identifier: BSD-2-Clause
/* tlsrpt_bounds.c - A table of those who were asked for something today. */
#include "tlsrpt_bounds.h"

#include "check.h"
#include "tlsrpt_gather.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

enum { TARGETS_MAX = 100 * 1000, NAME_LEN = 400 };

/* A day's budget of costs: for reports on its own domains, and for those on foreign ones. A mailbox
 * that many domains of one organization name gets one of each; a company that reads reports for
 * others has a mailbox or host for each of them, or takes what is posted. */
static const int64_t budgets[TLSRPT_WHOM][2] = {
    [TLSRPT_MAILBOX] = {50, 10}, [TLSRPT_MAIL_DOMAIN] = {500, 50}, [TLSRPT_NAMER] = {500, 50},
    [TLSRPT_HOST] = {2000, 500}, [TLSRPT_HOSTS] = {8000, 2000},    [TLSRPT_IP] = {1000, 0}};

/* A tenant, of whose reports so many rows are. */
struct payer {
    UT_hash_handle hh;
    size_t rows;
    char tenant[];
};

struct standing {
    UT_hash_handle hh;
    struct payer *payer;
    int64_t spent[2]; /* own, foreign */
    int64_t until_ms; /* nothing until then; 0: it may */
    bool closed[2];
    int64_t proven_day; /* it took a post then; 0: it has not */
    char key[];         /* its kind and its name */
};

struct tlsrpt_bounds {
    struct standing *all;
    struct payer *payers;
    int64_t day;
};

struct tlsrpt_bounds *tlsrpt_bounds_new(void)
{
    return xcalloc(1, sizeof(struct tlsrpt_bounds));
}

static struct payer *find_payer(const struct tlsrpt_bounds *b, const char *tenant)
{
    struct payer *p = NULL;
    HASH_FIND_STR(b->payers, tenant, p);
    return p;
}

static struct payer *need_payer(struct tlsrpt_bounds *b, const char *tenant)
{
    struct payer *p = find_payer(b, tenant);
    if (p)
        return p;
    p = xcalloc(1, sizeof(*p) + strlen(tenant) + 1);
    memcpy(p->tenant, tenant, strlen(tenant) + 1);
    HASH_ADD_KEYPTR(hh, b->payers, p->tenant, strlen(p->tenant), p);
    return p;
}

static bool has_room(const struct tlsrpt_bounds *b, const char *tenant)
{
    const struct payer *p = find_payer(b, tenant);
    return (p ? p->rows : 0) + HASH_COUNT(b->all) < TARGETS_MAX;
}

static void forget_one(struct tlsrpt_bounds *b, struct standing *s)
{
    struct payer *p = s->payer;
    HASH_DEL(b->all, s);
    free(s);
    if (--p->rows > 0)
        return;
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): it is in the table */
    HASH_DEL(b->payers, p);
    free(p);
}

/* Those excepted that took a post on that day, of whom nothing else is left. */
static void forget(struct tlsrpt_bounds *b, int64_t but_day)
{
    struct standing *s;
    struct standing *next;
    HASH_ITER (hh, b->all, s, next) {
        s->spent[0] = s->spent[1] = s->until_ms = 0;
        s->closed[0] = s->closed[1] = false;
        if (s->proven_day == 0 || s->proven_day != but_day)
            forget_one(b, s);
    }
}

void tlsrpt_bounds_free(struct tlsrpt_bounds *b)
{
    if (!b)
        return;
    forget(b, 0);
    free(b);
}

static void begin_day(struct tlsrpt_bounds *b, int64_t now_ms)
{
    int64_t day = now_ms / TLSRPT_DAY_MS;
    if (day != b->day)
        forget(b, day - 1);
    b->day = day;
}

static struct standing *find(struct tlsrpt_bounds *b, const char *key)
{
    struct standing *s = NULL;
    HASH_FIND_STR(b->all, key, s);
    return s;
}

static void make_key(const struct tlsrpt_target *t, char key_r[NAME_LEN])
{
    snprintf(key_r, NAME_LEN, "%d %s", (int)t->whom, t->name);
}

/* Of the two budgets. */
static size_t share_of(const struct tlsrpt_target *t)
{
    return t->foreign && t->whom != TLSRPT_IP;
}

/* NULL: there is no room. */
static struct standing *need(struct tlsrpt_bounds *b, const struct tlsrpt_target *t, int64_t now_ms)
{
    char key[NAME_LEN];
    begin_day(b, now_ms);
    make_key(t, key);
    struct standing *s = find(b, key);
    if (s || !has_room(b, t->tenant))
        return s;
    s = xcalloc(1, sizeof(*s) + strlen(key) + 1);
    s->payer = need_payer(b, t->tenant);
    s->payer->rows++;
    memcpy(s->key, key, strlen(key) + 1);
    HASH_ADD_KEYPTR(hh, b->all, s->key, strlen(s->key), s);
    return s;
}

enum tlsrpt_bound tlsrpt_bounds_ask(struct tlsrpt_bounds *b, const struct tlsrpt_target *t,
                                    int64_t now_ms)
{
    char key[NAME_LEN];
    begin_day(b, now_ms);
    make_key(t, key);
    const struct standing *s = find(b, key);
    if (!s)
        return has_room(b, t->tenant) ? TLSRPT_FREE : TLSRPT_FULL;
    if (s->closed[share_of(t)])
        return TLSRPT_CLOSED;
    if (s->until_ms > now_ms)
        return TLSRPT_RESTS;
    if (s->spent[share_of(t)] < budgets[t->whom][share_of(t)])
        return TLSRPT_FREE;
    return t->whom == TLSRPT_IP ? TLSRPT_FAILED : TLSRPT_SPENT;
}

void tlsrpt_bounds_charge(struct tlsrpt_bounds *b, const struct tlsrpt_target *t, int cost,
                          int64_t now_ms)
{
    struct standing *s = need(b, t, now_ms);
    if (!s)
        return;
    int64_t spent = s->spent[share_of(t)] + cost;
    s->spent[share_of(t)] = spent > 0 ? spent : 0; /* what is given back may be of yesterday */
}

void tlsrpt_bounds_prove(struct tlsrpt_bounds *b, const struct tlsrpt_target *t, bool taken,
                         int64_t now_ms)
{
    struct standing *s = need(b, t, now_ms);
    if (s)
        s->proven_day = taken ? b->day : 0;
}

bool tlsrpt_bounds_proven(struct tlsrpt_bounds *b, const struct tlsrpt_target *t, int64_t now_ms)
{
    char key[NAME_LEN];
    begin_day(b, now_ms);
    make_key(t, key);
    const struct standing *s = find(b, key);
    return s && s->proven_day > 0;
}

void tlsrpt_bounds_rest(struct tlsrpt_bounds *b, const struct tlsrpt_target *t, int64_t until_ms,
                        int64_t now_ms)
{
    struct standing *s = need(b, t, now_ms);
    if (s && until_ms > s->until_ms)
        s->until_ms = until_ms;
}

void tlsrpt_bounds_close(struct tlsrpt_bounds *b, const struct tlsrpt_target *t, int64_t now_ms)
{
    struct standing *s = need(b, t, now_ms);
    if (s)
        s->closed[share_of(t)] = true;
}

const char *tlsrpt_bound_text(enum tlsrpt_bound bound)
{
    static const char *const texts[TLSRPT_BOUNDS] = {
        [TLSRPT_FREE] = "may have a report",
        [TLSRPT_RESTS] = "has asked to be left alone for a while",
        [TLSRPT_FAILED] = "has an address that too many posts to have failed today",
        [TLSRPT_FULL] = "is one more than can be counted today",
        [TLSRPT_SPENT] = "has had as many reports today as it may",
        [TLSRPT_CLOSED] = "has refused a report today"};
    return texts[bound];
}
