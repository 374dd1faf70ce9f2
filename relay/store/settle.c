// SPDX-License-Identifier: BSD-2-Clause
/* settle.c - What became of a recipient, written down: its state, its event, what its sender is
 * owed, and that there is no such mailbox. Inside the store's transaction.
 */
#include "settle.h"

#include "db.h"
#include "events.h"
#include "last_answers.h"
#include "report_rows.h"
#include "return_paths.h"
#include "shares.h"
#include "tlsrpt_rows.h"

#include <stdio.h>
#include <string.h>

/* What an outcome is about, as it was until now. */
struct settled {
    bool found;
    char address[ADDRESS_MAX + 1];
    enum mail_state state;
    struct database_due due;
    bool returned;   /* it has its last answer, and only the report is missing */
    bool tls_report; /* it carries one */
};

/* ---- the row ---- */

static bool find_settled(struct database *db, const struct store_outcome *o, struct settled *r,
                         struct err *err)
{
    struct rows *s = ROWS(db, SQL_SETTLED, INT(o->message), INT(o->number), TEXT(MAIL_TLS_REPORT));
    *r = (struct settled){
        .due = {
            .message = o->message, .due_ms = o->due_ms, .number = o->number, .class = o->class}};
    while (rows_next(db, s, err)) {
        r->found = true;
        rows_copy_text(s, 0, r->address, sizeof(r->address));
        rows_copy_text(s, 1, r->due.domain, sizeof(r->due.domain));
        r->state = (enum mail_state)(rows_get_int(s, 2) & 3);
        rows_copy_text(s, 3, r->due.tenant, sizeof(r->due.tenant));
        r->due.expires_ms = rows_get_int(s, 4);
        r->returned = rows_get_int(s, 5) != 0;
        r->tls_report = rows_get_int(s, 6) != 0;
        r->due.tls_need = tls_need_of(rows_get_int(s, 7));
        rows_copy_text(s, 8, r->due.stream, sizeof(r->due.stream));
    }
    return err->kind == ERR_NONE;
}

/* NULL: no server has said anything. */
static const char *meaning_of(const struct store_outcome *o)
{
    return o->meant.rule[0] ? reply_category_name(o->meant.category) : NULL;
}

/* One that is tried again and that somebody holds meanwhile, is held. */
static bool settle(struct database *db, const struct store_outcome *o, struct settled *r,
                   struct err *err)
{
    char remote[sizeof(o->remote)]; /* of a row: with the address of who has answered (reports.c) */
    size_t len = o->heard ? strlen(o->remote) : span_find(span_of(o->remote), '[');
    snprintf(remote, sizeof(remote), "%.*s", (int)len, o->remote);
    if (o->state != MAIL_WAITING)
        r->state = o->state;
    struct rows *s =
        ROWS(db, SQL_SETTLE, INT(o->message), INT(o->number), INT(r->state), INT(o->tries),
             INT(o->due_ms), INT(o->report), INT(o->answer.code), TEXT(o->answer.enhanced),
             TEXT(o->answer.text), TEXT(remote), TEXT(meaning_of(o)));
    return rows_run(db, s, err);
}

static bool heed(struct database *db, const struct store_outcome *o, const struct settled *r,
                 int64_t now_ms, struct err *err)
{
    bool last = o->state == MAIL_DONE || o->state == MAIL_BOUNCED;
    const struct last_answer a = {.tenant = r->due.tenant,
                                  .address = r->address,
                                  .site = last ? o->site : "",
                                  .source = o->remote,
                                  .needed = o->meant.suppress_after,
                                  .suppress_ms = o->suppress_ms};
    return last_answers_heed(db, &a, now_ms, err);
}

bool rows_settle(struct database *db, struct store_outcome *o, int64_t now_ms, struct err *err)
{
    struct settled r;
    if (!find_settled(db, o, &r, err))
        return false;
    /* Deleted or returned by a person meanwhile: nothing is left to record. */
    bool gone = !r.found || (r.returned && o->state == MAIL_WAITING);
    o->result = gone ? STORE_SUPERSEDED : STORE_RECORDED;
    if (gone)
        return true;
    if (!settle(db, o, &r, err))
        return false;
    if (r.state != MAIL_WAITING && r.state != MAIL_HELD)
        shares_add(&db->shares, DATABASE_WAITING, r.due.tenant,
                   -shares_waiting(1, (int64_t)strlen(r.due.domain)));
    if (r.state == MAIL_WAITING)
        rows_note_due(db, &r.due);
    struct database_event event = {.at_ms = now_ms,
                                   .kind = o->kind,
                                   .message = o->message,
                                   .recipient = r.address,
                                   .code = o->answer.code,
                                   .enhanced = o->answer.enhanced,
                                   .reply = o->answer.text,
                                   .remote = o->remote,
                                   .tenant = r.due.tenant,
                                   .number = o->number};
    event.category = meaning_of(o);
    event.rule = event.category ? o->meant.rule : NULL;
    event.source = o->source[0] ? o->source : NULL;
    if (o->tls_policy != TLS_POLICY_NONE) {
        event.tls_policy = tls_policy_name(o->tls_policy);
        event.tls_result = tls_result_name(o->tls_result);
        event.tlsa = o->tlsa[0] ? o->tlsa : NULL;
    }
    return rows_event(db, &event, err) &&
           (!r.tls_report || tlsrpt_rows_settle(db, o, now_ms, err)) &&
           (o->report == STORE_REPORT_NONE || report_rows_owe(db, o, now_ms, err)) &&
           (!o->returnable || return_paths_keep(db, o, now_ms, err)) &&
           heed(db, o, &r, now_ms, err);
}
