// SPDX-License-Identifier: BSD-2-Clause
/* quota.c - May a tenant store one message more? shares.c knows what each of them has.
 *
 * Half of the room is kept for the tenants in equal parts, which only they can fill; the other half
 * is for whoever comes first. So all of them together, each with all that it may have, never need
 * more than there is, and a tenant that comes last finds its part.
 */
#include "quota.h"

#include "db.h"
#include "shares.h"

/* Who has credentials is kept its part. */
static bool read_tenants(struct database *db, struct err *err)
{
    struct shares *sh = &db->shares;
    sqlite3_stmt *statement = rows_prepare(db, SQL_TENANTS);
    for (struct share *s = sh->first; s; s = s->hh.next)
        s->named = false;
    sh->tenants = 0;
    while (rows_next(db, statement, err)) {
        shares_find(sh, rows_get_text(statement, 0))->named = true;
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

static const char *setting(const struct database_room *room, uint64_t limit)
{
    return limit == room->tenant ? "limits.tenant_storage" : "its share of limits.storage";
}

static struct verdict too_large(const struct database_room *room, const char *tenant,
                                uint64_t bytes, uint64_t limit)
{
    return verdict_make(552, "5.3.4",
                        "Message of %llu KB is over what tenant \"%.63s\" may have in the queue: "
                        "%llu KB (%s)",
                        (unsigned long long)bytes / 1024, tenant, (unsigned long long)limit / 1024,
                        setting(room, limit));
}

static struct verdict full(const struct database_room *room, const char *tenant, uint64_t bytes,
                           uint64_t limit)
{
    return verdict_make(452, "4.3.1",
                        "Tenant \"%.63s\" has %llu KB of mail in the queue and may have %llu KB "
                        "(%s): try again when some of it is delivered",
                        tenant, (unsigned long long)bytes / 1024, (unsigned long long)limit / 1024,
                        setting(room, limit));
}

bool database_fits(struct database *db, const struct database_room *given, const char *tenant,
                   uint64_t more, struct verdict *refusal_r, struct err *err)
{
    struct shares *sh = &db->shares;
    const struct database_room room = room_of(given);
    if (given->all == 0 && given->tenant == 0)
        return true;
    if (!sh->tenants_known && !read_tenants(db, err))
        return false;
    const struct share *own = shares_find(sh, tenant);
    uint64_t bytes = own->bytes > 0 ? (uint64_t)own->bytes : 0;
    if (is_plenty(sh, own, &room, bytes + more))
        return true;
    uint64_t limit = limit_of(sh, own, &room, false);
    uint64_t most = limit_of(sh, own, &room, true);
    if (more > most)
        *refusal_r = too_large(given, tenant, more, most);
    else if (bytes + more > limit)
        *refusal_r = full(given, tenant, bytes, limit);
    return true;
}

bool quota_allow(struct database *db, struct store_job *job, struct err *err)
{
    return database_fits(db, &job->room, job->mail->tenant, (uint64_t)job->mail->place.length,
                         &job->refusal, err);
}

bool database_stored(struct database *db, const char *tenant, const struct database_room *room,
                     int64_t *bytes_r, uint64_t *limit_r, struct err *err)
{
    struct shares *sh = &db->shares;
    const struct database_room r = room_of(room);
    sqlite3_stmt *s = rows_prepare(db, SQL_STORED);
    shares_clear(sh);
    while (rows_next(db, s, err))
        shares_load(sh, rows_get_text(s, 0), sqlite3_column_int64(s, 1));
    if (err->kind != ERR_NONE || !read_tenants(db, err))
        return false;
    const struct share *own = shares_find(sh, tenant);
    *bytes_r = own->bytes;
    *limit_r = limit_of(sh, own, &r, false);
    return true;
}
