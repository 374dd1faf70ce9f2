// SPDX-License-Identifier: BSD-2-Clause
/* queue_rows.c - Mail that waits, read from its rows; and all of it moved when the clock was set.
 */
#include "queue_rows.h"

#include "db.h"
#include "log.h"
#include "shares.h"

#include <string.h>

static void read_message(struct rows *s, struct mail *m)
{
    m->id = rows_get_int(s, 0);
    m->created_ms = rows_get_int(s, 1);
    m->expires_ms = rows_get_int(s, 2);
    rows_copy_text(s, 3, m->tenant, sizeof(m->tenant));
    rows_copy_text(s, 4, m->credential, sizeof(m->credential));
    rows_copy_text(s, 5, m->stream, sizeof(m->stream));
    int64_t class = rows_get_int(s, 6);
    m->class =
        class >= 0 && class < STREAM_CLASSES ? (enum stream_class) class : STREAM_NOTIFICATION;
    m->envelope.sender = xstrdup(rows_get_text(s, 7));
    m->envelope.id = xstrdup(rows_get_text(s, 8));
    m->envelope.report = (enum envelope_return)rows_get_int(s, 9);
    m->envelope.smtputf8 = rows_get_int(s, 10);
    rows_copy_text(s, 11, m->from_domain, sizeof(m->from_domain));
    rows_copy_text(s, 12, m->helo, sizeof(m->helo));
    rows_copy_text(s, 13, m->peer, sizeof(m->peer));
    rows_copy_text(s, 14, m->protocol, sizeof(m->protocol));
    m->header_utf8 = rows_get_int(s, 15);
    m->body_8bit = rows_get_int(s, 16);
    m->dialogue = rows_get_int(s, 17);
    m->place = (struct mail_place){rows_get_int(s, 18), rows_get_int(s, 19), rows_get_int(s, 20)};
    m->tls_need = tls_need_of(rows_get_int(s, 21));
}

static bool read_recipients(struct database *db, struct mail *m, struct err *err)
{
    struct rows *s = ROWS(db, SQL_RECIPIENTS, INT(m->id));
    while (rows_next(db, s, err)) {
        size_t i = m->envelope.count;
        envelope_add(&m->envelope, span_of(rows_get_text(s, 1)), rows_get_text(s, 2),
                     span_of(rows_get_text(s, 3)), (unsigned)rows_get_int(s, 4));
        m->rows = xgrow(m->rows, i + 1, sizeof(*m->rows));
        m->rows[i] = (struct mail_row){.number = (unsigned)rows_get_int(s, 0),
                                       .state = (enum mail_state)(rows_get_int(s, 5) & 3),
                                       .tries = (unsigned)rows_get_int(s, 6),
                                       .due_ms = rows_get_int(s, 7),
                                       .delay_told = rows_get_int(s, 8),
                                       .code = (int)rows_get_int(s, 9)};
        rows_copy_text(s, 10, m->rows[i].enhanced, sizeof(m->rows[i].enhanced));
        rows_copy_text(s, 11, m->rows[i].reply, sizeof(m->rows[i].reply));
        rows_copy_text(s, 12, m->rows[i].remote, sizeof(m->rows[i].remote));
    }
    return err->kind == ERR_NONE;
}

bool database_mail(struct database *db, int64_t id, struct mail **mail_r, struct err *err)
{
    struct rows *s = ROWS(db, SQL_MESSAGE, INT(id));
    if (!rows_next(db, s, err))
        return err->kind == ERR_NONE ? err_set(err, ERR_NOT_FOUND, "message is settled or unknown")
                                     : false;
    struct mail *m = mail_new();
    read_message(s, m);
    rows_reset(s);
    if (!read_recipients(db, m, err)) {
        mail_free(m);
        return false;
    }
    *mail_r = m;
    return true;
}

/* ---- at the start ---- */

/* What its recipients have from their message. */
static struct database_due read_due(struct rows *messages)
{
    struct database_due due = {.message = rows_get_int(messages, 0),
                               .class =
                                   (enum stream_class)(rows_get_int(messages, 1) % STREAM_CLASSES)};
    rows_copy_text(messages, 2, due.tenant, sizeof(due.tenant));
    due.expires_ms = rows_get_int(messages, 3);
    due.tls_need = tls_need_of(rows_get_int(messages, 7));
    rows_copy_text(messages, 8, due.stream, sizeof(due.stream));
    return due;
}

/* One recipient's row. False: it only is counted. */
static bool read_waiting(struct database *db, struct rows *recipients, struct database_due *due)
{
    due->number = (unsigned)rows_get_int(recipients, 1);
    due->due_ms = rows_get_int(recipients, 2);
    rows_copy_text(recipients, 3, due->domain, sizeof(due->domain));
    shares_load(&db->shares, DATABASE_WAITING, due->tenant,
                shares_waiting(1, (int64_t)strlen(due->domain)));
    if (rows_get_int(recipients, 5) != 0) /* nobody is asked: it has no domain for the queue */
        due->domain[0] = '\0';
    return rows_get_int(recipients, 4) == MAIL_WAITING;
}

/* Both tables are in the order of messages, and are gone through side by side: to look up each
 * recipient's message would cost more than the rest. */
bool database_waiting(struct database *db, database_on_place *on_place, database_on_due *on_due,
                      void *context, struct err *err)
{
    struct rows *messages = rows_prepare(db, SQL_MESSAGES);
    struct rows *recipients = rows_prepare(db, SQL_WAITING);
    bool more = rows_next(db, recipients, err);
    while (err->kind == ERR_NONE && rows_next(db, messages, err)) {
        struct database_due due = read_due(messages);
        const struct mail_place place = {rows_get_int(messages, 4), rows_get_int(messages, 5),
                                         rows_get_int(messages, 6)};
        shares_load(&db->shares, DATABASE_STORAGE, due.tenant, place.length);
        on_place(context, &place);
        for (; more && rows_get_int(recipients, 0) <= due.message;
             more = rows_next(db, recipients, err))
            if (rows_get_int(recipients, 0) == due.message && read_waiting(db, recipients, &due))
                on_due(context, &due);
    }
    rows_reset(messages);
    rows_reset(recipients);
    return err->kind == ERR_NONE;
}

bool database_begin_reading(struct database *db, struct err *err)
{
    return rows_simple(db, SQL_BEGIN_READING, err);
}

void database_end_reading(struct database *db)
{
    struct err err = {0};
    if (!rows_simple(db, SQL_COMMIT, &err)) {
        log_fault("store_fault", &err);
        rows_rollback(db);
    }
    database_trim_cache(db);
}

/* They have days: a step of less than half a day leaves all of them as they are. */
static bool move_return_paths(struct database *db, int64_t step_ms, struct err *err)
{
    const int64_t day_ms = INT64_C(24) * 3600 * 1000;
    int64_t days = (step_ms + (step_ms < 0 ? -day_ms / 2 : day_ms / 2)) / day_ms;
    return days == 0 || rows_run_about(db, SQL_MOVE_RETURN_PATHS, days, err);
}

bool rows_move(struct database *db, int64_t step_ms, struct err *err)
{
    if (rows_simple(db, SQL_BEGIN, err) && rows_run_about(db, SQL_MOVE_DUE, step_ms, err) &&
        rows_run_about(db, SQL_MOVE_LIFE, step_ms, err) &&
        rows_run_about(db, SQL_MOVE_COUNTS, step_ms, err) &&
        rows_run_about(db, SQL_MOVE_REPORTS, step_ms, err) && move_return_paths(db, step_ms, err) &&
        rows_run_about(db, SQL_MOVE_RESTS, step_ms, err) &&
        rows_run_about(db, SQL_MOVE_SPEEDS, step_ms, err) &&
        rows_run_about(db, SQL_MOVE_PAUSES, step_ms, err) &&
        rows_run_about(db, SQL_MOVE_OUTBOX, step_ms, err) &&
        rows_run_about(db, SQL_MOVE_WEBHOOKS, step_ms, err) && rows_simple(db, SQL_COMMIT, err)) {
        db->instance_known = false;
        db->report_due_ms = 0; /* it was by the old clock: look */
        return true;
    }
    rows_rollback(db);
    return false;
}

bool rows_waits_for(struct database *db, const struct mail *m, size_t i, const char *why,
                    struct err *err)
{
    return rows_run(db, ROWS(db, SQL_RECIPIENT_WAITS, INT(m->id), INT((int64_t)i), TEXT(why)), err);
}
