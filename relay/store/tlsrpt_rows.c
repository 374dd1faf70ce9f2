// SPDX-License-Identifier: BSD-2-Clause
/* tlsrpt_rows.c - Sessions as rows: those that went alike are one row, which is found by all that
 * is told of them.
 *
 * What others may make us write is bounded twice: a domain has so many rows a day, and so much of
 * policies, and what goes on failing in new ways or under new policies is one row for each kind of
 * failure then; and all domains together have so much room a day, of which a tenant may take what
 * the others have left, but never more than is still free: so whoever comes next has room, however
 * many domains another one writes to. The first bound is that of a report, too, which is made of
 * these rows.
 */
#include "tlsrpt_rows.h"

#include "db.h"
#include "tlsrpt_reports.h"

#include <stdio.h>
#include <string.h>

enum {
    LINES_MAX = 64,      /* of a domain and day, in detail */
    UNITS_MAX = 256,     /* of a domain and day: what there is to be told, and made into a report */
    ROOM_UNITS = 100000, /* of a day */
    UNIT_BYTES = 1024,   /* a row, or so much of a policy */
    POLICY_MAX = 128 * 1024
};

static const char other[] = "other"; /* the reason of what is not told in detail */

/* A row to be counted under. */
struct line {
    int64_t day;
    const struct tlsrpt_session *session;
    const struct tlsrpt_text *policy;
    bool detailed;
};

static struct span hash_of(const struct line *l)
{
    return (struct span){(const char *)l->policy->digest, sizeof(l->policy->digest)};
}

static struct rows *bind(struct database *db, enum sql sql, const struct line *l)
{
    const struct tlsrpt_session *s = l->session;
    bool ok = s->result == TLS_RESULT_OK;
    bool tells = l->detailed && !ok;
    return ROWS(db, sql, INT(l->day), TEXT(s->domain), BLOB(hash_of(l)),
                TEXT(tls_result_name(s->result)), TEXT(tells ? s->sending_ip : ""),
                TEXT(tells ? s->mx_host : ""), TEXT(tells ? s->mx_helo : ""),
                TEXT(tells ? s->receiving_ip : ""),
                TEXT(tells ? s->reason
                     : ok  ? ""
                           : other));
}

static bool count(struct database *db, const struct line *l, bool *found_r, struct err *err)
{
    if (!rows_run(db, bind(db, SQL_TLSRPT_COUNT, l), err))
        return false;
    *found_r = rows_changes(db) > 0;
    return true;
}

static bool add(struct database *db, const struct line *l, struct err *err)
{
    struct rows *s =
        ROWS(db, SQL_TLSRPT_ADD_POLICY, BLOB(hash_of(l)), TEXT(l->policy->text), INT(l->day));
    return rows_run(db, s, err) && rows_run(db, bind(db, SQL_TLSRPT_ADD, l), err);
}

/* ---- room ---- */

static bool has_room(struct database *db, int64_t day, const char *tenant, int64_t units,
                     bool *has_r, struct err *err)
{
    int64_t all = 0;
    int64_t own = 0;
    struct rows *s = ROWS(db, SQL_TLSRPT_ROOM, INT(day), TEXT(tenant));
    while (rows_next(db, s, err)) {
        all = rows_get_int(s, 0);
        own = rows_get_int(s, 1);
    }
    *has_r = own + units <= ROOM_UNITS - all;
    return err->kind == ERR_NONE;
}

static bool take_room(struct database *db, const struct line *l, const char *tenant, int64_t units,
                      struct err *err)
{
    return rows_run(db, ROWS(db, SQL_TLSRPT_CHARGE, INT(l->day), TEXT(tenant), INT(units)), err) &&
           rows_run(db,
                    ROWS(db, SQL_TLSRPT_GROW, INT(l->day), TEXT(l->session->domain), INT(units)),
                    err);
}

/* ---- counting ---- */

/* The report that the session is for, as it stands. */
struct standing_report {
    bool there, has_policy; /* the line's */
    enum tlsrpt_state state;
    int64_t lines, units;
    char tenant[64]; /* that pays for it */
};

static bool look(struct database *db, const struct line *l, struct standing_report *r,
                 struct err *err)
{
    struct rows *s =
        ROWS(db, SQL_TLSRPT_REPORT, INT(l->day), TEXT(l->session->domain), BLOB(hash_of(l)));
    while (rows_next(db, s, err)) {
        r->there = true;
        r->state = (enum tlsrpt_state)rows_get_int(s, 0);
        r->lines = rows_get_int(s, 1);
        r->units = rows_get_int(s, 2);
        rows_copy_text(s, 3, r->tenant, sizeof(r->tenant));
        r->has_policy = rows_get_int(s, 4) != 0;
    }
    return err->kind == ERR_NONE;
}

/* In detail. */
static bool may_tell(const struct standing_report *r, int64_t units)
{
    return r->lines < LINES_MAX && (r->has_policy || r->units + units <= UNITS_MAX);
}

static bool begin(struct database *db, const struct line *l, const char *tenant, struct err *err)
{
    const char *domain = l->session->domain;
    struct rows *s = ROWS(db, SQL_TLSRPT_BEGIN, INT(l->day), TEXT(domain), TEXT(tenant),
                          INT(tlsrpt_gather_due_ms(l->day, domain)));
    return rows_run(db, s, err);
}

/* In the row for all that is not told in detail. */
static bool count_other(struct database *db, struct line *l, struct err *err)
{
    struct buf bare;
    bool found = false;
    buf_init(&bare, POLICY_MAX);
    bool ok = true;
    if (tlsrpt_gather_bare(l->policy->text, l->session->domain, &bare)) {
        struct tlsrpt_text *text = tlsrpt_text_new(buf_text(&bare));
        l->detailed = false;
        l->policy = text;
        ok = count(db, l, &found, err) && (found || add(db, l, err));
        l->policy = NULL;
        tlsrpt_text_drop(text);
    }
    buf_fini(&bare);
    return ok;
}

static bool count_new(struct database *db, struct line *l, const char *tenant, struct err *err)
{
    struct standing_report r = {.there = false};
    bool room = false;
    if (!look(db, l, &r, err) || (r.there && r.state != TLSRPT_COUNTING))
        return err->kind == ERR_NONE;
    const char *payer = r.there ? r.tenant : tenant;
    const int64_t units = 1 + (r.has_policy ? 0 : (int64_t)(strlen(l->policy->text) / UNIT_BYTES));
    if (!has_room(db, l->day, payer, units, &room, err))
        return false;
    if (!room && !r.there)
        return true;
    if (r.there && (!room || !may_tell(&r, units)))
        return count_other(db, l, err);
    return (r.there || begin(db, l, tenant, err)) && add(db, l, err) &&
           take_room(db, l, payer, units, err);
}

bool tlsrpt_rows_count(struct database *db, const struct tlsrpt_session *session,
                       const char *tenant, int64_t now_ms, struct err *err)
{
    struct line l = {.day = now_ms / TLSRPT_DAY_MS,
                     .session = session,
                     .policy = session->policy,
                     .detailed = true};
    bool found = false;
    return count(db, &l, &found, err) && (found || count_new(db, &l, tenant, err));
}

/* ---- the mail that carries one ---- */

bool tlsrpt_rows_queue(struct database *db, const struct store_accept *a, bool *queued_r,
                       struct err *err)
{
    *queued_r = database_tlsrpt_mark(db, a->tls_report, err);
    if (*queued_r || err->kind != ERR_NOT_FOUND)
        return *queued_r;
    err->kind = ERR_NONE;
    return true;
}

static bool read_carried(struct database *db, int64_t message, struct tlsrpt_entry *e, bool *is_r,
                         struct err *err)
{
    struct rows *s = ROWS(db, SQL_TLSRPT_CARRIED, INT(message));
    while (rows_next(db, s, err)) {
        *is_r = true;
        e->day = rows_get_int(s, 0);
        rows_copy_text(s, 1, e->domain, sizeof(e->domain));
        rows_copy_text(s, 10, e->uri, sizeof(e->uri));
    }
    return err->kind == ERR_NONE;
}

bool tlsrpt_rows_settle(struct database *db, const struct store_outcome *o, int64_t now_ms,
                        struct err *err)
{
    struct tlsrpt_entry e = {0};
    char why[sizeof(e.why)];
    bool carries = false;
    bool paused = false;
    bool good = o->state == MAIL_DONE;
    if (!good && o->state != MAIL_BOUNCED)
        return true;
    if (!read_carried(db, o->message, &e, &carries, err) || !carries)
        return err->kind == ERR_NONE;
    const struct tlsrpt_place place = {.domain = e.domain, .uri = e.uri};
    if (!database_tlsrpt_place(db, &place, good, now_ms, &paused, err))
        return false;
    snprintf(why, sizeof(why), "%03d %s %.130s", o->answer.code, o->answer.enhanced,
             o->answer.text);
    if (!good)
        return rows_run(db, ROWS(db, SQL_TLSRPT_RETURNED, INT(o->message), INT(now_ms), TEXT(why)),
                        err);
    return rows_run(db, ROWS(db, SQL_TLSRPT_DELIVERED, INT(o->message), INT(now_ms)), err) &&
           database_tlsrpt_forget(db, e.day, e.domain, err);
}
