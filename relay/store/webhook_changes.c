// SPDX-License-Identifier: BSD-2-Clause
/* webhook_changes.c - Endpoints as people, and the sender, change them; pings and replays. */
#include "webhooks.h"

#include "audit.h"
#include "db.h"
#include "outbox.h"
#include "webhook_body.h"

#include <stdio.h>
#include <string.h>

static bool not_found(int64_t id, struct err *err)
{
    return err_set(err, ERR_NOT_FOUND, "there is no webhook %lld: see \"webhook list\"",
                   (long long)id);
}

bool database_webhook_add(struct database *db, const struct webhook *w, int64_t *id_r,
                          struct err *err)
{
    int64_t count = 0;
    *id_r = 0;
    if (!rows_run_int(db, ROWS(db, SQL_WEBHOOK_COUNT, TEXT(w->tenant)), &count, err))
        return false;
    if (count >= WEBHOOKS_OF_TENANT)
        return err_set(err, ERR_LIMIT, "tenant \"%.63s\" has %d webhooks, and may have no more",
                       w->tenant, WEBHOOKS_OF_TENANT);
    outbox_changed(db);
    return rows_run_int(db,
                        ROWS(db, SQL_WEBHOOK_ADD, TEXT(w->tenant), TEXT(w->url), INT(w->types),
                             TEXT(w->streams), INT(w->hashed), TEXT(w->secret), INT(w->created_ms)),
                        id_r, err);
}

/* One that can be sent something now: what is disabled would keep it, and nobody would hear. */
static bool find_enabled(struct database *db, int64_t id, struct err *err)
{
    struct webhook w;
    if (!database_webhook(db, id, &w, err))
        return false;
    return !w.disabled[0] ||
           err_set(err, ERR_NOT_FOUND, "webhook %lld is disabled: \"webhook enable %lld\"",
                   (long long)id, (long long)id);
}

/* One that changes an endpoint, and says which: if none, there is none. */
static bool change(struct database *db, struct rows *s, int64_t id, struct err *err)
{
    outbox_changed(db);
    if (rows_run_one(db, s, err))
        return true;
    return err->kind == ERR_NOT_FOUND ? not_found(id, err) : false;
}

bool database_webhook_remove(struct database *db, int64_t id, struct err *err)
{
    return change(db, ROWS(db, SQL_WEBHOOK_REMOVE, INT(id)), id, err);
}

bool database_webhook_rotate(struct database *db, int64_t id, const char *secret,
                             int64_t old_until_ms, struct err *err)
{
    return change(db, ROWS(db, SQL_WEBHOOK_SECRET, INT(id), TEXT(secret), INT(old_until_ms)), id,
                  err);
}

bool database_webhook_disable(struct database *db, int64_t id, const char *why, struct err *err)
{
    return change(db, ROWS(db, SQL_WEBHOOK_DISABLE, INT(id), TEXT(why)), id, err);
}

bool database_webhook_enable(struct database *db, int64_t id, int64_t now_ms, struct err *err)
{
    return database_webhook_disable(db, id, "", err) &&
           rows_run(db, ROWS(db, SQL_OUTBOX_HURRY, INT(id), INT(now_ms)), err);
}

/* Removed meanwhile, or given up by the answer to another event that was sent with this one: then
 * nobody is to be told. */
bool database_webhook_give_up(struct database *db, int64_t id, const char *why, struct err *err)
{
    struct webhook w;
    char about[100];
    char text[WEBHOOK_REPLY_MAX + 200];
    if (!database_webhook(db, id, &w, err)) {
        bool gone = err->kind == ERR_NOT_FOUND;
        err->kind = gone ? ERR_NONE : err->kind;
        return gone;
    }
    if (w.disabled[0])
        return true;
    snprintf(about, sizeof(about), "webhook %lld", (long long)id);
    snprintf(text, sizeof(text),
             "tenant \"%.63s\": %.*s; what happens is kept for 7 days: when it is mended, "
             "\"sealpost webhook enable %lld\"",
             w.tenant, WEBHOOK_REPLY_MAX, why, (long long)id);
    return database_webhook_disable(db, id, why, err) &&
           database_note(db, AUDIT_RELAY, "webhook_disabled", about, text, err);
}

bool database_webhook_ping(struct database *db, int64_t id, int64_t now_ms, char *id_r,
                           struct err *err)
{
    char about[100];
    struct database_event e = {.at_ms = now_ms,
                               .kind = "webhook_ping",
                               .recipient = about,
                               .enhanced = "",
                               .reply = "by command",
                               .remote = ""};
    snprintf(about, sizeof(about), "webhook %lld", (long long)id);
    if (!find_enabled(db, id, err) || !database_add_event(db, &e, err))
        return false;
    int64_t event = rows_last_id(db);
    e.recipient = e.reply = NULL;
    webhook_body_id(now_ms, event, id_r);
    return outbox_event_to(db, id, &e, event, err);
}

/* ---- replay ---- */

/* What was written for it behind a row. */
struct written {
    int64_t ids[WEBHOOK_REPLAY_AT_ONCE];
    size_t count, seen;
    int64_t last;
};

static bool is_meant(const struct webhook_replay *r, int64_t at_ms, int64_t event)
{
    char id[WEBHOOK_ID_TEXT];
    webhook_body_id(at_ms, event, id);
    return at_ms >= r->since_ms && (!r->id || strcmp(r->id, id) == 0);
}

static bool find_written(struct database *db, const struct webhook_replay *r, struct written *w_r,
                         struct err *err)
{
    struct rows *s =
        ROWS(db, SQL_OUTBOX_AFTER, INT(r->webhook), INT(r->after), INT(WEBHOOK_REPLAY_AT_ONCE));
    *w_r = (struct written){.last = r->after};
    while (rows_next(db, s, err)) {
        w_r->seen++;
        w_r->last = rows_get_int(s, 0);
        if (is_meant(r, rows_get_int(s, 1), rows_get_int(s, 2)))
            w_r->ids[w_r->count++] = w_r->last;
    }
    return err->kind == ERR_NONE;
}

bool database_webhook_replay(struct database *db, struct webhook_replay *r, struct err *err)
{
    struct written written;
    if (!find_enabled(db, r->webhook, err) || !find_written(db, r, &written, err))
        return false;
    for (size_t i = 0; i < written.count; i++)
        if (!rows_run(db, ROWS(db, SQL_OUTBOX_REPLAY, INT(written.ids[i]), INT(r->now_ms)), err))
            return false;
    r->count = (int64_t)written.count;
    r->after = written.last;
    r->more = written.seen == WEBHOOK_REPLAY_AT_ONCE && !(r->id && r->count > 0);
    db->outbox_news = true;
    return true;
}
