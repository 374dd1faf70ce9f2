// SPDX-License-Identifier: BSD-2-Clause
/* rests.c - Destinations that an operator has put to rest: a row until the rest is over, or ended.
 */
#include "rests.h"

#include "db.h"

bool database_rest(struct database *db, const struct database_rest *rest, int64_t now_ms,
                   struct err *err)
{
    sqlite3_stmt *s = ROWS(db, SQL_REST_SWEEP, INT(now_ms));
    if (!rows_run(db, s, err))
        return false;
    s = ROWS(db, SQL_REST_SET, TEXT(rest->destination), INT(rest->until_ms), TEXT(rest->why));
    return rows_run(db, s, err);
}

bool database_end_rest(struct database *db, const char *destination, struct err *err)
{
    return rows_run(db, ROWS(db, SQL_REST_END, TEXT(destination)), err);
}

bool database_rests(struct database *db, int64_t now_ms, database_on_rest *on_rest, void *context,
                    struct err *err)
{
    sqlite3_stmt *s = ROWS(db, SQL_RESTS, INT(now_ms));
    while (rows_next(db, s, err)) {
        const struct database_rest rest = {.destination = rows_get_text(s, 0),
                                           .until_ms = sqlite3_column_int64(s, 1),
                                           .why = rows_get_text(s, 2)};
        on_rest(context, &rest);
    }
    return err->kind == ERR_NONE;
}
