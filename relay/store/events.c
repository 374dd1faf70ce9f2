// SPDX-License-Identifier: BSD-2-Clause
/* events.c - The history of messages: writing it, one message's story, what comes after an event,
 * and a search. Rows are found by id and by message only: an index for each thing that can be
 * searched for would cost each message more than a search costs whoever makes it. A search looks
 * through the rows from the newest on, in steps, with a reader's own database.
 *
 * By message they are found in `event_of`, into which they come some hundred at a time, in the
 * transaction of a batch: one by one, each commit would write a page of it. Those behind
 * indexed.up_to are not there yet, and are looked through. As both change together, whatever is
 * undone or lost in a crash, an event is on exactly one side.
 */
#include "events.h"

#include "db.h"
#include "event_shares.h"
#include "outbox.h"
#include "quota.h"
#include "shares.h"

enum {
    STEP_ROWS = 50 * 1000,
    SEARCH_ROWS = 500 * 1000,
    /* So many, and those of one job, are looked through by whoever asks for one message. */
    INDEX_AT = 256,
    INDEX_ROWS = 10 * 1000 /* behind each job, so that no 250 waits for long; mail makes fewer */
};

/* Times in the table rise with the ids, but for a clock that is set. */
static const int64_t clock_margin_ms = INT64_C(24) * 3600 * 1000;

bool rows_event(struct database *db, const struct database_event *e, struct err *err)
{
    db->unindexed++;
    if (e->tenant)
        shares_add_event(&db->shares, e->tenant, event_shares_bytes(e), e->at_ms);
    bool ok = rows_run(
        db,
        ROWS(db, SQL_ADD_EVENT, INT(e->at_ms), TEXT(e->kind), INT(e->message), TEXT(e->recipient),
             INT(e->code), TEXT(e->enhanced), TEXT(e->reply), TEXT(e->remote),
             TEXT(e->credential ? e->credential : ""), TEXT(e->message_id ? e->message_id : ""),
             TEXT(e->sender ? e->sender : ""), TEXT(e->first_time ? e->tenant : NULL),
             TEXT(e->tls_policy), TEXT(e->tls_result), TEXT(e->tlsa), TEXT(e->category),
             TEXT(e->rule), TEXT(e->source)),
        err);
    return ok && outbox_event(db, e, rows_last_id(db), err);
}

static struct database_event about(const struct mail *m, size_t i, const char *kind,
                                   const struct verdict *v, const char *reply)
{
    return (struct database_event){.at_ms = m->created_ms,
                                   .kind = kind,
                                   .message = m->id,
                                   .recipient = m->envelope.rcpts[i].address,
                                   .code = v->code,
                                   .enhanced = v->enhanced,
                                   .reply = reply,
                                   .remote = m->peer,
                                   .credential = m->credential,
                                   .message_id = m->message_id,
                                   .sender = m->envelope.sender,
                                   .tenant = m->tenant,
                                   .stream = m->stream,
                                   .own = !m->protocol[0]};
}

bool rows_mail_event(struct database *db, const struct mail *m, size_t i, const char *kind,
                     const struct verdict *v, const char *reply, struct err *err)
{
    struct database_event event = about(m, i, kind, v, reply);
    return rows_event(db, &event, err);
}

bool rows_accepted_event(struct database *db, const struct mail *m, size_t i, bool first_time,
                         struct err *err)
{
    static const struct verdict taken = {.code = 250, .enhanced = "2.0.0"};
    struct database_event event = about(m, i, "accepted", &taken, m->envelope.sender);
    event.first_time = first_time;
    return rows_event(db, &event, err);
}

/* What becomes of mail that was accepted is always written: quota_allow() has seen that there is
 * room. */
bool rows_spared_event(struct database *db, const struct store_accept *a, size_t i,
                       const char *kind, const struct verdict *v, const char *reply,
                       struct err *err)
{
    bool may = true;
    return quota_allows_event(db, &a->room, a->mail->tenant, &may, err) &&
           (!may || rows_mail_event(db, a->mail, i, kind, v, reply, err));
}

/* ---- the index by message ---- */

/* Who is new to a tenant is counted with it. What was noted and then undone only brings the next
 * time nearer. */
bool rows_index_events(struct database *db, struct err *err)
{
    int64_t up_to = 0;
    int64_t last = 0;
    if (db->unindexed < INDEX_AT)
        return true;
    if (!rows_run_int(db, rows_prepare(db, SQL_INDEXED), &up_to, err) ||
        !database_last_event(db, &last, err))
        return false;
    int64_t end = last > up_to + INDEX_ROWS ? up_to + INDEX_ROWS : last;
    db->unindexed = last - end;
    return end == up_to || (rows_run_about(db, SQL_INDEX_EVENTS, end, err) &&
                            rows_run_about(db, SQL_COUNT_NEWCOMERS, end, err) &&
                            rows_run_about(db, SQL_SET_INDEXED, end, err));
}

/* When all events were forgotten, ids begin anew; so does what is indexed (`last` < `up_to`). */
bool rows_index_all_events(struct database *db, struct err *err)
{
    bool ok = true;
    for (db->unindexed = INDEX_AT; ok && db->unindexed >= INDEX_AT;)
        ok = rows_simple(db, SQL_BEGIN, err) && rows_index_events(db, err) &&
             rows_simple(db, SQL_COMMIT, err);
    if (!ok)
        rows_rollback(db);
    return ok;
}

bool rows_index_rest(struct database *db, struct err *err)
{
    bool ok = true;
    for (db->unindexed = INDEX_AT; ok && db->unindexed >= INDEX_AT;)
        ok = rows_index_events(db, err);
    return ok;
}

struct found {
    int64_t count, last; /* last: the id of the latest that was given */
};

static bool give(struct database *db, struct rows *s, database_on_event *on_event, void *context,
                 struct found *found, struct err *err)
{
    while (rows_next(db, s, err)) {
        struct database_event event = {.id = rows_get_int(s, 0),
                                       .at_ms = rows_get_int(s, 1),
                                       .kind = rows_get_text(s, 2),
                                       .message = rows_get_int(s, 3),
                                       .recipient = rows_get_text(s, 4),
                                       .code = (int)rows_get_int(s, 5),
                                       .enhanced = rows_get_text(s, 6),
                                       .reply = rows_get_text(s, 7),
                                       .remote = rows_get_text(s, 8),
                                       .credential = rows_get_text(s, 9),
                                       .message_id = rows_get_text(s, 10),
                                       .sender = rows_get_text(s, 11),
                                       .tls_policy = rows_get_text(s, 12),
                                       .tls_result = rows_get_text(s, 13),
                                       .tlsa = rows_get_text(s, 14),
                                       .category = rows_get_text(s, 15),
                                       .rule = rows_get_text(s, 16),
                                       .source = rows_get_text(s, 17)};
        on_event(context, &event);
        found->count++;
        found->last = event.id;
    }
    return err->kind == ERR_NONE;
}

bool database_events(struct database *db, int64_t after, int64_t limit, database_on_event *on_event,
                     void *context, struct err *err)
{
    struct found found = {0};
    struct rows *s = ROWS(db, SQL_EVENTS, INT(after), INT(limit));
    return give(db, s, on_event, context, &found, err);
}

bool database_add_event(struct database *db, const struct database_event *event, struct err *err)
{
    return rows_event(db, event, err);
}

bool database_last_event(struct database *db, int64_t *id_r, struct err *err)
{
    struct rows *s = rows_prepare(db, SQL_EVENT_LAST);
    *id_r = 0;
    return rows_run_int(db, s, id_r, err);
}

bool database_trace(struct database *db, int64_t message, database_on_event *on_event,
                    void *context, struct err *err)
{
    struct found found = {0};
    struct rows *s = ROWS(db, SQL_TRACE, INT(message));
    return give(db, s, on_event, context, &found, err);
}

/* ---- searching ---- */

/* The first event with this id or a higher one; id 0: there is none. */
static bool event_at(struct database *db, int64_t id, int64_t *id_r, int64_t *at_ms_r,
                     struct err *err)
{
    struct rows *s = ROWS(db, SQL_EVENT_AT, INT(id));
    *id_r = 0;
    while (rows_next(db, s, err)) {
        *id_r = rows_get_int(s, 0);
        *at_ms_r = rows_get_int(s, 1);
    }
    return err->kind == ERR_NONE;
}

/* The lowest id whose event is of this time or later, by halves; one more than the last if none. */
static bool find_time(struct database *db, int64_t at_ms, int64_t *id_r, struct err *err)
{
    int64_t low = 1;
    int64_t high = 0;
    int64_t id = 0;
    int64_t at = 0;
    if (!database_last_event(db, &high, err))
        return false;
    high++;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (!event_at(db, middle, &id, &at, err))
            return false;
        if (id == 0 || at >= at_ms)
            high = middle;
        else
            low = id + 1;
    }
    *id_r = low;
    return true;
}

/* Events with ids above `above` up to `to`, in the order of the search. */
static bool search_step(struct database *db, const struct database_search *q, int64_t above,
                        int64_t to, database_on_event *on_event, void *context, struct found *found,
                        struct err *err)
{
    struct rows *s =
        ROWS(db, q->forward ? SQL_SEARCH_ON : SQL_SEARCH_BACK, INT(above), INT(to),
             INT(q->limit - found->count), TEXT(q->kind), TEXT(q->recipient), TEXT(q->sender),
             TEXT(q->message_id), TEXT(q->credential), INT(q->since_ms), INT(q->until_ms));
    return give(db, s, on_event, context, found, err);
}

/* Where the search begins and where it ends, as ids: the highest to look at, and one below the
 * lowest. */
static bool find_bounds(struct database *db, const struct database_search *q, int64_t *above,
                        int64_t *to, struct err *err)
{
    *above = 0;
    if (!database_last_event(db, to, err))
        return false;
    if (q->until_ms < INT64_MAX - clock_margin_ms &&
        !find_time(db, q->until_ms + clock_margin_ms, to, err))
        return false;
    if (q->since_ms > 0 && !find_time(db, q->since_ms - clock_margin_ms, above, err))
        return false;
    if (q->since_ms > 0)
        (*above)--;
    if (q->before > 0 && q->before <= *to)
        *to = q->before - 1;
    if (q->after > *above)
        *above = q->after;
    return true;
}

static bool search_back(struct database *db, struct database_search *q, int64_t above, int64_t to,
                        database_on_event *on_event, void *context, struct err *err)
{
    struct found found = {0};
    int64_t enough = to - SEARCH_ROWS;
    while (to > above && to > enough && found.count < q->limit) {
        int64_t from = to - STEP_ROWS > above ? to - STEP_ROWS : above;
        if (!search_step(db, q, from, to, on_event, context, &found, err))
            return false;
        to = from;
    }
    q->before = to > above && found.count < q->limit ? to + 1 : 0;
    return true;
}

static bool search_on(struct database *db, struct database_search *q, int64_t above, int64_t to,
                      database_on_event *on_event, void *context, struct err *err)
{
    struct found found = {0};
    int64_t enough = above + SEARCH_ROWS;
    while (above < to && above < enough && found.count < q->limit) {
        int64_t end = above + STEP_ROWS < to ? above + STEP_ROWS : to;
        if (!search_step(db, q, above, end, on_event, context, &found, err))
            return false;
        above = end;
    }
    q->after = found.count == q->limit ? found.last : above;
    return true;
}

bool database_search_events(struct database *db, struct database_search *q,
                            database_on_event *on_event, void *context, struct err *err)
{
    int64_t above = 0;
    int64_t to = 0;
    return find_bounds(db, q, &above, &to, err) &&
           (q->forward ? search_on(db, q, above, to, on_event, context, err)
                       : search_back(db, q, above, to, on_event, context, err));
}

const char *database_event_kind(size_t i)
{
    static const char *const kinds[] = {"accepted",
                                        "auth_kept_out",
                                        "auth_refused",
                                        "auto_replied",
                                        "bounced",
                                        "certificate",
                                        "collapsed",
                                        "complained",
                                        "connections_full",
                                        "deferred",
                                        "deleted",
                                        "delivered",
                                        "destination_rests",
                                        "destination_resumed",
                                        "dialogue",
                                        "disk_full",
                                        "dns_answers",
                                        "dns_silent",
                                        "dnssec",
                                        "expired",
                                        "flood",
                                        "held",
                                        "identity_refused",
                                        "key",
                                        "late_delay",
                                        "locked",
                                        "mail_paused",
                                        "mail_resumed",
                                        "newcomers",
                                        "not_quoted",
                                        "observed",
                                        "paced",
                                        "process_ended",
                                        "refused",
                                        "released",
                                        "report_dropped",
                                        "retried",
                                        "returned",
                                        "route",
                                        "share_used_up",
                                        "suppress_added",
                                        "suppress_answered",
                                        "suppress_imported",
                                        "suppress_removed",
                                        "suppressed",
                                        "suppression_paused",
                                        "suppression_resumed",
                                        "throttled",
                                        "tls_failed",
                                        "webhook_disabled",
                                        "webhook_dropped",
                                        "webhook_ping"};
    return i < COUNT_OF(kinds) ? kinds[i] : NULL;
}
