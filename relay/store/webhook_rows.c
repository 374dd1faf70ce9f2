// SPDX-License-Identifier: BSD-2-Clause
/* webhook_rows.c - Endpoints as they are read, and the rows of the outbox that are sent. */
#include "webhooks.h"

#include "db.h"

bool database_webhooks(struct database *db, database_on_webhook *on_webhook, void *context,
                       struct err *err)
{
    struct rows *s = rows_prepare(db, SQL_WEBHOOKS);
    while (rows_next(db, s, err)) {
        struct webhook w = {.id = rows_get_int(s, 0),
                            .types = (unsigned)rows_get_int(s, 3),
                            .hashed = rows_get_int(s, 5) != 0,
                            .old_until_ms = rows_get_int(s, 8),
                            .created_ms = rows_get_int(s, 9),
                            .failing_ms = rows_get_int(s, 10),
                            .lost = rows_get_int(s, 13)};
        rows_copy_text(s, 1, w.tenant, sizeof(w.tenant));
        rows_copy_text(s, 2, w.url, sizeof(w.url));
        rows_copy_text(s, 4, w.streams, sizeof(w.streams));
        rows_copy_text(s, 6, w.secret, sizeof(w.secret));
        rows_copy_text(s, 7, w.old_secret, sizeof(w.old_secret));
        rows_copy_text(s, 11, w.reply, sizeof(w.reply));
        rows_copy_text(s, 12, w.disabled, sizeof(w.disabled));
        on_webhook(context, &w);
    }
    return err->kind == ERR_NONE;
}

static bool not_found(int64_t id, struct err *err)
{
    return err_set(err, ERR_NOT_FOUND, "there is no webhook %lld: see \"webhook list\"",
                   (long long)id);
}

struct search {
    int64_t id;
    struct webhook *w_r;
    bool found;
};

static void keep_one(void *context, const struct webhook *w)
{
    struct search *s = context;
    if (w->id != s->id)
        return;
    *s->w_r = *w;
    s->found = true;
}

bool database_webhook(struct database *db, int64_t id, struct webhook *w_r, struct err *err)
{
    struct search s = {id, w_r, false};
    return database_webhooks(db, keep_one, &s, err) && (s.found || not_found(id, err));
}

bool database_webhook_waiting(struct database *db, int64_t id, int64_t *count_r, struct err *err)
{
    *count_r = 0;
    return rows_run_int(db, ROWS(db, SQL_OUTBOX_WAITING, INT(id)), count_r, err);
}

bool database_webhook_failing(struct database *db, int64_t id, int64_t since_ms, const char *reply,
                              struct err *err)
{
    return rows_run(db, ROWS(db, SQL_WEBHOOK_FAILING, INT(id), INT(since_ms), TEXT(reply)), err);
}

/* ---- for who sends ---- */

bool database_outbox_due(struct database *db, int64_t webhook, int64_t now_ms, int64_t limit,
                         database_on_outbox *on_row, void *context, struct err *err)
{
    struct rows *s = ROWS(db, SQL_OUTBOX_DUE, INT(webhook), INT(now_ms), INT(limit));
    while (rows_next(db, s, err)) {
        const struct outbox_row row = {.id = rows_get_int(s, 0),
                                       .webhook = webhook,
                                       .event = rows_get_int(s, 1),
                                       .at_ms = rows_get_int(s, 2),
                                       .tries = (unsigned)rows_get_int(s, 3),
                                       .body = rows_get_text(s, 4)};
        on_row(context, &row);
    }
    return err->kind == ERR_NONE;
}

bool database_outbox_settle(struct database *db, const struct outbox_result *r, struct err *err)
{
    struct rows *s = rows_prepare(db, SQL_OUTBOX_SETTLE);
    rows_int(s, 1, r->id);
    rows_int(s, 2, r->webhook);
    rows_int(s, 3, r->event);
    if (r->again)
        rows_int(s, 4, r->due_ms);
    rows_int(s, 5, r->tries);
    rows_int(s, 6, r->unreached);
    return rows_run(db, s, err) &&
           (!r->lost || rows_run(db, ROWS(db, SQL_WEBHOOK_LOST, INT(r->webhook), INT(1)), err));
}

bool database_outbox_recover(struct database *db, int64_t webhook, int64_t now_ms, struct err *err)
{
    return rows_run(db, ROWS(db, SQL_OUTBOX_RECOVER, INT(webhook), INT(now_ms)), err);
}
