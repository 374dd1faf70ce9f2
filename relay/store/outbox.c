// SPDX-License-Identifier: BSD-2-Clause
/* outbox.c - A row for each event and endpoint that wants it.
 *
 *   event - (is there an endpoint at all?) - its message's facts - for each that wants it: a row
 *
 * The row is in the event's transaction, and so it is there exactly if the event is. Without
 * endpoints nothing is asked and nothing written: they are in memory. How many rows there may be is
 * outbox_room.c's.
 */
#include "outbox.h"

#include "db.h"
#include "webhook_body.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum { STREAM_TEXT = 130 };

/* ---- endpoints in memory ---- */

/* Those that are read anew, and those of before that are not found yet. */
struct reading {
    struct database *db;
    struct outbox_endpoint *before;
};

/* What was known of it stays: to measure all costs more the more there are. A number may have been
 * given to another one. */
static struct outbox_endpoint *take(struct reading *r, const struct webhook *w)
{
    struct outbox_endpoint *p;
    LL_SEARCH_SCALAR(r->before, p, id, w->id);
    if (!p || p->created_ms != w->created_ms || strcmp(p->tenant, w->tenant) != 0)
        return xcalloc(1, sizeof(*p));
    LL_DELETE(r->before, p);
    p->next = NULL;
    return p;
}

static void keep(void *context, const struct webhook *w)
{
    struct reading *r = context;
    struct database *db = r->db;
    struct outbox_endpoint *p = take(r, w);
    p->id = w->id;
    p->created_ms = w->created_ms;
    p->types = w->types;
    p->hashed = w->hashed;
    memcpy(p->tenant, w->tenant, sizeof(p->tenant));
    memcpy(p->streams, w->streams, sizeof(p->streams));
    LL_APPEND(db->endpoints, p);
    struct share *share = shares_find(&db->shares, w->tenant);
    for (unsigned type = 0; type < WEBHOOK_TYPES; type++)
        share->told[type] += (w->types >> type) & 1;
}

static void forget_told(struct shares *sh)
{
    for (struct share *s = sh->first; s; s = s->hh.next)
        memset(s->told, 0, sizeof(s->told));
}

bool outbox_know(struct database *db, struct err *err)
{
    if (db->endpoints_known)
        return true;
    struct reading r = {db, db->endpoints};
    struct outbox_endpoint *p;
    struct outbox_endpoint *next;
    db->endpoints = NULL;
    forget_told(&db->shares);
    bool ok = database_webhooks(db, keep, &r, err);
    LL_FOREACH_SAFE(r.before, p, next)
    outbox_forget(db, p);
    LL_FOREACH(db->endpoints, p)
    ok = ok && outbox_measure(db, p, err);
    db->endpoints_known = ok;
    return ok;
}

static bool wants(const struct outbox_endpoint *p, enum webhook_type type, const char *tenant,
                  const char *stream)
{
    char name[STREAM_TEXT];
    if (!(p->types & 1U << type) || (tenant && strcmp(p->tenant, tenant) != 0))
        return false;
    snprintf(name, sizeof(name), ",%s,", stream ? stream : "");
    return !stream || !p->streams[0] || strstr(p->streams, name);
}

static bool anybody_wants(const struct database *db, enum webhook_type type,
                          const struct database_event *e)
{
    const struct outbox_endpoint *p = db->endpoints;
    while (p && !wants(p, type, e->tenant, e->stream))
        p = p->next;
    return p != NULL;
}

/* ---- a row ---- */

/* What an event does not say of its message. */
struct facts {
    char tenant[64], stream[STREAM_TEXT], user[ADDRESS_MAX + 1], sender[ADDRESS_MAX + 1];
    char message_id[1000];
    int64_t created_ms, expires_ms;
};

static void say_facts(struct facts *f, struct database_event *e)
{
    e->tenant = e->tenant ? e->tenant : f->tenant;
    e->stream = e->stream ? e->stream : f->stream;
    e->credential = e->credential ? e->credential : f->user;
    e->sender = e->sender ? e->sender : f->sender;
}

static bool find_message(struct database *db, struct facts *f, struct database_event *e,
                         struct err *err)
{
    struct rows *s = ROWS(db, SQL_WEBHOOK_MESSAGE, INT(e->message));
    while (rows_next(db, s, err)) {
        rows_copy_text(s, 0, f->tenant, sizeof(f->tenant));
        rows_copy_text(s, 1, f->stream, sizeof(f->stream));
        rows_copy_text(s, 2, f->user, sizeof(f->user));
        rows_copy_text(s, 3, f->sender, sizeof(f->sender));
        f->created_ms = rows_get_int(s, 4);
        f->expires_ms = rows_get_int(s, 5);
        e->own = rows_get_int(s, 6) != 0;
    }
    say_facts(f, e);
    return err->kind == ERR_NONE;
}

static bool find_message_id(struct database *db, struct facts *f, struct database_event *e,
                            struct err *err)
{
    if (e->message_id)
        return true;
    struct rows *s = ROWS(db, SQL_WEBHOOK_MESSAGE_ID, INT(e->message));
    while (rows_next(db, s, err))
        rows_copy_text(s, 0, f->message_id, sizeof(f->message_id));
    e->message_id = f->message_id;
    return err->kind == ERR_NONE;
}

/* The first time, and once more when four fifths of its time are over. */
static bool may_tell_delay(struct database *db, const struct facts *f,
                           const struct database_event *e, bool *may_r, struct err *err)
{
    int64_t told = 2; /* where there is no row any more */
    int64_t late_ms = f->created_ms + (f->expires_ms - f->created_ms) / 5 * 4;
    if (!rows_run_int(db, ROWS(db, SQL_WEBHOOK_DELAYS, INT(e->message), INT(e->number)), &told,
                      err))
        return false;
    *may_r = told == 0 || (told == 1 && e->at_ms >= late_ms);
    return !*may_r ||
           rows_run(db, ROWS(db, SQL_WEBHOOK_DELAYED, INT(e->message), INT(e->number)), err);
}

static bool add_row(struct database *db, struct outbox_endpoint *p, enum webhook_type type,
                    const struct database_event *e, int64_t id, struct err *err)
{
    struct buf body;
    const struct webhook_event told = {.type = type,
                                       .hashed = p->hashed,
                                       .at_ms = e->at_ms,
                                       .event = id,
                                       .message = e->message,
                                       .recipient = e->recipient,
                                       .sender = e->sender,
                                       .message_id = e->message_id,
                                       .stream = e->stream,
                                       .user = e->credential,
                                       .code = e->code,
                                       .enhanced = e->enhanced,
                                       .reply = e->reply,
                                       .remote = e->remote,
                                       .category = e->category,
                                       .rule = e->rule,
                                       .source = e->source};
    if (!outbox_measure(db, p, err))
        return false;
    buf_init(&body, WEBHOOK_BODY_MAX);
    webhook_body_write(&told, &body);
    outbox_grow(db, p, (int64_t)body.len);
    bool ok = rows_run(db,
                       ROWS(db, SQL_OUTBOX_ADD, INT(p->id), INT(id), INT(e->at_ms), INT(p->end),
                            TEXT(buf_text(&body))),
                       err) &&
              outbox_make_room(db, p, (int64_t)body.len, err);
    buf_fini(&body);
    db->outbox_news = true;
    return ok;
}

static bool add_rows(struct database *db, enum webhook_type type, const struct database_event *e,
                     int64_t id, struct err *err)
{
    bool ok = true;
    struct outbox_endpoint *p;
    LL_FOREACH(db->endpoints, p)
    ok = ok && (!wants(p, type, e->tenant, e->stream) || add_row(db, p, type, e, id, err));
    return ok;
}

/* Of mail that an application has submitted: reports have its tenant and credential, too. */
static bool tell(struct database *db, enum webhook_type type, const struct database_event *given,
                 int64_t id, struct err *err)
{
    struct facts f = {0};
    struct database_event e = *given;
    bool may = true;
    bool whole = e.tenant && e.stream && e.credential && e.sender;
    if (!whole && !find_message(db, &f, &e, err))
        return false;
    if (e.own || !anybody_wants(db, type, &e))
        return true;
    return find_message_id(db, &f, &e, err) &&
           (type != WEBHOOK_DELAYED || may_tell_delay(db, &f, &e, &may, err)) &&
           (!may || add_rows(db, type, &e, id, err));
}

bool outbox_event(struct database *db, const struct database_event *e, int64_t id, struct err *err)
{
    enum webhook_type type = WEBHOOK_PING;
    if (!outbox_know(db, err))
        return false;
    return !db->endpoints || e->message == 0 || !webhook_type_of(e->kind, &type) ||
           !anybody_wants(db, type, e) || tell(db, type, e, id, err);
}

bool outbox_event_of(struct database *db, enum webhook_type type, const struct database_event *e,
                     int64_t id, struct err *err)
{
    return outbox_know(db, err) && (!db->endpoints || add_rows(db, type, e, id, err));
}

bool outbox_event_to(struct database *db, int64_t webhook, const struct database_event *e,
                     int64_t id, struct err *err)
{
    struct outbox_endpoint *p;
    if (!outbox_know(db, err))
        return false;
    LL_FOREACH(db->endpoints, p)
    if (p->id == webhook)
        return add_row(db, p, WEBHOOK_PING, e, id, err);
    return err_set(err, ERR_NOT_FOUND, "there is no webhook %lld", (long long)webhook);
}
