// SPDX-License-Identifier: BSD-2-Clause
/* tenants.c - Tenants: one is there while somebody uses it. */
#include "queue_moves.h"

#include <stdlib.h>
#include <string.h>

static uint64_t hash_tenant(const void *item)
{
    return pointer_table_text(((const struct tenant *)item)->name);
}

static bool same_tenant(const void *a, const void *b)
{
    return strcmp(((const struct tenant *)a)->name, ((const struct tenant *)b)->name) == 0;
}

void tenants_init(struct queue *q)
{
    pointer_table_init(&q->tenants, hash_tenant, same_tenant);
}

void tenants_fini(struct queue *q)
{
    size_t at = 0;
    for (struct tenant *t = pointer_table_next(&q->tenants, &at); t;
         t = pointer_table_next(&q->tenants, &at)) {
        for (size_t i = 0; i < COUNT_OF(t->held_item); i++)
            fair_take(&t->held_item[i]);
        for (size_t i = 0; i < COUNT_OF(t->held); i++)
            heap_fini(&t->held[i]);
        free(t);
    }
    pointer_table_fini(&q->tenants);
}

uint64_t tenant_id(const char *name)
{
    return pointer_table_text(name) | 1;
}

struct tenant *tenant_need(struct queue *q, const char *name)
{
    struct tenant key = {.name = name};
    struct tenant *t = pointer_table_find(&q->tenants, &key);
    if (!t) {
        const char *copy = NULL;
        t = names_struct(sizeof(*t), name, &copy);
        t->name = copy;
        t->id = tenant_id(t->name);
        t->told_ms = NEVER_MS;
        pointer_table_add(&q->tenants, t);
    }
    return t;
}

void tenant_drop(struct queue *q, struct tenant *t)
{
    if (t->users > 0)
        return;
    pointer_table_drop(&q->tenants, t);
    free(t);
}

const char *tenant_name(const struct queue *q, uint64_t id)
{
    size_t at = 0;
    for (const struct tenant *t = pointer_table_next(&q->tenants, &at); t;
         t = pointer_table_next(&q->tenants, &at))
        if (t->id == id)
            return t->name;
    return "";
}
