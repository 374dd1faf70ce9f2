// SPDX-License-Identifier: BSD-2-Clause
/* quota.c - May a tenant have more of what all share? shares.c knows what each of them has.
 *
 * Half of it is kept for the tenants in equal parts, which only they can fill; the other half is
 * for whoever comes first. So all of them together, each with all that it may have, never need more
 * than there is, and a tenant that comes last finds its part.
 */
#include "quota.h"

#include "clock.h"
#include "db.h"
#include "event_shares.h"
#include "shares.h"

#include <stdlib.h>
#include <string.h>

enum {
    EVENTS_EACH = 400, /* bytes of a recipient whose mail is delivered at once */
    SPARED_PART = 16   /* what is only repeated or refused leaves so much of the events */
};

/* Who has credentials is kept its part. */
static bool read_tenants(struct database *db, struct err *err)
{
    struct shares *sh = &db->shares;
    struct rows *statement = rows_prepare(db, SQL_TENANTS);
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

/* Of one kind. */
struct room {
    enum database_share kind;
    uint64_t all, each; /* each: of each tenant; 0: its share */
};

static struct room room_of(const struct database_room *given, enum database_share kind)
{
    const uint64_t all[] = {[DATABASE_STORAGE] = given->all,
                            [DATABASE_WAITING] = given->waiting,
                            [DATABASE_EVENTS] = given->events,
                            [DATABASE_RECEIVING] = 0,
                            [DATABASE_OUTBOX] = given->outbox};
    return (struct room){kind, all[kind] != 0 ? all[kind] : INT64_MAX,
                         kind == DATABASE_STORAGE ? given->tenant : 0};
}

static bool is_limited(const struct room *room)
{
    return room->all != INT64_MAX || room->each != 0;
}

static uint64_t bytes_of(const struct share *s, enum database_share kind)
{
    return s->bytes[kind] > 0 ? (uint64_t)s->bytes[kind] : 0;
}

/* What one of so many tenants is kept. */
static uint64_t kept(const struct room *room, size_t tenants)
{
    uint64_t part = tenants > 1 ? room->all / 2 / tenants : room->all;
    return room->each != 0 && room->each < part ? room->each : part;
}

/* What a tenant may have: its part, and all that the others do not have and are not kept; with
 * `empty`, if nobody had anything. */
static uint64_t limit_of(const struct shares *sh, const struct share *own, const struct room *room,
                         bool empty)
{
    uint64_t part = kept(room, sh->tenants + !own->named);
    uint64_t others = 0;
    for (const struct share *s = sh->first; s; s = s->hh.next) {
        uint64_t bytes = empty ? 0 : bytes_of(s, room->kind);
        if (s != own)
            others += s->named && bytes < part ? part : bytes;
    }
    uint64_t limit = room->all > others ? room->all - others : 0;
    limit = limit > part ? limit : part;
    return room->each != 0 && room->each < limit ? room->each : limit;
}

/* Without looking at each of the others: almost always there is enough for all. */
static bool is_plenty(const struct shares *sh, const struct share *own, const struct room *room,
                      uint64_t bytes)
{
    size_t tenants = sh->tenants + !own->named;
    uint64_t part = kept(room, tenants);
    return bytes <= part || ((room->each == 0 || bytes <= room->each) &&
                             (uint64_t)sh->bytes[room->kind] + bytes + tenants * part <= room->all);
}

static struct verdict too_large(const struct room *room, const char *tenant, uint64_t bytes,
                                uint64_t limit)
{
    return verdict_make(
        552, "5.3.4",
        "Message of %llu KB is over what tenant \"%.63s\" may have in the queue: %llu KB (%s)",
        (unsigned long long)bytes / 1024, tenant, (unsigned long long)limit / 1024,
        quota_setting(room->kind, limit == room->each));
}

/* When there is room again. */
static const char *when(enum database_share kind)
{
    return kind == DATABASE_EVENTS ? "a week after the oldest" : "when some of it is delivered";
}

static struct verdict full(const struct room *room, const char *tenant, uint64_t bytes,
                           uint64_t limit)
{
    static const char *const what[] = {[DATABASE_STORAGE] = "mail in the queue",
                                       [DATABASE_WAITING] = "waiting recipients in memory",
                                       [DATABASE_EVENTS] = "events",
                                       [DATABASE_RECEIVING] = "unfinished messages",
                                       [DATABASE_OUTBOX] = "events for webhooks"};
    return verdict_make(
        452, "4.3.1", "Tenant \"%.63s\" has %llu KB of %s and may have %llu KB (%s): try again %s",
        tenant, (unsigned long long)bytes / 1024, what[room->kind],
        (unsigned long long)limit / 1024, quota_setting(room->kind, limit == room->each),
        when(room->kind));
}

const char *database_share_name(enum database_share kind)
{
    static const char *const names[] = {[DATABASE_STORAGE] = "storage",
                                        [DATABASE_WAITING] = "waiting",
                                        [DATABASE_EVENTS] = "events",
                                        [DATABASE_RECEIVING] = "receiving",
                                        [DATABASE_OUTBOX] = "webhooks"};
    return names[kind];
}

const char *quota_setting(enum database_share kind, bool own)
{
    static const char *const settings[] = {
        [DATABASE_STORAGE] = "its share of limits.storage",
        [DATABASE_WAITING] = "its share, by limits.memory",
        [DATABASE_EVENTS] = "its share of half of limits.storage",
        [DATABASE_RECEIVING] = "its share of the disk",
        [DATABASE_OUTBOX] = "its share of a quarter of limits.storage"};
    return own ? "limits.tenant_storage" : settings[kind];
}

/* Has it room for so many bytes more? Else `limit_r` says what it may have. */
static bool has_room(struct database *db, const struct room *room, const char *tenant,
                     uint64_t more, uint64_t *limit_r, struct err *err)
{
    struct shares *sh = &db->shares;
    if (!sh->tenants_known && !read_tenants(db, err))
        return false;
    const struct share *own = shares_find(sh, tenant);
    uint64_t bytes = bytes_of(own, room->kind) + more;
    *limit_r = bytes;
    if (!is_plenty(sh, own, room, bytes))
        *limit_r = limit_of(sh, own, room, false);
    return true;
}

static bool fits(struct database *db, const struct room *room, const char *tenant, uint64_t more,
                 struct verdict *refusal_r, struct err *err)
{
    struct shares *sh = &db->shares;
    uint64_t limit = 0;
    if (!is_limited(room))
        return true;
    if (!has_room(db, room, tenant, more, &limit, err))
        return false;
    const struct share *own = shares_find(sh, tenant);
    uint64_t bytes = bytes_of(own, room->kind);
    if (bytes + more <= limit)
        return true;
    uint64_t most = limit_of(sh, own, room, true);
    if (room->kind == DATABASE_STORAGE && more > most)
        *refusal_r = too_large(room, tenant, more, most);
    else
        *refusal_r = full(room, tenant, bytes, limit);
    shares_refuse(sh, room->kind, tenant, 1, bytes, limit);
    shares_find(sh, tenant)->refused[room->kind].by_setting = limit == room->each;
    return true;
}

bool database_fits(struct database *db, const struct database_room *given, const char *tenant,
                   uint64_t more, struct verdict *refusal_r, struct err *err)
{
    const struct room room = room_of(given, DATABASE_STORAGE);
    return fits(db, &room, tenant, more, refusal_r, err);
}

static uint64_t waiting_bytes(const struct mail *m)
{
    size_t domains = 0;
    for (size_t i = 0; i < m->envelope.count; i++)
        domains += strlen(m->envelope.rcpts[i].domain);
    return (uint64_t)shares_waiting((int64_t)m->envelope.count, (int64_t)domains);
}

/* What becomes of mail is written whatever there is: so it is refused before, where that would be
 * at the cost of other tenants. */
static bool events_fit(struct database *db, struct store_accept *a, struct err *err)
{
    const struct room events = room_of(&a->room, DATABASE_EVENTS);
    const struct mail *m = a->mail;
    if (!db->shares.tenants_known && !read_tenants(db, err))
        return false;
    return db->shares.tenants < 2 ||
           fits(db, &events, m->tenant, m->envelope.count * EVENTS_EACH, &a->refusal, err);
}

bool quota_allow(struct database *db, struct store_accept *a, struct err *err)
{
    const struct room waiting = room_of(&a->room, DATABASE_WAITING);
    const struct mail *m = a->mail;
    if (!database_fits(db, &a->room, m->tenant, (uint64_t)m->place.length, &a->refusal, err) ||
        (a->refusal.code == 0 &&
         !fits(db, &waiting, m->tenant, waiting_bytes(m), &a->refusal, err)) ||
        (a->refusal.code == 0 && !events_fit(db, a, err)))
        return false;
    if (a->refusal.code != 0)
        a->result = STORE_OVER_QUOTA;
    return true;
}

bool quota_allows_event(struct database *db, const struct database_room *given, const char *tenant,
                        bool *may_r, struct err *err)
{
    const struct room room = room_of(given, DATABASE_EVENTS);
    uint64_t limit = 0;
    *may_r = true;
    if (!is_limited(&room))
        return true;
    uint64_t bytes = bytes_of(shares_find(&db->shares, tenant), DATABASE_EVENTS);
    uint64_t spared = bytes / (SPARED_PART - 1);
    if (!has_room(db, &room, tenant, spared, &limit, err))
        return false;
    *may_r = bytes + spared <= limit;
    if (!*may_r)
        shares_refuse(&db->shares, DATABASE_EVENTS, tenant, 1, bytes, limit);
    return true;
}

bool quota_of_outbox(struct database *db, uint64_t all, const char *tenant, struct quota_use *use_r,
                     struct err *err)
{
    const struct database_room given = {.outbox = all};
    const struct room room = room_of(&given, DATABASE_OUTBOX);
    use_r->bytes = bytes_of(shares_find(&db->shares, tenant), DATABASE_OUTBOX);
    use_r->limit = INT64_MAX;
    return !is_limited(&room) || has_room(db, &room, tenant, 0, &use_r->limit, err);
}

/* ---- for people ---- */

static bool read_outbox(struct database *db, struct err *err)
{
    struct rows *s = rows_prepare(db, SQL_OUTBOX_BYTES);
    while (rows_next(db, s, err))
        shares_load(&db->shares, DATABASE_OUTBOX, rows_get_text(s, 0), rows_get_int(s, 1));
    return err->kind == ERR_NONE;
}

/* From the rows, as what is in memory is another thread's. */
static bool read_shares(struct database *db, struct err *err)
{
    struct shares *sh = &db->shares;
    struct rows *s = rows_prepare(db, SQL_STORED);
    shares_clear(sh);
    while (rows_next(db, s, err)) {
        const char *tenant = rows_get_text(s, 0);
        shares_load(sh, DATABASE_STORAGE, tenant, rows_get_int(s, 1));
        shares_load(sh, DATABASE_WAITING, tenant,
                    shares_waiting(rows_get_int(s, 2), rows_get_int(s, 3)));
    }
    return err->kind == ERR_NONE && event_shares_load(db, clock_now_ms(), err) &&
           read_outbox(db, err) && read_tenants(db, err);
}

static void look_at(const struct database *db, const struct share *own,
                    const struct database_room *given, struct database_use use_r[DATABASE_COUNTED])
{
    for (unsigned k = 0; k < DATABASE_COUNTED; k++) {
        const struct room room = room_of(given, (enum database_share)k);
        use_r[k].bytes = own->bytes[k];
        use_r[k].limit = is_limited(&room) ? limit_of(&db->shares, own, &room, false) : INT64_MAX;
        use_r[k].of = quota_setting(room.kind, use_r[k].limit == room.each);
    }
}

static int by_name(const struct share *a, const struct share *b)
{
    return strcmp(a->tenant, b->tenant);
}

bool database_uses(struct database *db, const char *tenant, const struct database_room *room,
                   database_on_use *on_use, void *context, struct err *err)
{
    struct database_use use[DATABASE_COUNTED];
    if (!read_shares(db, err))
        return false;
    if (tenant)
        (void)shares_find(&db->shares, tenant);
    HASH_SORT(db->shares.first, by_name);
    for (const struct share *s = db->shares.first; s; s = s->hh.next) {
        if (tenant && strcmp(s->tenant, tenant) != 0)
            continue;
        look_at(db, s, room, use);
        on_use(context, s->tenant, use);
    }
    return true;
}
