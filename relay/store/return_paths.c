// SPDX-License-Identifier: BSD-2-Clause
/* return_paths.c - Who has got mail with a return path of its own, and what comes back of it.
 *
 *   delivered - a row - (its message ends) - something comes back: an event, once of each kind, and
 *   perhaps an entry of the suppression list, together - its day is over: the row is swept
 *
 * What comes back while the message is still there finds its recipient, and makes the row then.
 */
#include "return_paths.h"

#include "came_back.h"
#include "clock.h"
#include "db.h"
#include "events.h"
#include "last_answers.h"
#include "log.h"
#include "message_ids.h"
#include "suppress.h"
#include "suppressions.h"

#include <stdio.h>
#include <string.h>

enum { RETURN_PATHS_DAYS = 14 }; /* what comes back is taken for so long at least: see the rows */

static const int64_t day_ms = INT64_C(24) * 3600 * 1000;

/* Counted with what it takes of the disk, for as long as it lives, which is longer than events. */
static bool add_row(struct database *db, const struct returns_subject *of, const char *site,
                    int64_t now_ms, struct err *err)
{
    int64_t bytes = 0;
    char tenant[64] = "";
    struct rows *s = ROWS(db, SQL_RETURN_PATH_ADD, INT(of->message), INT(of->number), TEXT(site),
                          INT(now_ms / day_ms), INT(SHARES_DAYS));
    while (rows_next(db, s, err)) {
        bytes = rows_get_int(s, 0);
        rows_copy_text(s, 1, tenant, sizeof(tenant));
    }
    if (err->kind == ERR_NONE && bytes > 0)
        shares_add_event(&db->shares, tenant, bytes, now_ms);
    return err->kind == ERR_NONE;
}

/* It may be there already, if something has come back before this is settled. */
bool return_paths_keep(struct database *db, const struct store_outcome *o, int64_t now_ms,
                       struct err *err)
{
    const struct returns_subject of = {.message = o->message, .number = o->number};
    return add_row(db, &of, o->site, now_ms, err) &&
           rows_run(db,
                    ROWS(db, SQL_RETURN_PATH_SITE, INT(of.message), INT(of.number), TEXT(o->site)),
                    err);
}

/* A message's number begins with its time, and its rows are there for fourteen days at least: what
 * is younger cannot be over, and is passed over. What is numbered in the future was made when the
 * clock was wrong, and may be. */
static bool sweep_step(struct database *db, int64_t now_ms, struct err *err)
{
    const int64_t old = message_ids_at(now_ms - RETURN_PATHS_DAYS * day_ms);
    const int64_t ahead = message_ids_at(now_ms + RETURN_PATHS_DAYS * day_ms);
    int64_t from = db->return_paths_swept;
    int64_t last = 0;
    if (from < old &&
        !rows_run_int(db, ROWS(db, SQL_RETURN_PATHS_AFTER, INT(from), INT(old)), &last, err))
        return false;
    if (last == 0) {
        from = from > ahead ? from : ahead;
        if (!rows_run_int(db, ROWS(db, SQL_RETURN_PATHS_AFTER, INT(from), INT(INT64_MAX)), &last,
                          err))
            return false;
    }
    db->return_paths_swept = last;
    return last == 0 ||
           rows_run(db,
                    ROWS(db, SQL_RETURN_PATHS_FORGET, INT(from), INT(last), INT(now_ms / day_ms)),
                    err);
}

bool return_paths_sweep(struct database *db, int64_t now_ms)
{
    struct err err = {0};
    if (!sweep_step(db, now_ms, &err))
        db->return_paths_swept = 0;
    log_fault("housekeeping_failed", &err);
    return db->return_paths_swept != 0;
}

/* ---- what comes back ---- */

/* Whom it is about, as it was sent. */
struct recipient {
    bool found;
    char address[ADDRESS_MAX + 1], tenant[64], stream[64], credential[ADDRESS_MAX + 1];
    char sender[ADDRESS_MAX + 1], site[64], author[ADDRESS_DOMAIN_MAX + 1];
    unsigned told;
};

static bool look(struct database *db, const struct came_back *c, struct recipient *r,
                 struct err *err)
{
    const struct returns_subject *of = &c->subject;
    struct rows *s =
        ROWS(db, SQL_RETURN_PATH, INT(of->message), INT(of->number), INT(clock_now_ms() / day_ms));
    *r = (struct recipient){0};
    while (rows_next(db, s, err)) {
        r->found = true;
        rows_copy_text(s, 0, r->address, sizeof(r->address));
        rows_copy_text(s, 1, r->tenant, sizeof(r->tenant));
        rows_copy_text(s, 2, r->stream, sizeof(r->stream));
        rows_copy_text(s, 3, r->credential, sizeof(r->credential));
        rows_copy_text(s, 4, r->sender, sizeof(r->sender));
        rows_copy_text(s, 5, r->site, sizeof(r->site));
        r->told = (unsigned)rows_get_int(s, 6);
        rows_copy_text(s, 7, r->author, sizeof(r->author));
    }
    return err->kind == ERR_NONE;
}

/* Before it is settled there is no row. */
static bool is_soon(struct database *db, const struct came_back *c, bool *soon_r, struct err *err)
{
    int64_t one = 0;
    bool ok = rows_run_int(
        db, ROWS(db, SQL_RETURN_PATH_SOON, INT(c->subject.message), INT(c->subject.number)), &one,
        err);
    *soon_r = one != 0;
    return ok;
}

bool database_awaits_return(struct database *db, void *context, struct err *err)
{
    struct came_back *c = context;
    struct recipient r;
    bool soon = false;
    if (!look(db, c, &r, err) || (!r.found && !is_soon(db, c, &soon, err)))
        return false;
    c->result = r.found || soon ? CAME_BACK_NOTHING : CAME_BACK_UNKNOWN;
    memcpy(c->tenant, r.tenant, sizeof(c->tenant));
    return true;
}

static bool find(struct database *db, const struct came_back *c, struct recipient *r,
                 struct err *err)
{
    bool soon = false;
    if (!look(db, c, r, err) || (!r->found && !is_soon(db, c, &soon, err)))
        return false;
    if (!soon)
        return true;
    return add_row(db, &c->subject, "", clock_now_ms(), err) && look(db, c, r, err);
}

/* In `told`: it was returned, and why speaks of the recipient. A report that does not say so much
 * keeps no other from being heard. */
enum { TOLD_WHY = 1U << RETURNS_EVENTS };

static unsigned bits_of(const struct returns_fate *fate)
{
    bool why = fate->event == RETURNS_EVENT_RETURNED && fate->judgement && fate->suppress_after > 0;
    return 1U << fate->event | (why ? TOLD_WHY : 0);
}

static bool note(struct database *db, const struct came_back *c, const struct recipient *r,
                 const struct returns_fate *fate, int64_t now_ms, struct err *err)
{
    const struct returns_judgement *j = fate->judgement;
    const struct database_event event = {.at_ms = now_ms,
                                         .kind = returns_event_name(fate->event),
                                         .message = c->subject.message,
                                         .recipient = r->address,
                                         .code = j ? j->answer.code : 0,
                                         .enhanced = j ? j->answer.enhanced : "",
                                         .reply = j ? j->answer.text : "",
                                         .remote = "",
                                         .credential = r->credential,
                                         .sender = r->sender,
                                         .tenant = r->tenant,
                                         .stream = r->stream,
                                         .number = c->subject.number,
                                         .category =
                                             j ? reply_category_name(j->reply.category) : NULL,
                                         .rule = j ? j->reply.rule : NULL};
    return rows_run(db,
                    ROWS(db, SQL_RETURN_PATH_TOLD, INT(c->subject.message), INT(c->subject.number),
                         INT(bits_of(fate))),
                    err) &&
           rows_event(db, &event, err);
}

/* Where it went is not known before its attempt is settled: then its domain stands for that. */
static const char *site_of(const struct recipient *r)
{
    const char *at = strrchr(r->address, '@');
    return r->site[0] || !at ? r->site : at + 1;
}

/* As a refusal that the relay hears itself, unless it may be about us. */
static bool heed_bounce(struct database *db, const struct came_back *c, const struct recipient *r,
                        const struct returns_fate *fate, int64_t now_ms, struct err *err)
{
    const struct suppress_sides sides = {.sender = span_of(c->sender),
                                         .from_domain = span_of(r->author),
                                         .hostname = span_of(c->hostname),
                                         .recipient = span_of(r->address),
                                         .ips = c->ips,
                                         .ip_count = c->ip_count};
    struct reply_judgement reply = fate->judgement->reply;
    reply.suppress_after = fate->suppress_after;
    const struct last_answer a = {.tenant = r->tenant,
                                  .address = r->address,
                                  .site = site_of(r),
                                  .source = "return path",
                                  .returned = true,
                                  .needed =
                                      suppress_after(&reply, &fate->judgement->answer, &sides),
                                  .suppress_ms = suppress_for_ms(reply.category, c->suppress_days)};
    return a.needed == 0 || last_answers_heed(db, &a, now_ms, err);
}

static bool heed_complaint(struct database *db, const struct recipient *r, int64_t now_ms,
                           struct err *err)
{
    struct suppress_entry e = {
        .reason = SUPPRESS_COMPLAINT, .source = "return path", .created_ms = now_ms};
    bool changed = false;
    snprintf(e.address, sizeof(e.address), "%s", r->address);
    snprintf(e.tenant, sizeof(e.tenant), "%s", r->tenant);
    db->revised = true;
    return database_suppress(db, &e, now_ms, &changed, err);
}

static bool heed(struct database *db, const struct came_back *c, const struct recipient *r,
                 const struct returns_fate *fate, int64_t now_ms, struct err *err)
{
    switch (fate->event) {
    case RETURNS_EVENT_RETURNED:
        return !fate->judgement || heed_bounce(db, c, r, fate, now_ms, err);
    case RETURNS_EVENT_COMPLAINED:
        return heed_complaint(db, r, now_ms, err);
    case RETURNS_EVENT_NOTHING:
    case RETURNS_EVENT_AUTO_REPLIED:
    case RETURNS_EVENT_LATE_DELAY:
    case RETURNS_EVENTS:
        return true;
    }
    UNREACHABLE();
}

bool database_came_back(struct database *db, void *context, struct err *err)
{
    struct came_back *c = context;
    struct recipient r;
    int64_t now_ms = clock_now_ms();
    if (!find(db, c, &r, err))
        return false;
    c->result = CAME_BACK_UNKNOWN;
    if (!r.found)
        return true;
    const struct returns_fate fate = returns_claims_about(&c->claims, r.address);
    c->event = fate.event;
    snprintf(c->recipient, sizeof(c->recipient), "%s", r.address);
    snprintf(c->category, sizeof(c->category), "%s",
             fate.judgement ? reply_category_name(fate.judgement->reply.category) : "");
    c->result = fate.event == RETURNS_EVENT_NOTHING ? CAME_BACK_NOTHING
                : bits_of(&fate) & ~r.told          ? CAME_BACK_NOTED
                                                    : CAME_BACK_AGAIN;
    return c->result != CAME_BACK_NOTED ||
           (note(db, c, &r, &fate, now_ms, err) && heed(db, c, &r, &fate, now_ms, err));
}
