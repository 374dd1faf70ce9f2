// SPDX-License-Identifier: BSD-2-Clause
/* outbox_room.c - How much the outbox may hold: of each endpoint, and of all that a tenant has
 * beside what other tenants have, as with the queue's disk (quota.c). Beyond that the oldest rows
 * of the endpoint go; or of the tenant's those that are sent, and then of that one which has most.
 *
 *   row - endpoint: over its part? - tenant: over its share? - some hundred of the oldest go
 *
 * Rows count the bytes up that were ever written for an endpoint, so that its first and its last
 * row tell how many it has; these are measured once, and kept up. A tenant's are the sum of its
 * endpoints' (shares.c).
 *
 * Failure modes: an endpoint takes nothing (what is lost is counted, and told by outbox_sweep.c);
 * the transaction is undone (what it has written for is measured anew).
 */
#include "db.h"
#include "outbox.h"
#include "quota.h"

#include <stdatomic.h>
#include <string.h>
#include <utlist.h>

/* A tenant's bytes are compared with its share each time that so many were added. */
enum { STEP_BYTES = 16 * 1024 };

static atomic_uint_least64_t limit_each = UINT64_C(64) * 1024 * 1024;
static atomic_uint_least64_t limit_all; /* 0: none */

void database_limit_outbox(uint64_t each, uint64_t all)
{
    atomic_store(&limit_each, each);
    atomic_store(&limit_all, all);
}

/* ---- how much there is ---- */

static int64_t bytes_of(const struct outbox_endpoint *p)
{
    return p->measured ? p->end - p->begin : 0;
}

bool outbox_measure(struct database *db, struct outbox_endpoint *p, struct err *err)
{
    if (p->measured)
        return true;
    p->end = 0;
    if (!rows_run_int(db, ROWS(db, SQL_OUTBOX_END, INT(p->id)), &p->end, err))
        return false;
    p->begin = p->end;
    p->measured = rows_run_int(db, ROWS(db, SQL_OUTBOX_BEGIN, INT(p->id)), &p->begin, err);
    shares_load(&db->shares, DATABASE_OUTBOX, p->tenant, bytes_of(p));
    return p->measured;
}

void outbox_grow(struct database *db, struct outbox_endpoint *p, int64_t bytes)
{
    p->end += bytes;
    p->written_in = db->outbox_turn;
    shares_load(&db->shares, DATABASE_OUTBOX, p->tenant, bytes);
}

/* ---- what goes ---- */

/* The first of an endpoint's rows. */
struct oldest {
    int64_t last; /* of those that may go; 0: none */
    int64_t lost; /* of them, not sent */
    bool all;     /* of those that were looked at */
};

/* Which of its oldest rows may go: older ones; or only those before the first that is not sent. */
struct may_go {
    int64_t before_ms;
    bool only_sent;
};

static bool find_oldest(struct database *db, int64_t webhook, const struct may_go *may,
                        struct oldest *o_r, struct err *err)
{
    struct rows *s = ROWS(db, SQL_OUTBOX_OLDEST, INT(webhook));
    *o_r = (struct oldest){.all = true};
    while (rows_next(db, s, err)) {
        bool waits = rows_get_int(s, 2) != 0;
        if (rows_get_int(s, 1) >= may->before_ms || (may->only_sent && waits))
            o_r->all = false;
        if (!o_r->all)
            continue;
        o_r->last = rows_get_int(s, 0);
        o_r->lost += waits;
    }
    return err->kind == ERR_NONE;
}

/* What is lost is counted with it, and told by outbox_sweep.c, between transactions. */
static bool forget(struct database *db, struct outbox_endpoint *p, const struct may_go *may,
                   struct outbox_gone *gone_r, struct err *err)
{
    struct oldest o;
    *gone_r = (struct outbox_gone){0};
    if (!find_oldest(db, p->id, may, &o, err))
        return false;
    if (o.last == 0)
        return true;
    *gone_r = (struct outbox_gone){.more = o.all, .lost = o.lost > 0};
    outbox_unmeasure(db, p);
    p->written_in = db->outbox_turn;
    p->lost = p->lost || gone_r->lost;
    p->by_share = p->by_share && !gone_r->lost;
    return rows_run(db, ROWS(db, SQL_OUTBOX_FORGET, INT(p->id), INT(o.last)), err) &&
           (o.lost == 0 ||
            rows_run(db, ROWS(db, SQL_WEBHOOK_LOST, INT(p->id), INT(o.lost)), err)) &&
           outbox_measure(db, p, err);
}

bool outbox_forget_oldest(struct database *db, struct outbox_endpoint *p, int64_t before_ms,
                          struct outbox_gone *gone_r, struct err *err)
{
    const struct may_go may = {.before_ms = before_ms};
    return forget(db, p, &may, gone_r, err);
}

/* Whose rows go of a tenant's: the one that has most of those whose oldest are sent, and kept for
 * replay only; else the one that has most. */
static bool choose(struct database *db, const char *tenant, struct outbox_endpoint **most_r,
                   bool *sent_r, struct err *err)
{
    *most_r = NULL;
    *sent_r = false;
    struct outbox_endpoint *p;
    LL_FOREACH(db->endpoints, p)
    {
        int64_t sent = 0;
        if (strcmp(p->tenant, tenant) != 0)
            continue;
        if (!rows_run_int(db, ROWS(db, SQL_OUTBOX_FIRST_IS_SENT, INT(p->id)), &sent, err))
            return false;
        bool more = !*most_r || bytes_of(p) > bytes_of(*most_r);
        if (sent ? !*sent_r || more : !*sent_r && more)
            *most_r = p;
        *sent_r = *sent_r || sent;
    }
    return true;
}

/* Some rows of one of the tenant's endpoints go for want of its share, which is told only where
 * somebody has lost something by it. `freed_r`: bytes; 0: there is nothing. */
static bool forget_some(struct database *db, const char *tenant, const struct quota_use *use,
                        int64_t *freed_r, struct err *err)
{
    struct outbox_gone gone;
    struct outbox_endpoint *p;
    struct may_go may = {.before_ms = INT64_MAX};
    if (!choose(db, tenant, &p, &may.only_sent, err))
        return false;
    *freed_r = 0;
    if (!p)
        return true;
    int64_t before = bytes_of(p);
    if (!forget(db, p, &may, &gone, err))
        return false;
    *freed_r = before - bytes_of(p);
    p->by_share = p->by_share || gone.lost;
    if (gone.lost)
        shares_refuse(&db->shares, DATABASE_OUTBOX, tenant, 1, use->bytes, use->limit);
    return true;
}

/* More goes than comes between two looks, however little there is of what was sent. */
static bool keep_to_share(struct database *db, const char *tenant, struct err *err)
{
    struct quota_use use;
    int64_t freed = 1;
    if (!quota_of_outbox(db, atomic_load(&limit_all), tenant, &use, err))
        return false;
    if (use.bytes <= use.limit)
        return true;
    for (int64_t all = 0; all < 2 * STEP_BYTES && freed > 0; all += freed)
        if (!forget_some(db, tenant, &use, &freed, err))
            return false;
    return true;
}

bool outbox_make_room(struct database *db, struct outbox_endpoint *p, int64_t added,
                      struct err *err)
{
    struct outbox_gone gone;
    if (bytes_of(p) > (int64_t)atomic_load(&limit_each))
        return outbox_forget_oldest(db, p, INT64_MAX, &gone, err);
    int64_t now = shares_find(&db->shares, p->tenant)->bytes[DATABASE_OUTBOX];
    return now / STEP_BYTES == (now - added) / STEP_BYTES || keep_to_share(db, p->tenant, err);
}
