// SPDX-License-Identifier: BSD-2-Clause
/* shares.c - How much each tenant has of what all share: counted once at the start, then kept up in
 * memory; what a transaction adds is remembered until it is committed, so that it can be taken
 * back.
 *
 * Events are only ever added. They are counted by days, and a day's are forgotten when it has come
 * round again, which is a little later than housekeeping deletes them.
 */
#include "shares.h"

#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WAITING_BYTES = 120 }; /* for one recipient, without its domain: policy/queue/entries.c */

static const int64_t day_ms = INT64_C(24) * 3600 * 1000;

struct share_change {
    struct share *share;
    enum database_share kind;
    int64_t bytes, day;
    unsigned refused;
};

struct share *shares_find(struct shares *sh, const char *tenant)
{
    struct share *s = sh->last;
    if (s && strcmp(s->tenant, tenant) == 0)
        return s;
    HASH_FIND_STR(sh->first, tenant, s);
    if (!s) {
        s = xcalloc(1, sizeof(*s));
        snprintf(s->tenant, sizeof(s->tenant), "%s", tenant);
        HASH_ADD_STR(sh->first, tenant, s);
    }
    sh->last = s;
    return s;
}

const struct share *shares_look(const struct shares *sh, const char *tenant)
{
    const struct share *s = NULL;
    if (sh && sh->last && strcmp(sh->last->tenant, tenant) == 0)
        return sh->last;
    if (sh)
        HASH_FIND_STR(sh->first, tenant, s);
    return s;
}

static void add(struct shares *sh, const struct share_change *c)
{
    c->share->refused[c->kind].count += c->refused;
    c->share->bytes[c->kind] += c->bytes;
    sh->bytes[c->kind] += c->bytes;
    if (c->kind == DATABASE_EVENTS) {
        c->share->days[c->day % SHARES_DAYS] += c->bytes;
        c->share->unsaved = true;
    }
}

static void change(struct shares *sh, const struct share_change *c)
{
    if (sh->change_count == sh->change_size) {
        sh->change_size = sh->change_size ? sh->change_size * 2 : 64;
        sh->changes = xgrow(sh->changes, sh->change_size, sizeof(*sh->changes));
    }
    sh->changes[sh->change_count++] = *c;
    add(sh, c);
}

void shares_add(struct shares *sh, enum database_share kind, const char *tenant, int64_t bytes)
{
    CHECK(kind != DATABASE_EVENTS);
    change(sh, &(struct share_change){shares_find(sh, tenant), kind, .bytes = bytes});
}

void shares_add_event(struct shares *sh, const char *tenant, int64_t bytes, int64_t at_ms)
{
    shares_turn(sh, at_ms);
    change(sh, &(struct share_change){shares_find(sh, tenant), DATABASE_EVENTS, .bytes = bytes,
                                      .day = sh->day});
}

/* Of the day whose place this one takes. */
static void make_place(struct shares *sh, int64_t day)
{
    for (struct share *s = sh->first; s; s = s->hh.next) {
        int64_t *bytes = &s->days[day % SHARES_DAYS];
        s->bytes[DATABASE_EVENTS] -= *bytes;
        sh->bytes[DATABASE_EVENTS] -= *bytes;
        s->unsaved = s->unsaved || *bytes != 0;
        *bytes = 0;
    }
}

/* A clock that is set back a little goes on with the last day; one that was far in the future is
 * followed back. */
void shares_turn(struct shares *sh, int64_t now_ms)
{
    int64_t day = now_ms > 0 ? now_ms / day_ms : 0;
    if (day == sh->day || (day < sh->day && day + SHARES_DAYS > sh->day))
        return;
    int64_t passed = day > sh->day && day - sh->day < SHARES_DAYS ? day - sh->day : SHARES_DAYS;
    for (int64_t i = 0; i < passed; i++)
        make_place(sh, day + SHARES_DAYS - i);
    sh->day = day;
}

void shares_load(struct shares *sh, enum database_share kind, const char *tenant, int64_t bytes)
{
    const struct share_change c = {shares_find(sh, tenant), kind, .bytes = bytes};
    add(sh, &c);
}

void shares_load_events(struct shares *sh, const char *tenant, int64_t bytes, int64_t day)
{
    const struct share_change c = {shares_find(sh, tenant), DATABASE_EVENTS, .bytes = bytes,
                                   .day = day};
    bool counts = day >= 0 && day <= sh->day && day + SHARES_DAYS > sh->day;
    bool unsaved = c.share->unsaved || !counts; /* the row says more than is true */
    if (counts)
        add(sh, &c);
    c.share->unsaved = unsaved;
}

void shares_refuse(struct shares *sh, enum database_share kind, const char *tenant, unsigned count,
                   uint64_t bytes, uint64_t limit)
{
    struct share *s = shares_find(sh, tenant);
    struct share_refusals *r = &s->refused[kind];
    change(sh, &(struct share_change){s, kind, .day = sh->day, .refused = count});
    r->bytes = (int64_t)bytes;
    r->limit = limit;
    sh->refusing = true;
}

void shares_keep(struct shares *sh)
{
    sh->change_count = 0;
    sh->tenants_changed = false;
}

/* What a day that is over has had is forgotten already. */
static void undo(struct shares *sh, const struct share_change *c)
{
    const struct share_change back = {
        .share = c->share, .kind = c->kind, .bytes = -c->bytes, .day = c->day};
    c->share->refused[c->kind].count -= c->refused;
    if (c->kind != DATABASE_EVENTS || c->day + SHARES_DAYS > sh->day)
        add(sh, &back);
}

void shares_undo(struct shares *sh, size_t changes)
{
    while (sh->change_count > changes)
        undo(sh, &sh->changes[--sh->change_count]);
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
    sh->last = NULL;
    memset(sh->bytes, 0, sizeof(sh->bytes));
}

void shares_fini(struct shares *sh)
{
    shares_clear(sh);
    free(sh->changes);
}

int64_t shares_waiting(int64_t recipients, int64_t domain_bytes)
{
    return recipients * WAITING_BYTES + domain_bytes;
}
