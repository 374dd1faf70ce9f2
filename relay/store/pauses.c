// SPDX-License-Identifier: BSD-2-Clause
/* pauses.c - Mail that waits as some was refused: a row for each pause, until it is over. */
#include "pauses.h"

#include "db.h"

enum { PAUSES_MAX = 500 };

bool database_keep_pause(struct database *db, const struct queue_pause *pause, struct err *err)
{
    const char *kind = queue_pause_kind_name(pause->kind);
    if (pause->state == QUEUE_PAUSE_OVER)
        return rows_run(db,
                        ROWS(db, SQL_PAUSE_DROP, TEXT(pause->destination), TEXT(pause->tenant),
                             TEXT(pause->domain), TEXT(kind), TEXT(pause->about)),
                        err);
    struct rows *s = ROWS(db, SQL_PAUSE_SET, TEXT(pause->destination), TEXT(pause->tenant),
                          TEXT(pause->domain), TEXT(kind), TEXT(pause->about), TEXT(pause->row),
                          TEXT(pause->why), INT(pause->state == QUEUE_PAUSE_GROWS),
                          INT(pause->since_ms), INT(pause->until_ms), INT(pause->for_ms));
    return rows_run(db, s, err);
}

bool database_sweep_pauses(struct database *db, int64_t since_ms, struct err *err)
{
    return rows_run(db, ROWS(db, SQL_PAUSE_SWEEP, INT(since_ms)), err) &&
           rows_run(db, ROWS(db, SQL_PAUSE_SHARE, INT(PAUSES_MAX)), err);
}

bool database_pauses(struct database *db, int64_t since_ms, queue_on_pause *on_pause, void *context,
                     struct err *err)
{
    struct rows *s = ROWS(db, SQL_PAUSES, INT(since_ms));
    while (rows_next(db, s, err)) {
        struct queue_pause pause = {.destination = rows_get_text(s, 0),
                                    .tenant = rows_get_text(s, 1),
                                    .domain = rows_get_text(s, 2),
                                    .about = rows_get_text(s, 4),
                                    .row = rows_get_text(s, 5),
                                    .why = rows_get_text(s, 6),
                                    .state = rows_get_int(s, 7) != 0 ? QUEUE_PAUSE_GROWS
                                                                     : QUEUE_PAUSE_RESTS,
                                    .since_ms = rows_get_int(s, 8),
                                    .until_ms = rows_get_int(s, 9),
                                    .for_ms = rows_get_int(s, 10)};
        if (queue_pause_kind_of(rows_get_text(s, 3), &pause.kind))
            on_pause(context, &pause);
    }
    return err->kind == ERR_NONE;
}
