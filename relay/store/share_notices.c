// SPDX-License-Identifier: BSD-2-Clause
/* share_notices.c - Who has used up its share of what: counted where it is refused (shares.c), told
 * here, between batches. What was only counted of the events is told in an event, too: it counts as
 * told when that is committed.
 */
#include "share_notices.h"

#include "audit.h"
#include "clock.h"
#include "db.h"
#include "events.h"
#include "log.h"
#include "quota.h"
#include "shares.h"

#include <stdio.h>

enum { LOG_MS = 60 * 1000, WARN_MS = 3600 * 1000 };

static const char kind[] = "share_used_up";

/* By the wall clock, which may be set back. */
static bool is_over(int64_t since_ms, int64_t ms, int64_t now_ms)
{
    return since_ms == 0 || now_ms < since_ms || now_ms - since_ms >= ms;
}

static void describe(const struct share *s, enum database_share share, char *text_r, size_t size)
{
    static const char *const what[] = {
        [DATABASE_STORAGE] = "messages refused: mail in the queue takes",
        [DATABASE_WAITING] = "messages refused: recipients that wait take, of memory,",
        [DATABASE_EVENTS] = "messages are refused, or only counted when repeated: events take",
        [DATABASE_RECEIVING] = "messages refused while they came: those not finished take",
        [DATABASE_OUTBOX] = "times the oldest events went: those for webhooks take"};
    const struct share_refusals *r = &s->refused[share];
    snprintf(text_r, size, "%s: %u %s %lld KB, and may take %llu KB (%s)",
             database_share_name(share), r->count, what[share], (long long)(r->bytes / 1024),
             (unsigned long long)(r->limit / 1024), quota_setting(share, r->by_setting));
}

static bool write_down(struct database *db, const struct share *s, enum database_share share,
                       bool warn, const char *text, struct err *err)
{
    const struct database_event event = {.at_ms = clock_now_ms(),
                                         .kind = kind,
                                         .recipient = s->tenant,
                                         .enhanced = "",
                                         .reply = text,
                                         .remote = ""};
    if (!warn && share != DATABASE_EVENTS)
        return true;
    if (!rows_simple(db, SQL_BEGIN, err))
        return false;
    bool ok = warn ? database_note(db, AUDIT_RELAY, kind, s->tenant, text, err)
                   : rows_event(db, &event, err);
    if (!ok || !rows_simple(db, SQL_COMMIT, err))
        return false;
    shares_keep(&db->shares);
    return true;
}

static void tell(struct database *db, struct share *s, enum database_share share, int64_t now_ms)
{
    struct share_refusals *r = &s->refused[share];
    struct err err = {0};
    char text[300];
    bool warn = is_over(r->warned_ms, WARN_MS, now_ms);
    describe(s, share, text, sizeof(text));
    log_end(log_text(log_number(log_text(log_text(log_begin(LOG_WARN, kind), "tenant", s->tenant),
                                         "what", database_share_name(share)),
                                "count", r->count),
                     "reply", text));
    r->told_ms = now_ms;
    if (!write_down(db, s, share, warn, text, &err)) { /* with those of the next minute */
        rows_rollback(db);
        log_fault("housekeeping_failed", &err);
        return;
    }
    r->count = 0;
    if (warn)
        r->warned_ms = now_ms;
}

static void tell_all(struct database *db, bool at_once, int64_t now_ms)
{
    struct shares *sh = &db->shares;
    if (!sh->refusing)
        return;
    sh->refusing = false;
    for (struct share *s = sh->first; s; s = s->hh.next)
        for (unsigned k = 0; k < DATABASE_SHARES; k++) {
            bool due = at_once || is_over(s->refused[k].told_ms, LOG_MS, now_ms);
            if (s->refused[k].count > 0 && due)
                tell(db, s, (enum database_share)k, now_ms);
            sh->refusing = sh->refusing || s->refused[k].count > 0;
        }
}

void share_notices_tell(struct database *db, int64_t now_ms)
{
    tell_all(db, false, now_ms);
}

void share_notices_tell_last(struct database *db, int64_t now_ms)
{
    tell_all(db, true, now_ms);
}
