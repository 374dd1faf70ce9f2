// SPDX-License-Identifier: BSD-2-Clause
/* queue_rows.c - Mail that waits, read from its rows; and all of it moved when the clock was set.
 */
#include "queue_rows.h"

#include "db.h"
#include "log.h"

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
    sqlite3_stmt *s = ROWS(db, SQL_RECIPIENTS, INT(m->id));
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
    sqlite3_stmt *s = ROWS(db, SQL_MESSAGE, INT(id));
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

bool rows_move(struct database *db, int64_t step_ms, struct err *err)
{
    if (rows_simple(db, SQL_BEGIN, err) && rows_run_about(db, SQL_MOVE_DUE, step_ms, err) &&
        rows_run_about(db, SQL_MOVE_LIFE, step_ms, err) &&
        rows_run_about(db, SQL_MOVE_COUNTS, step_ms, err) &&
        rows_run_about(db, SQL_MOVE_REPORTS, step_ms, err) &&
        rows_run_about(db, SQL_MOVE_RESTS, step_ms, err) && rows_simple(db, SQL_COMMIT, err)) {
        db->instance_known = false;
        db->report_due_ms = 0; /* it was by the old clock: look */
        return true;
    }
    rows_rollback(db);
    return false;
}
