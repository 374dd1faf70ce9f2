// SPDX-License-Identifier: BSD-2-Clause
/* rows.c - The moves of mail in the database. Each runs inside the store's transaction: all of it
 * is durable, or nothing. */
#include "rows.h"

#include "capture.h"
#include "log.h"
#include "repeats.h"
#include "reports.h"
#include "shares.h"
#include "suppressions.h"

#include <stdio.h>
#include <stdlib.h>

static const struct verdict taken = {.code = 250, .enhanced = "2.0.0"};
static const struct verdict flood = {.code = 550, .enhanced = "5.7.28", .text = THROTTLE_REFUSED};
static const struct verdict none;

static struct database_due due_of(const struct mail *m, size_t i)
{
    struct database_due due = {.message = m->id,
                               .due_ms = m->created_ms,
                               .expires_ms = m->expires_ms,
                               .number = (unsigned)i,
                               .class = m->class};
    snprintf(due.tenant, sizeof(due.tenant), "%s", m->tenant);
    snprintf(due.domain, sizeof(due.domain), "%s", m->envelope.rcpts[i].domain);
    return due;
}

static bool add_message(struct database *db, const struct mail *m, struct err *err)
{
    sqlite3_stmt *s = rows_prepare(db, SQL_ADD_MESSAGE);
    int n = 0;
    rows_int(s, ++n, m->id);
    rows_int(s, ++n, m->created_ms);
    rows_int(s, ++n, m->expires_ms);
    rows_text(s, ++n, m->tenant);
    rows_text(s, ++n, m->credential);
    rows_text(s, ++n, m->stream);
    rows_int(s, ++n, m->class);
    rows_text(s, ++n, m->envelope.sender);
    rows_text(s, ++n, m->envelope.id ? m->envelope.id : "");
    rows_int(s, ++n, m->envelope.report);
    rows_int(s, ++n, m->envelope.smtputf8);
    rows_text(s, ++n, m->from_domain);
    rows_text(s, ++n, m->helo);
    rows_text(s, ++n, m->peer);
    rows_text(s, ++n, m->protocol);
    rows_int(s, ++n, m->header_utf8);
    rows_int(s, ++n, m->body_8bit);
    rows_int(s, ++n, m->dialogue);
    rows_int(s, ++n, m->place.segment);
    rows_int(s, ++n, m->place.offset);
    rows_int(s, ++n, m->place.length);
    shares_add(db, m->tenant, m->place.length);
    return rows_run(db, s, err);
}

/* How long it is kept back. */
static int64_t slot_ms(const struct throttle_decision *d)
{
    return d && (d->what == THROTTLE_PACE || d->what == THROTTLE_REPLACES) ? d->wait_ms : 0;
}

static bool add_recipient(struct database *db, const struct store_job *job, size_t i, bool held,
                          const struct verdict *refusal, struct err *err)
{
    const struct mail *m = job->mail;
    const struct throttle_decision *d = job->decisions ? &job->decisions[i] : NULL;
    const struct envelope_rcpt *r = &m->envelope.rcpts[i];
    bool refused = d && throttle_refuses(d);
    if (!refused)
        refusal = &none;
    sqlite3_stmt *s = rows_prepare(db, SQL_ADD_RECIPIENT);
    rows_int(s, 1, m->id);
    rows_int(s, 2, (int64_t)i);
    rows_text(s, 3, r->address);
    rows_text(s, 4, r->domain);
    rows_text(s, 5, r->original);
    rows_int(s, 6, r->notify);
    rows_int(s, 7, m->created_ms + slot_ms(d));
    rows_int(s, 8, refusal->code);
    rows_text(s, 9, refusal->enhanced);
    rows_text(s, 10, refusal->text);
    if (d && d->fingerprint != 0 && !refused)
        rows_int(s, 11, d->fingerprint);
    rows_int(s, 12, held ? MAIL_HELD : MAIL_WAITING);
    return rows_run(db, s, err);
}

bool rows_event(struct database *db, const struct database_event *e, struct err *err)
{
    sqlite3_stmt *s = rows_prepare(db, SQL_ADD_EVENT);
    rows_int(s, 1, e->at_ms);
    rows_text(s, 2, e->kind);
    rows_int(s, 3, e->message);
    rows_text(s, 4, e->recipient);
    rows_int(s, 5, e->code);
    rows_text(s, 6, e->enhanced);
    rows_text(s, 7, e->reply);
    rows_text(s, 8, e->remote);
    rows_text(s, 9, e->credential ? e->credential : "");
    rows_text(s, 10, e->message_id ? e->message_id : "");
    rows_text(s, 11, e->sender ? e->sender : "");
    return rows_run(db, s, err);
}

bool rows_mail_event(struct database *db, const struct mail *m, size_t i, const char *kind,
                     const struct verdict *v, const char *reply, struct err *err)
{
    struct database_event event = {.at_ms = m->created_ms,
                                   .kind = kind,
                                   .message = m->id,
                                   .recipient = m->envelope.rcpts[i].address,
                                   .code = v->code,
                                   .enhanced = v->enhanced,
                                   .reply = reply,
                                   .remote = m->peer,
                                   .credential = m->credential,
                                   .message_id = m->message_id,
                                   .sender = m->envelope.sender};
    return rows_event(db, &event, err);
}

/* What the throttle did to one recipient, as an event of its message. */
static bool note_decision(struct database *db, const struct mail *m, size_t i,
                          const struct throttle_decision *d, struct err *err)
{
    char text[200];
    char other[MAIL_ID_TEXT];
    const char *name = d->what < THROTTLE_REPEATED ? throttle_key_name(d->key) : "";
    const char *class = stream_class_name(m->class);
    long long wait_s = d->wait_ms / 1000;
    switch (d->what) {
    case THROTTLE_PASS:
        return true;
    case THROTTLE_PACE:
        snprintf(text, sizeof(text), "limit \"%s\" for class \"%s\": its slot is in %lld s", name,
                 class, wait_s);
        return rows_mail_event(db, m, i, "paced", &taken, text, err);
    case THROTTLE_REPLACES:
        mail_id_print(d->other, other);
        snprintf(text, sizeof(text), "in the place of %s: its slot is in %lld s", other, wait_s);
        return repeats_replace(db, m, d, err) &&
               rows_mail_event(db, m, i, "paced", &taken, text, err);
    case THROTTLE_DEFER:
    case THROTTLE_REJECT:
        snprintf(text, sizeof(text), "limit \"%s\" for class \"%s\": one would conform in %lld s",
                 name, class, wait_s);
        return rows_mail_event(db, m, i, "throttled", &flood, text, err);
    case THROTTLE_SUPPRESSED: /* said when it is settled */
        return true;
    case THROTTLE_REPEATED:
    case THROTTLE_COLLAPSED:
        break;
    }
    UNREACHABLE();
}

static bool accept_recipient(struct database *db, const struct store_job *job, size_t i,
                             struct err *err)
{
    const struct mail *m = job->mail;
    const struct throttle_decision *d = job->decisions ? &job->decisions[i] : NULL;
    bool suppressed = d && d->what == THROTTLE_SUPPRESSED;
    bool held = !(d && throttle_refuses(d)) && capture_holds(job, i);
    struct database_due due = due_of(m, i);
    if (d && throttle_repeats(d))
        return repeats_event(db, m, i, d, err);
    if (!add_recipient(db, job, i, held, suppressed ? &job->refusals[i] : &flood, err) ||
        !rows_mail_event(db, m, i, "accepted", &taken, m->envelope.sender, err) ||
        (d && !note_decision(db, m, i, d, err)))
        return false;
    if (held)
        return capture_note(db, m, i, err);
    due.due_ms += slot_ms(d);
    if (d && throttle_refuses(d)) /* its answer is known: only the report is missing */
        due.domain[0] = '\0';
    rows_note_due(db, &due);
    return true;
}

bool rows_accept(struct database *db, struct store_job *job, struct err *err)
{
    bool ok = capture_look(db, job, err) && add_message(db, job->mail, err);
    for (size_t i = 0; ok && i < job->mail->envelope.count; i++)
        ok = accept_recipient(db, job, i, err);
    capture_end(job);
    return ok;
}

static void note_released(struct database *db, sqlite3_stmt *s)
{
    struct place_list *list = &db->released;
    if (list->count == list->size) {
        list->size = list->size ? list->size * 2 : 64;
        list->items = xgrow(list->items, list->size, sizeof(*list->items));
    }
    list->items[list->count++] = (struct mail_place){
        sqlite3_column_int64(s, 0), sqlite3_column_int64(s, 1), sqlite3_column_int64(s, 2)};
}

/* A statement with one number: a message, or how far the clock has been set. */
static bool run_about(struct database *db, enum sql sql, int64_t number, struct err *err)
{
    sqlite3_stmt *s = rows_prepare(db, sql);
    rows_int(s, 1, number);
    return rows_run(db, s, err);
}

bool rows_move(struct database *db, int64_t step_ms, struct err *err)
{
    if (rows_simple(db, SQL_BEGIN, err) && run_about(db, SQL_MOVE_DUE, step_ms, err) &&
        run_about(db, SQL_MOVE_LIFE, step_ms, err) &&
        run_about(db, SQL_MOVE_COUNTS, step_ms, err) &&
        run_about(db, SQL_MOVE_REPORTS, step_ms, err) &&
        run_about(db, SQL_MOVE_RESTS, step_ms, err) && rows_simple(db, SQL_COMMIT, err)) {
        db->instance_known = false;
        db->report_due_ms = 0; /* it was by the old clock: look */
        return true;
    }
    rows_rollback(db);
    return false;
}

bool rows_end(struct database *db, int64_t message, struct err *err)
{
    sqlite3_stmt *s = rows_prepare(db, SQL_ENDED);
    bool ended = false;
    rows_int(s, 1, message);
    while (rows_next(db, s, err)) {
        note_released(db, s);
        shares_add(db, rows_get_text(s, 3), -sqlite3_column_int64(s, 2));
        ended = true;
    }
    if (err->kind != ERR_NONE || !ended)
        return err->kind == ERR_NONE && reports_at_end(db, message, err);
    return run_about(db, SQL_END_MESSAGE, message, err) &&
           run_about(db, SQL_END_RECIPIENTS, message, err);
}

/* A receiver has said that there is no such mailbox. */
static bool suppress(struct database *db, const struct store_outcome *o, const char *address,
                     int64_t now_ms, struct err *err)
{
    struct suppress_entry e = {
        .reason = SUPPRESS_BOUNCE, .created_ms = now_ms, .expires_ms = now_ms + o->suppress_ms};
    snprintf(e.address, sizeof(e.address), "%s", address);
    snprintf(e.tenant, sizeof(e.tenant), "%s", o->suppress);
    snprintf(e.source, sizeof(e.source), "%.79s", o->remote);
    db->revised = true;
    return database_suppress_answer(db, &e, now_ms, err);
}

/* What an outcome is about, as it was until now. */
struct settled {
    bool found;
    char address[ADDRESS_MAX + 1];
    enum mail_state state;
    struct database_due due;
    bool returned; /* it has its last answer, and only the report is missing */
};

static bool find_settled(struct database *db, const struct store_outcome *o, struct settled *r,
                         struct err *err)
{
    sqlite3_stmt *s = rows_prepare(db, SQL_SETTLED);
    rows_int(s, 1, o->message);
    rows_int(s, 2, o->number);
    *r = (struct settled){
        .due = {
            .message = o->message, .due_ms = o->due_ms, .number = o->number, .class = o->class}};
    while (rows_next(db, s, err)) {
        r->found = true;
        rows_copy_text(s, 0, r->address, sizeof(r->address));
        rows_copy_text(s, 1, r->due.domain, sizeof(r->due.domain));
        r->state = (enum mail_state)(sqlite3_column_int(s, 2) & 3);
        rows_copy_text(s, 3, r->due.tenant, sizeof(r->due.tenant));
        r->due.expires_ms = sqlite3_column_int64(s, 4);
        r->returned = sqlite3_column_int(s, 5) != 0;
    }
    return err->kind == ERR_NONE;
}

/* One that is tried again and that somebody holds meanwhile, is held. */
static bool settle(struct database *db, const struct store_outcome *o, struct settled *r,
                   struct err *err)
{
    sqlite3_stmt *s = rows_prepare(db, SQL_SETTLE);
    if (o->state != MAIL_WAITING)
        r->state = o->state;
    rows_int(s, 1, o->message);
    rows_int(s, 2, o->number);
    rows_int(s, 3, r->state);
    rows_int(s, 4, o->tries);
    rows_int(s, 5, o->due_ms);
    rows_int(s, 6, o->report);
    rows_int(s, 7, o->answer.code);
    rows_text(s, 8, o->answer.enhanced);
    rows_text(s, 9, o->answer.text);
    rows_text(s, 10, o->remote);
    return rows_run(db, s, err);
}

bool rows_settle(struct database *db, struct store_outcome *o, int64_t now_ms, struct err *err)
{
    struct settled r;
    if (!find_settled(db, o, &r, err))
        return false;
    /* Deleted or returned by a person meanwhile: nothing is left to record. */
    o->gone = !r.found || (r.returned && o->state == MAIL_WAITING);
    if (o->gone)
        return true;
    if (!settle(db, o, &r, err))
        return false;
    if (r.state == MAIL_WAITING)
        rows_note_due(db, &r.due);
    struct database_event event = {.at_ms = now_ms,
                                   .kind = o->kind,
                                   .message = o->message,
                                   .recipient = r.address,
                                   .code = o->answer.code,
                                   .enhanced = o->answer.enhanced,
                                   .reply = o->answer.text,
                                   .remote = o->remote};
    return rows_event(db, &event, err) &&
           (o->report == STORE_REPORT_NONE || reports_owe(db, o, now_ms, err)) &&
           (!o->suppress[0] || suppress(db, o, r.address, now_ms, err));
}

static void read_message(sqlite3_stmt *s, struct mail *m)
{
    m->id = sqlite3_column_int64(s, 0);
    m->created_ms = sqlite3_column_int64(s, 1);
    m->expires_ms = sqlite3_column_int64(s, 2);
    rows_copy_text(s, 3, m->tenant, sizeof(m->tenant));
    rows_copy_text(s, 4, m->credential, sizeof(m->credential));
    rows_copy_text(s, 5, m->stream, sizeof(m->stream));
    int64_t class = sqlite3_column_int64(s, 6);
    m->class =
        class >= 0 && class < STREAM_CLASSES ? (enum stream_class) class : STREAM_NOTIFICATION;
    m->envelope.sender = xstrdup(rows_get_text(s, 7));
    m->envelope.id = xstrdup(rows_get_text(s, 8));
    m->envelope.report = (enum envelope_return)sqlite3_column_int(s, 9);
    m->envelope.smtputf8 = sqlite3_column_int(s, 10);
    rows_copy_text(s, 11, m->from_domain, sizeof(m->from_domain));
    rows_copy_text(s, 12, m->helo, sizeof(m->helo));
    rows_copy_text(s, 13, m->peer, sizeof(m->peer));
    rows_copy_text(s, 14, m->protocol, sizeof(m->protocol));
    m->header_utf8 = sqlite3_column_int(s, 15);
    m->body_8bit = sqlite3_column_int(s, 16);
    m->dialogue = sqlite3_column_int(s, 17);
    m->place = (struct mail_place){sqlite3_column_int64(s, 18), sqlite3_column_int64(s, 19),
                                   sqlite3_column_int64(s, 20)};
}

static bool read_recipients(struct database *db, struct mail *m, struct err *err)
{
    sqlite3_stmt *s = rows_prepare(db, SQL_RECIPIENTS);
    rows_int(s, 1, m->id);
    while (rows_next(db, s, err)) {
        size_t i = m->envelope.count;
        envelope_add(&m->envelope, span_of(rows_get_text(s, 1)), rows_get_text(s, 2),
                     span_of(rows_get_text(s, 3)), (unsigned)sqlite3_column_int(s, 4));
        m->rows = xgrow(m->rows, i + 1, sizeof(*m->rows));
        m->rows[i] = (struct mail_row){.number = (unsigned)sqlite3_column_int(s, 0),
                                       .state = (enum mail_state)(sqlite3_column_int(s, 5) & 3),
                                       .tries = (unsigned)sqlite3_column_int(s, 6),
                                       .due_ms = sqlite3_column_int64(s, 7),
                                       .delay_told = sqlite3_column_int(s, 8),
                                       .code = sqlite3_column_int(s, 9)};
        rows_copy_text(s, 10, m->rows[i].enhanced, sizeof(m->rows[i].enhanced));
        rows_copy_text(s, 11, m->rows[i].reply, sizeof(m->rows[i].reply));
    }
    return err->kind == ERR_NONE;
}

bool database_mail(struct database *db, int64_t id, struct mail **mail_r, struct err *err)
{
    sqlite3_stmt *s = rows_prepare(db, SQL_MESSAGE);
    rows_int(s, 1, id);
    if (!rows_next(db, s, err))
        return err->kind == ERR_NONE ? err_set(err, ERR_NOT_FOUND, "message is settled or unknown")
                                     : false;
    struct mail *m = mail_new();
    read_message(s, m);
    sqlite3_reset(s);
    if (!read_recipients(db, m, err)) {
        mail_free(m);
        return false;
    }
    *mail_r = m;
    return true;
}

bool rows_sweep(struct database *db, sqlite3_stmt *s)
{
    struct err err = {0};
    bool ok = rows_run(db, s, &err);
    log_fault("housekeeping_failed", &err);
    return ok && sqlite3_changes(db->handle) > 0;
}

bool database_begin_reading(struct database *db, struct err *err)
{
    return rows_simple(db, SQL_BEGIN_READING, err);
}

void database_end_reading(struct database *db)
{
    struct err err = {0};
    if (rows_simple(db, SQL_COMMIT, &err))
        return;
    log_fault("store_fault", &err);
    rows_rollback(db);
}

bool database_waiting(struct database *db, database_on_due *on_due, void *context, struct err *err)
{
    sqlite3_stmt *s = rows_prepare(db, SQL_WAITING);
    while (rows_next(db, s, err)) {
        struct database_due due = {
            .message = sqlite3_column_int64(s, 0),
            .number = (unsigned)sqlite3_column_int(s, 1),
            .due_ms = sqlite3_column_int64(s, 2),
            .class = (enum stream_class)(sqlite3_column_int(s, 3) % STREAM_CLASSES)};
        rows_copy_text(s, 4, due.domain, sizeof(due.domain));
        rows_copy_text(s, 5, due.tenant, sizeof(due.tenant));
        due.expires_ms = sqlite3_column_int64(s, 6);
        on_due(context, &due);
    }
    return err->kind == ERR_NONE;
}
