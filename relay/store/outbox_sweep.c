// SPDX-License-Identifier: BSD-2-Clause
/* outbox_sweep.c - What goes from the outbox by itself: after seven days, sent or not, and all of
 * an endpoint that was removed. What went before it was sent is told, here and not where it goes,
 * as that is in the transaction of an event. */
#include "audit.h"
#include "db.h"
#include "log.h"
#include "outbox.h"
#include "sweep.h"
#include "webhook_course.h"

#include <stdio.h>
#include <utlist.h>

enum { LOST_MS = 3600 * 1000 };

static bool sweep_one(struct database *db, struct outbox_endpoint *p, int64_t before_ms)
{
    struct err err = {0};
    struct outbox_gone gone = {0};
    bool ok = rows_simple(db, SQL_BEGIN, &err) &&
              outbox_forget_oldest(db, p, before_ms, &gone, &err) &&
              rows_simple(db, SQL_COMMIT, &err);
    if (!ok)
        rows_rollback(db);
    log_fault("housekeeping_failed", &err);
    return ok && gone.more;
}

/* The list is there as long as no endpoint is changed: what is undone here changes none. */
bool outbox_sweep(struct database *db, int64_t now_ms)
{
    struct err err = {0};
    bool more = false;
    struct outbox_endpoint *p;
    if (!outbox_know(db, &err)) {
        log_fault("housekeeping_failed", &err);
        return false;
    }
    LL_FOREACH(db->endpoints, p)
    more = sweep_one(db, p, now_ms - webhook_kept_ms) || more;
    return sweep_rows(db, rows_prepare(db, SQL_OUTBOX_ORPHANS)) || more;
}

static void tell_one(struct database *db, struct outbox_endpoint *p)
{
    struct err err = {0};
    char about[100];
    char text[200];
    snprintf(about, sizeof(about), "webhook %lld", (long long)p->id);
    snprintf(text, sizeof(text),
             "its oldest events go before they were sent (tenant \"%.63s\"): %s", p->tenant,
             p->by_share ? "its tenant's share of limits.storage for webhooks is used up"
                         : "it has not taken them in time");
    log_event(LOG_WARN, "webhook_dropped", "what", about);
    bool ok = rows_simple(db, SQL_BEGIN, &err) &&
              database_note(db, AUDIT_RELAY, "webhook_dropped", about, text, &err) &&
              rows_simple(db, SQL_COMMIT, &err);
    if (!ok)
        rows_rollback(db);
    log_fault("housekeeping_failed", &err);
    p->lost = !ok;
    p->by_share = p->by_share && !ok;
}

/* By the wall clock, which may be set back. */
void outbox_tell_lost(struct database *db, int64_t now_ms)
{
    struct outbox_endpoint *p;
    LL_FOREACH(db->endpoints, p)
    {
        bool told = p->told_ms != 0 && now_ms >= p->told_ms && now_ms - p->told_ms < LOST_MS;
        if (!p->lost || told)
            continue;
        p->told_ms = now_ms;
        tell_one(db, p);
    }
}
