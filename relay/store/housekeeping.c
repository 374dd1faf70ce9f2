// SPDX-License-Identifier: BSD-2-Clause
/* housekeeping.c - What the store's thread does between batches: forget old events and counts, copy
 * what lives in mostly dead segments. Everything in steps so small that no 250 waits for them.
 */
#include "housekeeping.h"

#include "check.h"
#include "clock.h"
#include "db.h"
#include "event_shares.h"
#include "events.h"
#include "log.h"
#include "new_recipients.h"
#include "outbox.h"
#include "return_paths.h"
#include "sent.h"
#include "share_notices.h"
#include "shares.h"
#include "sweep.h"
#include "top_talkers.h"

#include <assert.h>

enum {
    STEP_MS = 200,        /* while there is more to forget or to copy */
    PAUSE_MS = 10 * 1000, /* when there was not */
    SWEEP_SOON_MS = 1000, /* the same of counts and the like */
    SWEEP_MS = 10 * 60 * 1000
};

static const int64_t history_ms = INT64_C(7) * 24 * 3600 * 1000;

/* What a thousand of the oldest events are. */
struct oldest {
    bool old;      /* some are too old */
    int64_t last;  /* the last of them */
    int64_t apart; /* up to this one all are too old, or dated in the future */
};

static struct oldest look_at_oldest(struct database *db, int64_t passed, int64_t now_ms)
{
    struct err err = {0};
    struct oldest o = {.last = passed, .apart = passed};
    bool apart = true;
    struct rows *s = ROWS(db, SQL_OLDEST_EVENTS, INT(passed));
    while (rows_next(db, s, &err)) {
        int64_t at_ms = rows_get_int(s, 1);
        bool old = at_ms < now_ms - history_ms;
        apart = apart && (old || at_ms > now_ms + history_ms);
        o.old = o.old || old;
        o.last = rows_get_int(s, 0);
        o.apart = apart ? o.last : o.apart;
    }
    log_fault("housekeeping_failed", &err);
    return o;
}

/* What is not in the index is not counted yet. */
static bool index_up_to(struct database *db, int64_t last, struct err *err)
{
    int64_t up_to = 0;
    return rows_run_int(db, rows_prepare(db, SQL_INDEXED), &up_to, err) &&
           (last <= up_to || rows_index_all_events(db, err));
}

/* All or nothing: an id is given again when all events are forgotten, and what the index had of it
 * would be another message's. */
static bool delete_events(struct database *db, int64_t passed, int64_t last, int64_t before_ms,
                          struct err *err)
{
    bool ok =
        rows_simple(db, SQL_BEGIN, err) &&
        rows_run(db, ROWS(db, SQL_FORGET_INDEXED, INT(passed), INT(last), INT(before_ms)), err) &&
        rows_run(db, ROWS(db, SQL_FORGET_EVENTS, INT(passed), INT(last), INT(before_ms)), err) &&
        rows_simple(db, SQL_MEND_INDEXED, err) && rows_simple(db, SQL_COMMIT, err);
    if (!ok)
        rows_rollback(db);
    return ok;
}

/* Events are numbered as they happen: the old ones are the first, and no more are looked at. A
 * clock that is wrong now dates a whole history in the future, and must not end it; one that was
 * wrong once must not keep what comes behind: such events are passed over. True when there may be
 * more of them. */
static bool forget_events(struct housekeeping *h, struct database *db, int64_t now_ms)
{
    struct err err = {0};
    int64_t passed = h->passed;
    struct oldest o = look_at_oldest(db, passed, now_ms);
    h->passed = o.apart;
    if (!o.old)
        return o.apart > passed;
    bool ok = index_up_to(db, o.last, &err) &&
              delete_events(db, passed, o.last, now_ms - history_ms, &err);
    log_fault("housekeeping_failed", &err);
    return ok;
}

/* Rows of before; true when there may be more of them. */
static bool forget(struct database *db, enum sql sql, int64_t before_ms)
{
    struct rows *s = ROWS(db, sql, INT(before_ms));
    return sweep_rows(db, s);
}

static bool suppressions_sweep(struct database *db, int64_t now_ms)
{
    return forget(db, SQL_SUPPRESS_FORGET, now_ms);
}

static bool refused_sweep(struct database *db, int64_t now_ms)
{
    return top_talkers_sweep(db, now_ms - history_ms);
}

/* A step of each: true when there is more of it, which is no reason for the others to look. */
static bool (*const sweeps[])(struct database *, int64_t) = {suppressions_sweep,   sent_sweep,
                                                             new_recipients_sweep, outbox_sweep,
                                                             return_paths_sweep,   refused_sweep};
static_assert(COUNT_OF(sweeps) == HOUSEKEEPING_SWEEPS, "a due time for each");

/* By the wall clock, which may be set back. */
static bool is_due(int64_t due_ms, int64_t now_ms)
{
    return now_ms >= due_ms || due_ms - now_ms > SWEEP_MS;
}

static void sweep(struct housekeeping *h, struct database *db, int64_t now_ms)
{
    if (is_due(h->sweep_ms[0], now_ms))
        h->passed = 0; /* what was the future then may be old now */
    for (size_t i = 0; i < COUNT_OF(sweeps); i++)
        if (is_due(h->sweep_ms[i], now_ms))
            h->sweep_ms[i] = now_ms + (sweeps[i](db, now_ms) ? SWEEP_SOON_MS : SWEEP_MS);
}

void housekeeping_run(struct housekeeping *h, const char *state_dir, struct database *db,
                      struct segments *segments, int64_t now_ms)
{
    if (is_due(h->step_ms, now_ms)) {
        bool more = forget_events(h, db, now_ms);
        more = compaction_step(&h->compaction, state_dir, db, segments) || more;
        h->step_ms = now_ms + (more ? STEP_MS : PAUSE_MS);
    }
    if (is_due(h->shares_ms, now_ms)) {
        event_shares_save(db);
        h->shares_ms = now_ms + PAUSE_MS;
    }
    database_trim_cache(db);
    share_notices_tell(db, now_ms);
    outbox_tell_lost(db, now_ms);
    disk_notices_look(&h->disk, state_dir, db, now_ms);
    sweep(h, db, now_ms);
}

int64_t housekeeping_wait_ms(const struct housekeeping *h, int64_t now_ms)
{
    int64_t due_ms = h->step_ms;
    for (size_t i = 0; i < COUNT_OF(h->sweep_ms); i++)
        due_ms = h->sweep_ms[i] < due_ms ? h->sweep_ms[i] : due_ms;
    if (is_due(due_ms, now_ms))
        return 1;
    return due_ms - now_ms < PAUSE_MS ? due_ms - now_ms : PAUSE_MS;
}
