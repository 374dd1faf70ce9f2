// SPDX-License-Identifier: BSD-2-Clause
/* tlsrpt_reports.c - TLS reports as rows: which are due, what they tell, what became of them. */
#include "tlsrpt_reports.h"

#include "db.h"

#include <stdio.h>
#include <string.h>

enum { REPORTS_KEPT_DAYS = 7, BAD_DAYS_MAX = 3, PAUSE_DAYS = 7, BAD_PLACES_MAX = 1000 };

const char *tlsrpt_state_name(enum tlsrpt_state state)
{
    static const char *const names[TLSRPT_STATES] = {[TLSRPT_COUNTING] = "counting",
                                                     [TLSRPT_QUEUED] = "queued",
                                                     [TLSRPT_SENT] = "sent",
                                                     [TLSRPT_DROPPED] = "dropped"};
    return names[state];
}

static bool read_all(struct database *db, struct rows *s, database_on_tlsrpt *on_entry,
                     void *context, struct err *err)
{
    while (rows_next(db, s, err)) {
        struct tlsrpt_entry e = {.day = rows_get_int(s, 0),
                                 .state = (enum tlsrpt_state)(rows_get_int(s, 3) & 3),
                                 .due_ms = rows_get_int(s, 4),
                                 .first_ms = rows_get_int(s, 5),
                                 .tries = (unsigned)rows_get_int(s, 6),
                                 .failed = (unsigned)rows_get_int(s, 7),
                                 .place = (unsigned)rows_get_int(s, 8),
                                 .message = rows_get_int(s, 9),
                                 .ended_ms = rows_get_int(s, 11),
                                 .ok = rows_get_int(s, 12),
                                 .bad = rows_get_int(s, 13)};
        rows_copy_text(s, 1, e.domain, sizeof(e.domain));
        rows_copy_text(s, 2, e.tenant, sizeof(e.tenant));
        rows_copy_text(s, 10, e.uri, sizeof(e.uri));
        rows_copy_text(s, 14, e.why, sizeof(e.why));
        on_entry(context, &e);
    }
    return err->kind == ERR_NONE;
}

bool database_tlsrpt_due(struct database *db, int64_t now_ms, char busy[TLSRPT_BUSY][64],
                         int64_t limit, database_on_tlsrpt *on_entry, void *context,
                         struct err *err)
{
    struct rows *s =
        ROWS(db, SQL_TLSRPT_DUE, INT(now_ms), INT(limit), TEXT(busy[0]), TEXT(busy[1]));
    return read_all(db, s, on_entry, context, err);
}

bool database_tlsrpt_list(struct database *db, int64_t day, const char *domain, bool pending,
                          int64_t limit, database_on_tlsrpt *on_entry, void *context,
                          struct err *err)
{
    struct rows *s = ROWS(db, SQL_TLSRPT_LIST, INT(day), TEXT(domain), INT(pending), INT(limit));
    return read_all(db, s, on_entry, context, err);
}

bool database_tlsrpt_counts(struct database *db, int64_t day, const char *domain,
                            struct tlsrpt_gather *g, struct err *err)
{
    struct rows *s = ROWS(db, SQL_TLSRPT_COUNTS, INT(day), TEXT(domain));
    while (rows_next(db, s, err)) {
        const struct tlsrpt_count count = {.policy = rows_get_text(s, 0),
                                           .result = rows_get_text(s, 1),
                                           .sending_ip = rows_get_text(s, 2),
                                           .mx_host = rows_get_text(s, 3),
                                           .mx_helo = rows_get_text(s, 4),
                                           .receiving_ip = rows_get_text(s, 5),
                                           .reason = rows_get_text(s, 6),
                                           .sessions = rows_get_int(s, 7)};
        tlsrpt_gather_add(g, &count);
    }
    return err->kind == ERR_NONE;
}

bool database_tlsrpt_forget(struct database *db, int64_t day, const char *domain, struct err *err)
{
    return rows_run(db, ROWS(db, SQL_TLSRPT_FORGET_POLICIES, INT(day), TEXT(domain)), err) &&
           rows_run(db, ROWS(db, SQL_TLSRPT_FORGET_COUNTS, INT(day), TEXT(domain)), err);
}

bool database_tlsrpt_mark(struct database *db, const struct tlsrpt_entry *e, struct err *err)
{
    struct rows *s =
        ROWS(db, SQL_TLSRPT_MARK, INT(e->day), TEXT(e->domain), INT(e->state), INT(e->due_ms),
             INT(e->first_ms), INT(e->tries), INT(e->failed), INT(e->place), INT(e->message),
             TEXT(e->uri), INT(e->ended_ms), INT(e->ok), INT(e->bad), TEXT(e->why));
    if (!rows_run(db, s, err))
        return false;
    if (rows_changes(db) == 0)
        return err_set(err, ERR_NOT_FOUND, "the report is not waiting");
    if (e->state != TLSRPT_SENT && e->state != TLSRPT_DROPPED)
        return true;
    return database_tlsrpt_forget(db, e->day, e->domain, err);
}

bool database_tlsrpt_unwanted(struct database *db, int64_t day, const char *domain, struct err *err)
{
    return rows_run(db, ROWS(db, SQL_TLSRPT_GIVE_BACK, INT(day), TEXT(domain)), err) &&
           database_tlsrpt_forget(db, day, domain, err) &&
           rows_run(db, ROWS(db, SQL_TLSRPT_FORGET_REPORT, INT(day), TEXT(domain)), err);
}

bool database_tlsrpt_sweep(struct database *db, int64_t now_ms, int64_t *late_r, struct err *err)
{
    const int64_t today = now_ms / TLSRPT_DAY_MS;
    const int64_t first = today - TLSRPT_DAYS_KEPT;
    struct rows *s = ROWS(db, SQL_TLSRPT_LATE, INT(first), INT(now_ms),
                          TEXT("the relay has not come to it in two days"), INT(now_ms));
    if (!rows_run(db, s, err))
        return false;
    *late_r = rows_changes(db);
    return rows_run(db, ROWS(db, SQL_TLSRPT_SWEEP_COUNTS, INT(first)), err) &&
           rows_run(db, ROWS(db, SQL_TLSRPT_SWEEP_SHARES, INT(first)), err) &&
           rows_run(db, ROWS(db, SQL_TLSRPT_SWEEP_POLICIES, INT(first)), err) &&
           rows_run(db, ROWS(db, SQL_TLSRPT_SWEEP_REPORTS, INT(today - REPORTS_KEPT_DAYS)), err) &&
           rows_run(db, ROWS(db, SQL_TLSRPT_SWEEP_PLACES, INT(today - 2 * PAUSE_DAYS)), err);
}

/* ---- places ---- */

struct standing {
    int64_t bad_day, bad_days, until_ms;
};

static bool read_place(struct database *db, const struct tlsrpt_place *place, struct standing *p,
                       struct err *err)
{
    struct rows *s = ROWS(db, SQL_TLSRPT_PLACE, TEXT(place->domain), TEXT(place->uri));
    *p = (struct standing){.bad_day = -1};
    while (rows_next(db, s, err))
        *p = (struct standing){rows_get_int(s, 0), rows_get_int(s, 1), rows_get_int(s, 2)};
    return err->kind == ERR_NONE;
}

bool database_tlsrpt_paused(struct database *db, const struct tlsrpt_place *place, int64_t now_ms,
                            bool *paused_r, struct err *err)
{
    struct standing p;
    bool ok = read_place(db, place, &p, err);
    /* a clock that was wrong once does not pause it for longer */
    *paused_r = ok && p.until_ms > now_ms && p.until_ms <= now_ms + PAUSE_DAYS * TLSRPT_DAY_MS;
    return ok;
}

bool database_tlsrpt_place(struct database *db, const struct tlsrpt_place *place, bool good,
                           int64_t now_ms, bool *paused_r, struct err *err)
{
    const int64_t today = now_ms / TLSRPT_DAY_MS;
    struct standing p;
    *paused_r = false;
    if (good)
        return rows_run(db, ROWS(db, SQL_TLSRPT_PLACE_GOOD, TEXT(place->domain), TEXT(place->uri)),
                        err);
    if (!read_place(db, place, &p, err) || p.bad_day == today)
        return err->kind == ERR_NONE;
    p.bad_days = p.until_ms > 0 ? 1 : p.bad_days + 1; /* after a pause it is given new chances */
    bool pause = p.bad_days >= BAD_DAYS_MAX;
    p.until_ms = pause ? now_ms + PAUSE_DAYS * TLSRPT_DAY_MS : 0;
    struct rows *s = ROWS(db, SQL_TLSRPT_PLACE_BAD, TEXT(place->domain), TEXT(place->uri),
                          INT(today), INT(p.bad_days), INT(p.until_ms), INT(BAD_PLACES_MAX));
    if (!rows_run(db, s, err))
        return false;
    *paused_r = pause && rows_changes(db) > 0;
    return true;
}
