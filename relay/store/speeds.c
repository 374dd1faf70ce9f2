// SPDX-License-Identifier: BSD-2-Clause
/* speeds.c - How fast destinations take mail: a row for each that is slowed, until that is
 * forgotten. */
#include "speeds.h"

#include "db.h"

enum { SPEEDS_MAX = 500 };
static const double parts = 1000;

static int64_t in_parts(double level)
{
    return (int64_t)(level * parts + 0.5);
}

bool database_keep_speed(struct database *db, const struct queue_speed *speed, struct err *err)
{
    if (speed->level == 0)
        return rows_run(db, ROWS(db, SQL_SPEED_DROP, TEXT(speed->destination)), err);
    struct rows *s =
        ROWS(db, SQL_SPEED_SET, TEXT(speed->destination), TEXT(speed->tenant), TEXT(speed->why),
             INT(in_parts(speed->level)), INT(in_parts(speed->good)), INT(in_parts(speed->bad)),
             INT(in_parts(speed->before)), INT(speed->closed), INT(speed->hold_for_ms),
             INT(speed->since_ms), INT(speed->refused_ms));
    return rows_run(db, s, err);
}

bool database_sweep_speeds(struct database *db, int64_t since_ms, struct err *err)
{
    return rows_run(db, ROWS(db, SQL_SPEED_SWEEP, INT(since_ms)), err) &&
           rows_run(db, ROWS(db, SQL_SPEED_SHARE, INT(SPEEDS_MAX)), err);
}

bool database_speeds(struct database *db, int64_t since_ms, queue_on_speed *on_speed, void *context,
                     struct err *err)
{
    struct rows *s = ROWS(db, SQL_SPEEDS, INT(since_ms));
    while (rows_next(db, s, err)) {
        const struct queue_speed speed = {.destination = rows_get_text(s, 0),
                                          .tenant = rows_get_text(s, 1),
                                          .why = rows_get_text(s, 2),
                                          .level = (double)rows_get_int(s, 3) / parts,
                                          .good = (double)rows_get_int(s, 4) / parts,
                                          .bad = (double)rows_get_int(s, 5) / parts,
                                          .before = (double)rows_get_int(s, 6) / parts,
                                          .closed = rows_get_int(s, 7) != 0,
                                          .hold_for_ms = rows_get_int(s, 8),
                                          .since_ms = rows_get_int(s, 9),
                                          .refused_ms = rows_get_int(s, 10)};
        on_speed(context, &speed);
    }
    return err->kind == ERR_NONE;
}
