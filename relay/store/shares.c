// SPDX-License-Identifier: BSD-2-Clause
/* shares.c - Counted once at the start, then kept along in memory; what a transaction adds is
 * remembered until it is committed, so that it can be taken back.
 */
#include "shares.h"

#include "check.h"

#include <stdio.h>
#include <stdlib.h>

struct change {
    struct share *share;
    int64_t bytes;
};

struct share *shares_find(struct shares *sh, const char *tenant)
{
    struct share *s = NULL;
    HASH_FIND_STR(sh->first, tenant, s);
    if (s)
        return s;
    s = xcalloc(1, sizeof(*s));
    snprintf(s->tenant, sizeof(s->tenant), "%s", tenant);
    HASH_ADD_STR(sh->first, tenant, s);
    return s;
}

static void add(struct shares *sh, struct share *s, int64_t bytes)
{
    s->bytes += bytes;
    sh->bytes += bytes;
}

void shares_add(struct shares *sh, const char *tenant, int64_t bytes)
{
    if (sh->change_count == sh->change_size) {
        sh->change_size = sh->change_size ? sh->change_size * 2 : 64;
        sh->changes = xgrow(sh->changes, sh->change_size, sizeof(*sh->changes));
    }
    struct change c = {shares_find(sh, tenant), bytes};
    sh->changes[sh->change_count++] = c;
    add(sh, c.share, bytes);
}

void shares_load(struct shares *sh, const char *tenant, int64_t bytes)
{
    add(sh, shares_find(sh, tenant), bytes);
}

void shares_keep(struct shares *sh)
{
    sh->change_count = 0;
    sh->tenants_changed = false;
}

void shares_undo(struct shares *sh, size_t changes)
{
    while (sh->change_count > changes) {
        const struct change *c = &sh->changes[--sh->change_count];
        add(sh, c->share, -c->bytes);
    }
    sh->tenants_known = sh->tenants_known && !sh->tenants_changed;
}

void shares_forget_tenants(struct shares *sh)
{
    sh->tenants_known = false;
    sh->tenants_changed = true;
}

void shares_clear(struct shares *sh)
{
    struct share *s;
    struct share *next;
    HASH_ITER (hh, sh->first, s, next) {
        HASH_DEL(sh->first, s);
        free(s);
    }
    sh->bytes = 0;
}

void shares_fini(struct shares *sh)
{
    shares_clear(sh);
    free(sh->changes);
}
