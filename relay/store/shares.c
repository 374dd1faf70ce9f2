// SPDX-License-Identifier: BSD-2-Clause
/* shares.c - Counted once at the start, then kept along in memory; what a transaction adds is
 * remembered until it is committed, so that it can be taken back.
 *
 * Half of the room is kept for the tenants in equal parts, which only they can fill; the other half
 * is for whoever comes first. So all of them together, each with all that it may have, never need
 * more than there is, and a tenant that comes last finds its part.
 */
#include "shares.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <uthash.h>

struct share {
    char tenant[64];
    int64_t bytes;
    bool named; /* by a credential */
    UT_hash_handle hh;
};

struct change {
    struct share *share;
    int64_t bytes;
};

static struct share *find(struct shares *sh, const char *tenant)
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

void shares_add(struct database *db, const char *tenant, int64_t bytes)
{
    struct shares *sh = &db->shares;
    if (sh->change_count == sh->change_size) {
        sh->change_size = sh->change_size ? sh->change_size * 2 : 64;
        sh->changes = xgrow(sh->changes, sh->change_size, sizeof(*sh->changes));
    }
    struct change c = {find(sh, tenant), bytes};
    sh->changes[sh->change_count++] = c;
    add(sh, c.share, bytes);
}

void shares_keep(struct database *db)
{
    db->shares.change_count = 0;
    db->shares.tenants_changed = false;
}

void shares_undo(struct database *db, size_t changes)
{
    struct shares *sh = &db->shares;
    while (sh->change_count > changes) {
        const struct change *c = &sh->changes[--sh->change_count];
        add(sh, c->share, -c->bytes);
    }
    sh->tenants_known = sh->tenants_known && !sh->tenants_changed;
}

void shares_forget_tenants(struct database *db)
{
    db->shares.tenants_known = false;
    db->shares.tenants_changed = true;
}

static void clear(struct shares *sh)
{
    struct share *s;
    struct share *next;
    HASH_ITER (hh, sh->first, s, next) {
        HASH_DEL(sh->first, s);
        free(s);
    }
    sh->bytes = 0;
}

void shares_fini(struct database *db)
{
    clear(&db->shares);
    free(db->shares.changes);
}

/* Who has credentials is kept its part. */
static bool read_tenants(struct database *db, struct err *err)
{
    struct shares *sh = &db->shares;
    sqlite3_stmt *statement = rows_prepare(db, SQL_TENANTS);
    for (struct share *s = sh->first; s; s = s->hh.next)
        s->named = false;
    sh->tenants = 0;
    while (rows_next(db, statement, err)) {
        find(sh, rows_get_text(statement, 0))->named = true;
        sh->tenants++;
    }
    sh->tenants_known = err->kind == ERR_NONE;
    return sh->tenants_known;
}

/* What one of so many tenants is kept. */
static uint64_t kept(const struct database_room *room, size_t tenants)
{
    uint64_t part = tenants > 1 ? room->all / 2 / tenants : room->all;
    return room->tenant != 0 && room->tenant < part ? room->tenant : part;
}

/* What a tenant may have: its part, and all that the others do not have and are not kept; with
 * `empty`, if nobody had anything. */
static uint64_t limit_of(const struct shares *sh, const struct share *own,
                         const struct database_room *room, bool empty)
{
    uint64_t part = kept(room, sh->tenants + !own->named);
    uint64_t others = 0;
    for (const struct share *s = sh->first; s; s = s->hh.next) {
        uint64_t bytes = empty || s->bytes < 0 ? 0 : (uint64_t)s->bytes;
        if (s != own)
            others += s->named && bytes < part ? part : bytes;
    }
    uint64_t limit = room->all > others ? room->all - others : 0;
    limit = limit > part ? limit : part;
    return room->tenant != 0 && room->tenant < limit ? room->tenant : limit;
}

/* Without looking at each of the others: almost always there is enough for all. */
static bool is_plenty(const struct shares *sh, const struct share *own,
                      const struct database_room *room, uint64_t bytes)
{
    size_t tenants = sh->tenants + !own->named;
    uint64_t part = kept(room, tenants);
    return bytes <= part || ((room->tenant == 0 || bytes <= room->tenant) &&
                             (uint64_t)sh->bytes + bytes + tenants * part <= room->all);
}

static struct database_room room_of(const struct database_room *room)
{
    struct database_room r = {room->all != 0 ? room->all : INT64_MAX, room->tenant};
    return r;
}

static const char *setting(const struct store_job *job, uint64_t limit)
{
    return limit == job->room.tenant ? "limits.tenant_storage" : "its share of limits.storage";
}

static struct verdict too_large(const struct store_job *job, uint64_t limit)
{
    return verdict_make(552, "5.3.4",
                        "Message of %llu KB is over what tenant \"%.63s\" may have in the queue: "
                        "%llu KB (%s)",
                        (unsigned long long)job->mail->place.length / 1024, job->mail->tenant,
                        (unsigned long long)limit / 1024, setting(job, limit));
}

static struct verdict full(const struct store_job *job, uint64_t bytes, uint64_t limit)
{
    return verdict_make(452, "4.3.1",
                        "Tenant \"%.63s\" has %llu KB of mail in the queue and may have %llu KB "
                        "(%s): try again when some of it is delivered",
                        job->mail->tenant, (unsigned long long)bytes / 1024,
                        (unsigned long long)limit / 1024, setting(job, limit));
}

bool shares_allow(struct database *db, struct store_job *job, struct err *err)
{
    struct shares *sh = &db->shares;
    const struct database_room room = room_of(&job->room);
    if (job->room.all == 0 && job->room.tenant == 0)
        return true;
    if (!sh->tenants_known && !read_tenants(db, err))
        return false;
    const struct share *own = find(sh, job->mail->tenant);
    uint64_t bytes = own->bytes > 0 ? (uint64_t)own->bytes : 0;
    uint64_t more = (uint64_t)job->mail->place.length;
    if (is_plenty(sh, own, &room, bytes + more))
        return true;
    uint64_t limit = limit_of(sh, own, &room, false);
    uint64_t most = limit_of(sh, own, &room, true);
    if (more > most)
        job->refusal = too_large(job, most);
    else if (bytes + more > limit)
        job->refusal = full(job, bytes, limit);
    return true;
}

bool database_stored(struct database *db, const char *tenant, const struct database_room *room,
                     int64_t *bytes_r, uint64_t *limit_r, struct err *err)
{
    struct shares *sh = &db->shares;
    const struct database_room r = room_of(room);
    sqlite3_stmt *s = rows_prepare(db, SQL_STORED);
    clear(sh);
    while (rows_next(db, s, err))
        add(sh, find(sh, rows_get_text(s, 0)), sqlite3_column_int64(s, 1));
    if (err->kind != ERR_NONE || !read_tenants(db, err))
        return false;
    const struct share *own = find(sh, tenant);
    *bytes_r = own->bytes;
    *limit_r = limit_of(sh, own, &r, false);
    return true;
}
