// SPDX-License-Identifier: BSD-2-Clause
/* housekeeping.c - What the store's thread does between batches: forget old events, copy the few
 * messages that keep a large segment alive. A shard that has just read the old place finds the
 * segment gone, reads the row again and sees the new one.
 */
#include "housekeeping.h"

#include "rows.h"
#include "spool.h"

static const int64_t history_ms = INT64_C(7) * 24 * 3600 * 1000;

/* Copy what lives in a mostly dead segment, so that it can be unlinked. */
static void compact(const char *state_dir, struct database *db, struct segments *segments)
{
    struct err err = {0};
    int64_t sparse = segments_sparse(segments);
    struct mail_place places[64];
    int64_t ids[64];
    struct spool_message messages[64];
    size_t count = 0;
    if (sparse == 0)
        return;
    sqlite3_stmt *s = rows_prepare(db, SQL_PLACE_IN);
    rows_int(s, 1, sparse);
    while (count < COUNT_OF(places) && rows_next(db, s, &err)) {
        ids[count] = sqlite3_column_int64(s, 0);
        places[count] = (struct mail_place){sqlite3_column_int64(s, 1), sqlite3_column_int64(s, 2),
                                            sqlite3_column_int64(s, 3)};
        if (spool_open(state_dir, ids[count], &places[count], &messages[count], &err) &&
            messages[count].head.len == messages[count].length)
            count++;
    }
    sqlite3_reset(s);
    struct mail_place moved[COUNT_OF(places)];
    for (size_t i = 0; i < count; i++)
        segments_add(segments, ids[i], buf_span(&messages[i].head), &moved[i]);
    bool ok = segments_sync(segments, &err) && rows_simple(db, SQL_BEGIN, &err);
    for (size_t i = 0; ok && i < count; i++) {
        s = rows_prepare(db, SQL_MOVE);
        rows_int(s, 1, ids[i]);
        rows_int(s, 2, moved[i].segment);
        rows_int(s, 3, moved[i].offset);
        ok = rows_run(db, s, &err);
    }
    ok = ok && rows_simple(db, SQL_COMMIT, &err);
    for (size_t i = 0; i < count; i++) {
        spool_close(&messages[i]);
        if (ok)
            segments_keep(segments, &moved[i]);
        if (ok)
            segments_release(segments, &places[i]);
    }
    segments_sweep(segments);
}

bool housekeeping_run(const char *state_dir, struct database *db, struct segments *segments,
                      int64_t now_ms)
{
    struct err err = {0};
    sqlite3_stmt *s = rows_prepare(db, SQL_FORGET_EVENTS);
    rows_int(s, 1, now_ms - history_ms);
    bool more = rows_run(db, s, &err) && sqlite3_changes(db->handle) > 0;
    compact(state_dir, db, segments);
    return more;
}
