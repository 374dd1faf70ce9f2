// SPDX-License-Identifier: BSD-2-Clause
/* sts_table.c - The domains that something is known of, with a share of the memory for each tenant.
 *
 * A domain to which several tenants have mail costs one of them: whom it fits best. So a policy is
 * not lost because one of those who use it has mail for thousands of other domains.
 */
#include "sts_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum {
    WEIGHT_BYTES = 1024,
    LARGE = 4,  /* what weighs more has more names than a domain has hosts */
    WITHOUT = 8 /* such a part is left to what has no policy */
};

void sts_table_init(struct sts_table *t, size_t most)
{
    *t = (struct sts_table){.most = most};
    pthread_mutex_init(&t->mutex, NULL);
}

void sts_table_fini(struct sts_table *t)
{
    struct sts_entry *e;
    struct sts_entry *next;
    HASH_ITER (hh, t->entries, e, next)
        sts_table_drop(e);
    pthread_mutex_destroy(&t->mutex);
}

struct sts_entry *sts_table_find(struct sts_table *t, const char *domain)
{
    struct sts_entry *e = NULL;
    HASH_FIND_STR(t->entries, domain, e);
    return e;
}

const char *sts_table_tenant(const struct sts_entry *e)
{
    return e->use_count > 1 ? STS_SEVERAL : e->party->tenant;
}

/* ---- parties ---- */

static struct sts_party *find_party(const struct sts_table *t, const char *tenant)
{
    struct sts_party *p = NULL;
    char name[sizeof(p->tenant)];
    snprintf(name, sizeof(name), "%s", tenant);
    HASH_FIND_STR(t->parties, name, p);
    return p;
}

static struct sts_party *need_party(struct sts_table *t, const char *tenant)
{
    struct sts_party *p = find_party(t, tenant);
    if (p)
        return p;
    p = xcalloc(1, sizeof(*p));
    snprintf(p->tenant, sizeof(p->tenant), "%s", tenant);
    HASH_ADD_STR(t->parties, tenant, p);
    return p;
}

static void drop_use(struct sts_table *t, struct sts_use *use)
{
    struct sts_party *p = use->key.party;
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): it is in the table */
    HASH_DEL(t->uses, use);
    free(use);
    if (--p->uses > 0)
        return;
    CHECK(!p->entries && p->weight == 0);
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): so is it */
    HASH_DEL(t->parties, p);
    free(p);
}

static struct sts_use *find_use(const struct sts_entry *e, struct sts_party *p)
{
    struct sts_use *use = NULL;
    const struct sts_use_key key = {.entry = e, .party = p};
    /* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): all of it is set */
    HASH_FIND(hh, e->table->uses, &key, sizeof(key), use);
    return use;
}

static void add_use(struct sts_entry *e, struct sts_party *p)
{
    if (find_use(e, p))
        return;
    struct sts_use *use = xcalloc(1, sizeof(*use));
    use->key = (struct sts_use_key){.entry = e, .party = p};
    HASH_ADD(hh, e->table->uses, key, sizeof(use->key), use);
    LL_PREPEND(e->uses, use);
    e->use_count++;
    p->uses++;
}

static struct sts_use *use_by(const struct sts_entry *e, const char *tenant)
{
    struct sts_party *p = find_party(e->table, tenant);
    return p ? find_use(e, p) : NULL;
}

int64_t sts_table_silent_ms(const struct sts_entry *e, const char *tenant)
{
    const struct sts_use *use = use_by(e, tenant);
    return use ? use->silent_until_ms : 0;
}

void sts_table_silence(struct sts_entry *e, const char *tenant, int64_t until_ms)
{
    struct sts_use *use = use_by(e, tenant);
    if (use)
        use->silent_until_ms = until_ms;
}

int64_t sts_table_in_vain_ms(const struct sts_entry *e, const char *tenant, bool urgent)
{
    const struct sts_use *use = use_by(e, tenant);
    int64_t at_ms = use ? use->in_vain_ms[0] : 0;
    return use && urgent && use->in_vain_ms[1] > at_ms ? use->in_vain_ms[1] : at_ms;
}

void sts_table_in_vain(struct sts_entry *e, const char *tenant, bool urgent, int64_t now_ms)
{
    struct sts_use *use = use_by(e, tenant);
    if (use)
        use->in_vain_ms[urgent] = now_ms;
}

/* ---- who pays ---- */

static void pay_no_more(struct sts_entry *e)
{
    DL_DELETE(e->party->entries, e);
    e->party->weight -= e->weight;
    e->party->without -= e->without;
    e->table->weight -= e->weight;
}

static void pay(struct sts_entry *e, struct sts_party *p)
{
    e->party = p;
    DL_APPEND(p->entries, e);
    p->weight += e->weight;
    p->without += e->without;
    e->table->weight += e->weight;
}

void sts_table_weigh(struct sts_entry *e)
{
    size_t bytes =
        (e->kept.there ? e->kept.policy.mx.len : 0) + (e->use_count - 1) * sizeof(struct sts_use);
    unsigned weight = 1 + (unsigned)(bytes / WEIGHT_BYTES);
    unsigned without = e->kept.there ? 0 : weight;
    e->party->weight = e->party->weight + weight - e->weight;
    e->party->without = e->party->without + without - e->without;
    e->table->weight = e->table->weight + weight - e->weight;
    e->weight = weight;
    e->without = without;
}

static bool fits_better(const struct sts_entry *e, const struct sts_party *p)
{
    return p->weight + e->weight < e->party->weight;
}

void sts_table_used(struct sts_entry *e, const char *tenant)
{
    struct sts_party *p = need_party(e->table, tenant);
    add_use(e, p);
    sts_table_weigh(e);
    struct sts_party *payer = fits_better(e, p) ? p : e->party;
    pay_no_more(e);
    pay(e, payer);
}

struct sts_entry *sts_table_need(struct sts_table *t, const char *domain, const char *tenant)
{
    struct sts_entry *e = sts_table_find(t, domain);
    size_t len = strlen(domain) + 1;
    if (e) {
        sts_table_used(e, tenant);
        return e;
    }
    e = xcalloc(1, sizeof(*e) + len);
    memcpy(e->domain, domain, len);
    e->table = t;
    e->refresh_ms = INT64_MAX;
    buf_init(&e->kept.policy.mx, MTA_STS_BODY_MAX);
    HASH_ADD_KEYPTR(hh, t->entries, e->domain, len - 1, e);
    struct sts_party *p = need_party(t, tenant);
    add_use(e, p);
    pay(e, p);
    sts_table_weigh(e);
    return e;
}

/* ---- what goes ---- */

void sts_table_drop(struct sts_entry *e)
{
    struct sts_table *t = e->table;
    struct sts_use *use;
    struct sts_use *next;
    CHECK(!e->discoveries && !e->asks);
    pay_no_more(e);
    LL_FOREACH_SAFE(e->uses, use, next)
    drop_use(t, use);
    HASH_DEL(t->entries, e);
    sts_terms_drop(e->terms);
    mta_sts_kept_fini(&e->kept);
    free(e);
}

enum rank { LIGHT, NOTHING_COUNTS, LARGE_POLICY, POLICY, LEFT_TO_IT, RANKS };

static enum rank rank_of(const struct sts_entry *e, int64_t now_ms)
{
    if (e->without > 0 && e->party->without <= e->party->weight / WITHOUT)
        return LEFT_TO_IT;
    if (!e->kept.there && !e->kept.failed_id[0])
        return LIGHT; /* the store has nothing of it */
    if (e->kept.policy.mode == MTA_STS_MODE_NONE || mta_sts_expires_ms(&e->kept, now_ms) <= now_ms)
        return NOTHING_COUNTS;
    return e->weight > LARGE ? LARGE_POLICY : POLICY;
}

static struct sts_entry *first_to_go(const struct sts_party *p, int64_t now_ms)
{
    struct sts_entry *first = NULL;
    enum rank lowest = RANKS;
    struct sts_entry *e;
    DL_FOREACH (p->entries, e) {
        if (!e->table->may_go(e) || rank_of(e, now_ms) >= lowest)
            continue;
        first = e;
        lowest = rank_of(e, now_ms);
        if (lowest == LIGHT)
            break;
    }
    return first;
}

static struct sts_party *heaviest(const struct sts_table *t)
{
    struct sts_party *most = NULL;
    for (struct sts_party *p = t->parties; p; p = p->hh.next)
        most = !most || p->weight > most->weight ? p : most;
    return most;
}

static struct sts_party *with_most_room(const struct sts_entry *e)
{
    struct sts_party *least = e->party;
    const struct sts_use *use;
    LL_FOREACH(e->uses, use)
    if (use->key.party->weight < least->weight)
        least = use->key.party;
    return least;
}

void sts_table_make_room(struct sts_table *t, int64_t now_ms)
{
    while (t->weight > t->most) {
        struct sts_entry *e = first_to_go(heaviest(t), now_ms);
        if (!e)
            return; /* all of them are being found out */
        struct sts_party *other = with_most_room(e);
        if (fits_better(e, other)) {
            pay_no_more(e);
            pay(e, other);
            continue;
        }
        t->going(t->context, e);
        sts_table_drop(e);
    }
}
