// SPDX-License-Identifier: BSD-2-Clause
/* disk_notices.c - A disk that has only what is kept for outcomes (segments.h) refuses new mail:
 * that is said once when it begins and once when it is over, however long it lasts, and however
 * often new mail takes what has just become free.
 *
 *   has room ── only what is kept ──▶ full ── twice as much ──▶ has room
 *
 * A row that cannot be written on the full disk is owed; its end is written behind it.
 */
#include "disk_notices.h"

#include "audit.h"
#include "db.h"
#include "log.h"
#include "segments.h"

#include <stdio.h>

enum { LOOK_MS = 1000, TELL_MS = 3600 * 1000 };

static const char kind[] = "disk_full";

static bool write_down(struct database *db, const char *state_dir, const char *text)
{
    struct err err = {0};
    bool ok = rows_simple(db, SQL_BEGIN, &err) &&
              database_note(db, AUDIT_RELAY, kind, state_dir, text, &err) &&
              rows_simple(db, SQL_COMMIT, &err);
    if (!ok)
        rows_rollback(db);
    if (err.kind != ERR_FULL) /* that is what is to be told: it is tried again */
        log_fault("housekeeping_failed", &err);
    return ok;
}

/* The wall clock may be set back. */
static bool is_over(int64_t since_ms, int64_t ms, int64_t now_ms)
{
    return since_ms == 0 || now_ms < since_ms || now_ms - since_ms >= ms;
}

static void begin(struct disk_notices *n, const char *state_dir, int64_t now_ms)
{
    n->full = true;
    n->why = (struct err){0};
    segments_disk_fault(state_dir, &n->why);
    log_event(LOG_ERROR, kind, "reply", n->why.text);
    n->told = n->owed = n->owed || is_over(n->told_ms, TELL_MS, now_ms);
    n->owed_end = false;
    if (n->told)
        n->told_ms = now_ms;
}

static const char has_room[] = "the disk has room again: new mail is taken";

static void end(struct disk_notices *n)
{
    n->full = false;
    n->owed_end = n->told;
    log_event(LOG_WARN, "disk_has_room", "reply", has_room);
}

static void look(struct disk_notices *n, const char *state_dir, int64_t now_ms)
{
    struct store_disk disk;
    if (!segments_disk(state_dir, &disk))
        return;
    if (!n->full && disk.free_bytes <= disk.kept_bytes)
        begin(n, state_dir, now_ms);
    else if (n->full && disk.free_bytes / 2 >= disk.kept_bytes)
        end(n);
}

void disk_notices_look(struct disk_notices *n, const char *state_dir, struct database *db,
                       int64_t now_ms)
{
    if (now_ms < n->next_ms && n->next_ms - now_ms <= LOOK_MS)
        return;
    n->next_ms = now_ms + LOOK_MS;
    look(n, state_dir, now_ms);
    if (n->owed)
        n->owed = !write_down(db, state_dir, n->why.text);
    if (n->owed_end && !n->owed)
        n->owed_end = !write_down(db, state_dir, has_room);
}
