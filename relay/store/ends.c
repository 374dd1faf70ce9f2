// SPDX-License-Identifier: BSD-2-Clause
/* ends.c - The end of a message: its rows go when nobody of it waits or is held and no report is
 * owed; its events stay, and its place in the spool is given back.
 */
#include "ends.h"

#include "db.h"
#include "report_rows.h"
#include "shares.h"

bool rows_end(struct database *db, int64_t message, struct err *err)
{
    bool ended = false;
    struct rows *s = ROWS(db, SQL_ENDED, INT(message));
    while (rows_next(db, s, err)) {
        const struct mail_place place = {rows_get_int(s, 0), rows_get_int(s, 1),
                                         rows_get_int(s, 2)};
        rows_note_released(db, &place);
        shares_add(&db->shares, DATABASE_STORAGE, rows_get_text(s, 3), -place.length);
        ended = true;
    }
    if (err->kind != ERR_NONE || !ended)
        return err->kind == ERR_NONE && report_rows_at_end(db, message, err);
    return rows_run_about(db, SQL_END_MESSAGE, message, err) &&
           rows_run_about(db, SQL_END_RECIPIENTS, message, err);
}
