// SPDX-License-Identifier: BSD-2-Clause
/* housekeeping.c - What the store's thread does between batches: forget old events and counts, copy
 * the few messages that keep a large segment alive. A shard that has just read the old place finds
 * the segment gone, reads the row again and sees the new one.
 */
#include "housekeeping.h"

#include "log.h"
#include "newcomers.h"
#include "rates.h"
#include "repeats.h"
#include "spool.h"
#include "top.h"

#include <stdlib.h>

static const int64_t history_ms = INT64_C(7) * 24 * 3600 * 1000;

enum { MOVES_MAX = 64 };

/* Messages that are being copied to another segment. */
struct move {
    int64_t id;
    struct mail_place from, to;
    struct spool_message message;
};

/* Read up to MOVES_MAX messages of a segment; what is damaged stays where it is. */
static size_t read_segment(const char *state_dir, struct database *db, int64_t segment,
                           struct move *moves)
{
    struct err err = {0};
    size_t count = 0;
    sqlite3_stmt *s = rows_prepare(db, SQL_PLACE_IN);
    rows_int(s, 1, segment);
    while (count < MOVES_MAX && rows_next(db, s, &err)) {
        struct move *m = &moves[count];
        m->id = sqlite3_column_int64(s, 0);
        m->from = (struct mail_place){sqlite3_column_int64(s, 1), sqlite3_column_int64(s, 2),
                                      sqlite3_column_int64(s, 3)};
        if (!spool_open(state_dir, m->id, &m->from, &m->message, &err))
            continue;
        if (m->message.head.len == m->message.length)
            count++;
        else
            spool_close(&m->message);
    }
    log_fault("housekeeping_failed", &err);
    sqlite3_reset(s);
    return count;
}

static bool write_rows(struct database *db, const struct move *moves, size_t count)
{
    struct err err = {0};
    bool ok = rows_simple(db, SQL_BEGIN, &err);
    for (size_t i = 0; ok && i < count; i++) {
        sqlite3_stmt *s = rows_prepare(db, SQL_MOVE);
        rows_int(s, 1, moves[i].id);
        rows_int(s, 2, moves[i].to.segment);
        rows_int(s, 3, moves[i].to.offset);
        ok = rows_run(db, s, &err);
    }
    if (ok && rows_simple(db, SQL_COMMIT, &err))
        return true;
    log_fault("housekeeping_failed", &err);
    rows_rollback(db);
    return false;
}

/* Copy what lives in a mostly dead segment, so that it can be unlinked. */
static void compact(const char *state_dir, struct database *db, struct segments *segments)
{
    struct err err = {0};
    int64_t sparse = segments_sparse(segments);
    if (sparse == 0)
        return;
    struct move *moves = xcalloc(MOVES_MAX, sizeof(*moves));
    size_t count = read_segment(state_dir, db, sparse, moves);
    for (size_t i = 0; i < count; i++)
        segments_add(segments, moves[i].id, buf_span(&moves[i].message.head), &moves[i].to);
    bool moved = segments_sync(segments, &err) && write_rows(db, moves, count);
    log_fault("housekeeping_failed", &err);
    for (size_t i = 0; i < count; i++) {
        spool_close(&moves[i].message);
        if (moved) {
            segments_keep(segments, &moves[i].to);
            segments_release(segments, &moves[i].from);
        }
    }
    free(moves);
    segments_sweep(segments);
}

/* Rows of before; true when there may be more of them. */
static bool forget(struct database *db, enum sql sql, int64_t before_ms)
{
    sqlite3_stmt *s = rows_prepare(db, sql);
    rows_int(s, 1, before_ms);
    return rows_sweep(db, s);
}

bool housekeeping_run(const char *state_dir, struct database *db, struct segments *segments,
                      int64_t now_ms)
{
    bool more = forget(db, SQL_FORGET_EVENTS, now_ms - history_ms);
    more = forget(db, SQL_SUPPRESS_FORGET, now_ms) || more;
    more = rates_sweep(db, now_ms) || more;
    more = repeats_sweep(db, now_ms) || more;
    more = newcomers_sweep(db, now_ms) || more;
    more = top_sweep(db, now_ms - history_ms) || more;
    compact(state_dir, db, segments);
    return more;
}
