// SPDX-License-Identifier: BSD-2-Clause
/* compaction.c - One pass goes over the messages in the order of their ids, a few at each step, and
 * copies those that lie in a chosen segment to the one being written. A shard that has just read
 * the old place finds the segment gone, reads the row again and sees the new one.
 *
 * A record is copied as it lies there, with its checksum: a damaged one stays damaged, and is held
 * when it is delivered (C4), but keeps no segment.
 *
 * Failure modes:
 * - a record cannot be read, or its file is gone: its segment is left as it is, the others go on
 * - the copies cannot be written or committed: nothing has changed, the next pass begins anew
 */
#include "compaction.h"

#include "db.h"
#include "log.h"
#include "spool_record.h"

#include <stdlib.h>

/* What a step costs those who wait for their 250. */
enum { ROWS_MAX = 5000, MOVES_MAX = 64, BYTES_MAX = 4 * 1024 * 1024 };

/* Messages that are being copied to another segment. */
struct moves {
    size_t count;
    int64_t bytes;
    struct {
        int64_t id;
        struct mail_place from, to;
        struct buf record;
    } items[MOVES_MAX];
};

/* Up to as many as a step takes. `rows_r`: how many were looked at. */
static bool collect(struct compaction *c, struct database *db, struct segments *segments,
                    struct moves *m, int *rows_r, struct err *err)
{
    struct rows *s = ROWS(db, SQL_PLACES_FROM, INT(c->seen), INT(ROWS_MAX));
    *rows_r = 0;
    while (m->count < MOVES_MAX && m->bytes < BYTES_MAX && rows_next(db, s, err)) {
        const struct mail_place place = {rows_get_int(s, 1), rows_get_int(s, 2),
                                         rows_get_int(s, 3)};
        c->seen = rows_get_int(s, 0);
        (*rows_r)++;
        if (!segments_is_chosen(segments, place.segment))
            continue;
        m->items[m->count].id = c->seen;
        m->items[m->count++].from = place;
        m->bytes += place.length;
    }
    rows_reset(s);
    return err->kind == ERR_NONE;
}

/* Those that cannot be read stay. */
static void read_records(const char *state_dir, struct segments *segments, struct moves *m)
{
    size_t count = 0;
    for (size_t i = 0; i < m->count; i++) {
        struct err err = {0};
        struct buf record;
        buf_init_peer(&record, SIZE_MAX / 2);
        if (spool_read(state_dir, &m->items[i].from, &record, &err)) {
            m->items[count] = m->items[i];
            m->items[count++].record = record;
            continue;
        }
        buf_fini(&record);
        segments_leave(segments, m->items[i].from.segment);
        log_event(LOG_ERROR, "segment_unreadable", "reply", err.text);
    }
    m->count = count;
}

static bool write_rows(struct database *db, const struct moves *m, struct err *err)
{
    bool ok = rows_simple(db, SQL_BEGIN, err);
    for (size_t i = 0; ok && i < m->count; i++) {
        struct rows *s = ROWS(db, SQL_MOVE, INT(m->items[i].id), INT(m->items[i].to.segment),
                              INT(m->items[i].to.offset));
        ok = rows_run(db, s, err);
    }
    if (ok && rows_simple(db, SQL_COMMIT, err))
        return true;
    rows_rollback(db);
    return false;
}

static bool move_all(struct database *db, struct segments *segments, struct moves *m,
                     struct err *err)
{
    for (size_t i = 0; i < m->count; i++)
        segments_copy(segments, buf_span(&m->items[i].record), &m->items[i].to);
    if (!segments_sync(segments, err) || !write_rows(db, m, err))
        return false;
    for (size_t i = 0; i < m->count; i++) {
        segments_keep(segments, &m->items[i].to);
        segments_release(segments, &m->items[i].from);
    }
    segments_sweep(segments);
    return true;
}

bool compaction_step(struct compaction *c, const char *state_dir, struct database *db,
                     struct segments *segments)
{
    struct err err = {0};
    int rows = 0;
    if (!c->under_way && !segments_choose(segments))
        return false;
    struct moves *m = xcalloc(1, sizeof(*m));
    bool full = false;
    bool ok = collect(c, db, segments, m, &rows, &err);
    if (ok) {
        full = m->count == MOVES_MAX || m->bytes >= BYTES_MAX;
        read_records(state_dir, segments, m);
        ok = m->count == 0 || move_all(db, segments, m, &err);
        for (size_t i = 0; i < m->count; i++)
            buf_fini(&m->items[i].record);
    }
    free(m);
    if (!ok)
        log_event(LOG_ERROR, "compaction_failed", "reply", err.text);
    c->under_way = ok && (full || rows == ROWS_MAX);
    if (!c->under_way)
        c->seen = 0;
    return c->under_way;
}
