// SPDX-License-Identifier: BSD-2-Clause
/* top_talkers.c - Who sends and gets most: events say what was taken, `refused` counts what was
 * not, by the minute, as a flood has one event only.
 *
 * Recipients are grouped by the form they are counted as, so that a flood of one mailbox in many
 * spellings is one line.
 */
#include "top_talkers.h"

#include "db.h"
#include "sweep.h"

bool top_talkers_note_refused(struct database *db, const char *credential, const char *recipient,
                              int64_t now_ms, struct err *err)
{
    return rows_run(
        db, ROWS(db, SQL_REFUSED, INT(now_ms / 60000), TEXT(credential), TEXT(recipient)), err);
}

bool top_talkers_sweep(struct database *db, int64_t before_ms)
{
    struct rows *s = ROWS(db, SQL_FORGET_REFUSED, INT(before_ms / 60000));
    return sweep_rows(db, s);
}

bool database_top(struct database *db, enum database_top_by by, int64_t since_ms, int64_t limit,
                  database_on_top *on_top, void *context, struct err *err)
{
    struct rows *s = ROWS(db, SQL_TOP, INT(by), INT(since_ms), INT(limit));
    while (rows_next(db, s, err)) {
        struct database_top row = {.who = rows_get_text(s, 0),
                                   .accepted = rows_get_int(s, 1),
                                   .paced = rows_get_int(s, 2),
                                   .collapsed = rows_get_int(s, 3),
                                   .refused = rows_get_int(s, 4)};
        on_top(context, &row);
    }
    return err->kind == ERR_NONE;
}
