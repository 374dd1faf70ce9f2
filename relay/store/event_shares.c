// SPDX-License-Identifier: BSD-2-Clause
/* event_shares.c - Each tenant's share of the events, which are kept for a week.
 *
 * They are counted in memory (shares.c), by days, and written down from time to time as a row for
 * each tenant: after a crash some seconds' worth is not known.
 */
#include "event_shares.h"

#include "db.h"
#include "log.h"
#include "shares.h"

#include <stdio.h>
#include <string.h>

enum { ROW_BYTES = 64 }; /* of a row and its place in the index, without its texts */

int64_t event_shares_bytes(const struct database_event *e)
{
    const char *const texts[] = {e->kind,       e->recipient,  e->enhanced,   e->reply,
                                 e->remote,     e->credential, e->message_id, e->sender,
                                 e->tls_policy, e->tls_result, e->tlsa,       e->category,
                                 e->rule,       e->source};
    size_t bytes = ROW_BYTES;
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        bytes += texts[i] ? strlen(texts[i]) : 0;
    return (int64_t)bytes;
}

/* ---- on the disk: the last day's number, and the bytes of that day and those before it ---- */

static void load_one(struct shares *sh, const char *tenant, struct span text)
{
    uint64_t last = 0;
    if (!span_number(span_take(&text, ' '), &last))
        return;
    for (int64_t i = 0; i < SHARES_DAYS; i++) {
        uint64_t bytes = 0;
        if (span_number(span_take(&text, ' '), &bytes) && bytes > 0 && bytes < INT64_MAX)
            shares_load_events(sh, tenant, (int64_t)bytes, (int64_t)last - i);
    }
}

bool event_shares_load(struct database *db, int64_t now_ms, struct err *err)
{
    struct rows *s = rows_prepare(db, SQL_EVENT_SHARES);
    shares_turn(&db->shares, now_ms);
    while (rows_next(db, s, err))
        load_one(&db->shares, rows_get_text(s, 0), rows_get_blob(s, 1));
    return err->kind == ERR_NONE;
}

static bool save_one(struct database *db, const struct share *s, int64_t day, struct err *err)
{
    struct buf text;
    if (s->bytes[DATABASE_EVENTS] <= 0)
        return rows_run(db, ROWS(db, SQL_EVENT_SHARE_DROP, TEXT(s->tenant)), err);
    buf_init(&text, 512);
    buf_addf(&text, "%lld", (long long)day);
    for (int64_t i = 0; i < SHARES_DAYS; i++)
        buf_addf(&text, " %lld", (long long)(day >= i ? s->days[(day - i) % SHARES_DAYS] : 0));
    bool ok =
        rows_run(db, ROWS(db, SQL_EVENT_SHARE_SET, TEXT(s->tenant), BLOB(buf_span(&text))), err);
    buf_fini(&text);
    return ok;
}

void event_shares_save(struct database *db)
{
    struct err err = {0};
    struct share *s = db->shares.first;
    while (s && !s->unsaved)
        s = s->hh.next;
    if (!s)
        return;
    bool ok = rows_simple(db, SQL_BEGIN, &err);
    for (s = db->shares.first; ok && s; s = s->hh.next)
        ok = !s->unsaved || save_one(db, s, db->shares.day, &err);
    ok = ok && rows_simple(db, SQL_COMMIT, &err);
    if (!ok)
        rows_rollback(db);
    log_fault("housekeeping_failed", &err);
    for (s = db->shares.first; ok && s; s = s->hh.next)
        s->unsaved = false;
}
