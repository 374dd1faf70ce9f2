// SPDX-License-Identifier: BSD-2-Clause
/* queue.c - The queue and the events as people see and change them. Every verb takes the same
 * filter. */
#include "clock.h"
#include "db.h"
#include "ends.h"
#include "events.h"
#include "queued.h"
#include "shares.h"

#include <stdlib.h>
#include <string.h>

enum {
    LIMIT_COLUMN = 9,
    HOPS_COLUMN = 10,
    TENANT_COLUMN = 11,
    SOURCES_COLUMN = 12,
    AUTHOR_COLUMN = 13
};

static void bind_filter(struct rows *s, const struct database_filter *f)
{
    if (f->id != 0)
        rows_int(s, 1, f->id);
    rows_text(s, 2, f->recipient);
    rows_text(s, 3, f->domain);
    rows_text(s, 4, f->sender);
    if (f->state >= 0)
        rows_int(s, 5, f->state);
    rows_text(s, 6, f->credential);
    rows_int(s, 7, f->after.id);
    rows_int(s, 8, f->after.id > 0 ? f->after.number : -1);
    rows_text(s, HOPS_COLUMN, f->hops);
    rows_text(s, TENANT_COLUMN, f->tenant);
    rows_text(s, SOURCES_COLUMN, f->sources);
    rows_text(s, AUTHOR_COLUMN, f->author);
}

static void bind_limit(struct rows *s, int64_t limit)
{
    rows_int(s, LIMIT_COLUMN, limit > 0 ? limit : INT64_MAX);
}

bool database_queue(struct database *db, struct database_filter *filter, int64_t limit,
                    database_on_queued *on_row, void *context, struct err *err)
{
    struct rows *s = rows_prepare(db, SQL_QUEUE_LIST);
    bind_filter(s, filter);
    bind_limit(s, limit);
    while (rows_next(db, s, err)) {
        struct database_queued row = {.id = rows_get_int(s, 0),
                                      .number = (unsigned)rows_get_int(s, 1),
                                      .recipient = rows_get_text(s, 2),
                                      .state = (enum mail_state)(rows_get_int(s, 3) & 3),
                                      .tries = (unsigned)rows_get_int(s, 4),
                                      .due_ms = rows_get_int(s, 5),
                                      .code = (int)rows_get_int(s, 6),
                                      .enhanced = rows_get_text(s, 7),
                                      .reply = rows_get_text(s, 8),
                                      .remote = rows_get_text(s, 9),
                                      .sender = rows_get_text(s, 10),
                                      .credential = rows_get_text(s, 11),
                                      .class =
                                          (enum stream_class)(rows_get_int(s, 12) % STREAM_CLASSES),
                                      .created_ms = rows_get_int(s, 13),
                                      .expires_ms = rows_get_int(s, 14),
                                      .length = rows_get_int(s, 15),
                                      .tenant = rows_get_text(s, 16),
                                      .tls_need = tls_need_of(rows_get_int(s, 17)),
                                      .stream = rows_get_text(s, 18),
                                      .source = rows_get_text(s, 19)};
        on_row(context, &row);
        filter->after.id = row.id;
        filter->after.number = row.number;
    }
    return err->kind == ERR_NONE;
}

bool database_queue_count(struct database *db, const struct database_filter *filter,
                          int64_t *count_r, struct err *err)
{
    bool by_message =
        filter->sender || filter->credential || filter->tenant || filter->hops || filter->author;
    struct rows *s = rows_prepare(db, by_message ? SQL_QUEUE_COUNT : SQL_QUEUE_COUNT_RECIPIENTS);
    bind_filter(s, filter);
    *count_r = 0;
    return rows_run_int(db, s, count_r, err);
}

bool database_queue_domains(struct database *db, const char *sources, int64_t now_ms,
                            database_on_queue_domain *on_domain, void *context, struct err *err)
{
    struct rows *s = ROWS(db, SQL_QUEUE_DOMAINS, INT(now_ms));
    rows_text(s, SOURCES_COLUMN, sources);
    while (rows_next(db, s, err)) {
        const struct database_queue_domain row = {.domain = rows_get_text(s, 0),
                                                  .tls_need = tls_need_of(rows_get_int(s, 1)),
                                                  .source = rows_get_text(s, 2),
                                                  .remote = rows_get_text(s, 3),
                                                  .due = rows_get_int(s, 4),
                                                  .deferred = rows_get_int(s, 5),
                                                  .held = rows_get_int(s, 6),
                                                  .oldest_ms = rows_get_int(s, 7),
                                                  .next_ms = rows_get_int(s, 8)};
        on_domain(context, &row);
    }
    return err->kind == ERR_NONE;
}

bool database_queue_states(struct database *db, int64_t now_ms, struct database_states *n_r,
                           struct err *err)
{
    struct rows *s = ROWS(db, SQL_QUEUE_STATES, INT(now_ms));
    while (rows_next(db, s, err))
        *n_r = (struct database_states){rows_get_int(s, 0), rows_get_int(s, 1), rows_get_int(s, 2)};
    return err->kind == ERR_NONE;
}

bool database_queue_deferred(struct database *db, struct database_hops which, int64_t now_ms,
                             database_on_deferred *on_deferred, void *context, struct err *err)
{
    struct rows *s = ROWS(db, SQL_QUEUE_DEFERRED, INT(now_ms), TEXT(which.hops));
    rows_text(s, SOURCES_COLUMN, which.sources);
    while (rows_next(db, s, err))
        on_deferred(context, rows_get_text(s, 0),
                    (enum stream_class)(rows_get_int(s, 1) % STREAM_CLASSES), rows_get_int(s, 2));
    return err->kind == ERR_NONE;
}

bool database_queue_replies(struct database *db, struct database_hops which, int64_t now_ms,
                            database_on_reply *on_reply, void *context, struct err *err)
{
    struct rows *s = ROWS(db, SQL_QUEUE_REPLIES, INT(now_ms), TEXT(which.hops));
    rows_text(s, SOURCES_COLUMN, which.sources);
    while (rows_next(db, s, err)) {
        const struct database_reply row = {.domain = rows_get_text(s, 0),
                                           .tls_need = tls_need_of(rows_get_int(s, 1)),
                                           .source = rows_get_text(s, 2),
                                           .remote = rows_get_text(s, 3),
                                           .code = (int)rows_get_int(s, 4),
                                           .enhanced = rows_get_text(s, 5),
                                           .reply = rows_get_text(s, 6),
                                           .count = rows_get_int(s, 7)};
        on_reply(context, &row);
    }
    return err->kind == ERR_NONE;
}

bool database_queue_expiring(struct database *db, struct database_hops which, int64_t until_ms,
                             int64_t *count_r, struct err *err)
{
    struct rows *s = ROWS(db, SQL_QUEUE_EXPIRING, TEXT(which.hops), INT(until_ms));
    rows_text(s, SOURCES_COLUMN, which.sources);
    *count_r = 0;
    return rows_run_int(db, s, count_r, err);
}

struct match {
    struct database_due due;
    char address[ADDRESS_MAX + 1];
};

/* What matches is collected first: the rows must not change under the query. */
static bool collect(struct database *db, const struct database_filter *filter, int64_t limit,
                    struct match **matches_r, size_t *count_r, struct err *err)
{
    struct rows *s = rows_prepare(db, SQL_QUEUE_MATCH);
    size_t size = 0;
    *matches_r = NULL;
    *count_r = 0;
    bind_filter(s, filter);
    bind_limit(s, limit);
    while (rows_next(db, s, err)) {
        if (*count_r == size) {
            size = size ? size * 2 : 16;
            *matches_r = xgrow(*matches_r, size, sizeof(**matches_r));
        }
        struct match *m = &(*matches_r)[(*count_r)++];
        m->due = (struct database_due){
            .message = rows_get_int(s, 0),
            .number = (unsigned)rows_get_int(s, 1),
            .class = (enum stream_class)(rows_get_int(s, 2) % STREAM_CLASSES)};
        rows_copy_text(s, 3, m->due.domain, sizeof(m->due.domain));
        rows_copy_text(s, 4, m->address, sizeof(m->address));
        rows_copy_text(s, 5, m->due.tenant, sizeof(m->due.tenant));
        m->due.expires_ms = rows_get_int(s, 6);
        m->due.tls_need = tls_need_of(rows_get_int(s, 7));
        rows_copy_text(s, 8, m->due.stream, sizeof(m->due.stream));
    }
    return err->kind == ERR_NONE;
}

static bool return_one(struct database *db, struct match *m, const char *why, int64_t now_ms,
                       struct err *err)
{
    struct rows *s = rows_prepare(db, SQL_QUEUE_RETURN);
    const struct verdict v = verdict_make(
        554, "5.0.0", "Returned by the operator of this relay%s%s", *why ? ": " : "", why);
    m->due.due_ms = now_ms;
    m->due.domain[0] = '\0'; /* nobody is to be asked */
    rows_int(s, 1, m->due.message);
    rows_int(s, 2, m->due.number);
    rows_int(s, 3, now_ms);
    rows_int(s, 4, v.code);
    rows_text(s, 5, v.enhanced);
    rows_text(s, 6, v.text);
    if (!rows_run(db, s, err))
        return false;
    rows_note_due(db, &m->due);
    return true;
}

static bool change_one(struct database *db, struct match *m, enum database_change change,
                       int64_t now_ms, struct err *err)
{
    static const struct {
        enum mail_state state;
        const char *kind;
    } moves[] = {[DATABASE_RETRY] = {MAIL_WAITING, "retried"},
                 [DATABASE_HOLD] = {MAIL_HELD, "held"},
                 [DATABASE_RELEASE] = {MAIL_WAITING, "released"},
                 [DATABASE_DELETE] = {MAIL_DONE, "deleted"}};
    m->due.due_ms = now_ms;
    m->due.retried = change == DATABASE_RETRY;
    struct rows *s = ROWS(db, SQL_QUEUE_SET, INT(m->due.message), INT(m->due.number),
                          INT(moves[change].state), INT(now_ms));
    struct database_event event = {.at_ms = now_ms,
                                   .kind = moves[change].kind,
                                   .message = m->due.message,
                                   .recipient = m->address,
                                   .enhanced = "",
                                   .reply = "by command",
                                   .remote = ""};
    if (!rows_run(db, s, err) || !rows_event(db, &event, err))
        return false;
    if (moves[change].state == MAIL_WAITING)
        rows_note_due(db, &m->due);
    if (change != DATABASE_DELETE)
        return true;
    shares_add(&db->shares, DATABASE_WAITING, m->due.tenant,
               -shares_waiting(1, (int64_t)strlen(m->due.domain)));
    return rows_end(db, m->due.message, err);
}

bool database_queue_change(struct database *db, struct database_filter *filter, int64_t limit,
                           enum database_change change, const char *why, int64_t *changed_r,
                           struct err *err)
{
    int64_t now_ms = clock_now_ms();
    struct match *matches = NULL;
    size_t count = 0;
    struct database_filter narrowed = *filter;
    if (change == DATABASE_RELEASE)
        narrowed.state = MAIL_HELD;
    if (change == DATABASE_RETRY || change == DATABASE_HOLD)
        narrowed.state = MAIL_WAITING;
    bool ok = collect(db, &narrowed, limit, &matches, &count, err);
    for (size_t i = 0; ok && i < count; i++)
        ok = change == DATABASE_RETURN ? return_one(db, &matches[i], why, now_ms, err)
                                       : change_one(db, &matches[i], change, now_ms, err);
    *changed_r = (int64_t)count;
    if (count > 0) {
        filter->after.id = matches[count - 1].due.message;
        filter->after.number = matches[count - 1].due.number;
    }
    free(matches);
    return ok;
}
