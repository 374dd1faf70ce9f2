// SPDX-License-Identifier: BSD-2-Clause
/* report_rows.c - That a sender is owed a report, as a row of its message: when it is due, or that
 * it waits for the message's end. What it says is read from the recipients when it is made
 * (reports.c).
 */
#include "report_rows.h"

#include "clock.h"
#include "db.h"

enum { GATHER_MS = 30 * 1000, PAUSE_MS = 1000 };

bool report_rows_owe(struct database *db, const struct store_outcome *o, int64_t now_ms,
                     struct err *err)
{
    int64_t due_ms = now_ms + GATHER_MS;
    struct rows *s = ROWS(db, SQL_REPORT_OWE, INT(o->message));
    if (o->report != STORE_REPORT_RELAYED) {
        rows_int(s, 2, due_ms);
        if (due_ms < db->report_due_ms)
            db->report_due_ms = due_ms;
    }
    return rows_run(db, s, err);
}

bool report_rows_at_end(struct database *db, int64_t message, struct err *err)
{
    bool at_end = false;
    struct rows *s = ROWS(db, SQL_REPORT_AT_END, INT(message));
    while (rows_next(db, s, err))
        at_end = true;
    if (err->kind != ERR_NONE || !at_end)
        return err->kind == ERR_NONE;
    db->report_due_ms = 0;
    s = ROWS(db, SQL_REPORT_NOW, INT(message));
    return rows_run(db, s, err);
}

bool report_rows_look(struct database *db, int64_t before, int64_t *message_r, struct err *err)
{
    int64_t soon_ms = clock_now_ms() + PAUSE_MS;
    struct rows *s = rows_prepare(db, SQL_REPORT_NEXT);
    *message_r = 0;
    db->report_due_ms = INT64_MAX;
    while (rows_next(db, s, err)) {
        *message_r = rows_get_int(s, 0);
        db->report_due_ms = rows_get_int(s, 1);
    }
    if (err->kind != ERR_NONE ||
        (*message_r == before && before != 0 && db->report_due_ms < soon_ms))
        db->report_due_ms = soon_ms;
    return err->kind == ERR_NONE;
}
