// SPDX-License-Identifier: BSD-2-Clause
/* sts_table.c - The domains that something is known of, with a share of the memory for each tenant.
 */
#include "sts_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum { WEIGHT_BYTES = 1024 };

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
    return e->party->tenant;
}

static struct sts_party *need_party(struct sts_table *t, const char *tenant)
{
    struct sts_party *p = NULL;
    char name[sizeof(p->tenant)];
    snprintf(name, sizeof(name), "%s", tenant);
    HASH_FIND_STR(t->parties, name, p);
    if (p)
        return p;
    p = xcalloc(1, sizeof(*p));
    memcpy(p->tenant, name, sizeof(name));
    HASH_ADD_STR(t->parties, tenant, p);
    return p;
}

void sts_table_weigh(struct sts_entry *e)
{
    size_t bytes = e->kept.there ? e->kept.policy.mx.len : 0;
    unsigned weight = 1 + (unsigned)(bytes / WEIGHT_BYTES);
    e->party->weight = e->party->weight + weight - e->weight;
    e->table->weight = e->table->weight + weight - e->weight;
    e->weight = weight;
}

struct sts_entry *sts_table_need(struct sts_table *t, const char *domain, const char *tenant)
{
    struct sts_entry *e = sts_table_find(t, domain);
    if (e)
        return e;
    size_t len = strlen(domain) + 1;
    e = xcalloc(1, sizeof(*e) + len);
    memcpy(e->domain, domain, len);
    e->table = t;
    e->party = need_party(t, tenant);
    e->refresh_ms = INT64_MAX;
    buf_init(&e->kept.policy.mx, MTA_STS_BODY_MAX);
    DL_APPEND(e->party->entries, e);
    HASH_ADD_KEYPTR(hh, t->entries, e->domain, len - 1, e);
    sts_table_weigh(e);
    return e;
}

void sts_table_used(struct sts_entry *e)
{
    DL_DELETE(e->party->entries, e);
    DL_APPEND(e->party->entries, e);
}

void sts_table_drop(struct sts_entry *e)
{
    struct sts_table *t = e->table;
    struct sts_party *p = e->party;
    CHECK(!e->discovery && !e->asks);
    p->weight -= e->weight;
    t->weight -= e->weight;
    DL_DELETE(p->entries, e);
    HASH_DEL(t->entries, e);
    if (!p->entries) {
        HASH_DEL(t->parties, p);
        free(p);
    }
    sts_terms_drop(e->terms);
    mta_sts_kept_fini(&e->kept);
    free(e);
}

/* Does the store have nothing of it? */
static bool is_light(const struct sts_entry *e)
{
    return !e->kept.there && !e->kept.failed_id[0];
}

static struct sts_entry *first_to_go(const struct sts_table *t, const struct sts_party *p)
{
    struct sts_entry *other = NULL;
    struct sts_entry *e;
    DL_FOREACH (p->entries, e) {
        if (!t->may_go(e))
            continue;
        if (is_light(e))
            return e;
        other = other ? other : e;
    }
    return other;
}

static struct sts_party *heaviest(const struct sts_table *t)
{
    struct sts_party *most = NULL;
    for (struct sts_party *p = t->parties; p; p = p->hh.next)
        most = !most || p->weight > most->weight ? p : most;
    return most;
}

void sts_table_make_room(struct sts_table *t)
{
    while (t->weight > t->most) {
        struct sts_entry *e = first_to_go(t, heaviest(t));
        if (!e)
            return; /* all of them are being found out */
        t->going(t->context, e);
        sts_table_drop(e);
    }
}
