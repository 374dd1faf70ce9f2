// SPDX-License-Identifier: BSD-2-Clause
/* reports.c - One report a message: what becomes of its recipients is gathered, and told together.
 *
 *   rows_settle: a recipient has failed, or waits for long, or has got it and its sender wants to
 *     know - report_rows_owe(): its row says so, and the message stays until it is told
 *   reports_make(): half a minute later, or at once when nobody of the message waits any more, one
 *     notification is made of all of them; that mail was passed on is only told at the end
 *   reports_tell(): in one transaction it is accepted and nothing is owed any more
 *
 * So after a crash a report is owed, or accepted, never lost (C6). Reports are mail that we make
 * ourselves, and any application can make us send them to whoever it may name as a sender: they
 * count on who gets them. Over the limit a report on success or delay is dropped, one on failure
 * waits, and is dropped when it would wait too long; that is an event of the message it is about,
 * whose trace tells all that the report would have.
 *
 * A report is signed like any mail: by the domain that it is about, or, when that has no key any
 * more, by the relay's own, which its From then names.
 */
#include "reports.h"

#include "accounts.h"
#include "bounce.h"
#include "clock.h"
#include "db.h"
#include "ends.h"
#include "events.h"
#include "message.h"
#include "message_ids.h"
#include "spool.h"
#include "throttle_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MESSAGES_AT_ONCE = 50,
    RECIPIENTS_MAX = 400, /* of one report; more are told in the next */
    REPORT_MAX = 2 * 1024 * 1024,
    FULL_MAX = 256 * 1024
};

/* ---- made ---- */

/* Recipients as the report names them; the texts are its own. */
struct told {
    struct bounce_recipient recipients[RECIPIENTS_MAX];
    char *texts[RECIPIENTS_MAX][3];
    size_t count;
};

static void add_told(struct told *t, struct report *report, struct rows *s)
{
    static const enum bounce_action actions[] = {[STORE_REPORT_FAILED] = BOUNCE_FAILED,
                                                 [STORE_REPORT_DELAYED] = BOUNCE_DELAYED,
                                                 [STORE_REPORT_RELAYED] = BOUNCE_RELAYED};
    int owed = (int)rows_get_int(s, 3);
    char **texts = t->texts[t->count];
    CHECK(owed >= STORE_REPORT_FAILED && owed <= STORE_REPORT_RELAYED);
    report->numbers[report->count++] = (unsigned)rows_get_int(s, 0);
    report->fails = report->fails || owed == STORE_REPORT_FAILED;
    for (int i = 0; i < 3; i++)
        texts[i] = xstrdup(rows_get_text(s, i < 2 ? i + 1 : 7));
    struct span remote = span_of(texts[2]);
    size_t name = span_find(remote, '['); /* the address is known of whoever has answered */
    struct bounce_recipient *r = &t->recipients[t->count++];
    *r = (struct bounce_recipient){.action = actions[owed],
                                   .address = span_of(texts[0]),
                                   .original = span_of(texts[1]),
                                   .remote = span_first(remote, name),
                                   .heard = name < remote.len};
    r->meant = reply_category_of(span_of(rows_get_text(s, 8)));
    r->answer.code = (int)rows_get_int(s, 4);
    rows_copy_text(s, 5, r->answer.enhanced, sizeof(r->answer.enhanced));
    rows_copy_text(s, 6, r->answer.text, sizeof(r->answer.text));
}

static void free_told(struct told *t)
{
    for (size_t i = 0; i < t->count; i++)
        for (size_t k = 0; k < 3; k++)
            free(t->texts[i][k]);
    free(t);
}

/* Before its end, a message's successes are not told. */
static bool read_told(struct database *db, struct report *report, bool at_end, struct told *t,
                      struct err *err)
{
    struct rows *s =
        ROWS(db, SQL_REPORTED, INT(report->of),
             INT(at_end ? STORE_REPORT_RELAYED : STORE_REPORT_DELAYED), INT(RECIPIENTS_MAX));
    report->numbers = xcalloc(RECIPIENTS_MAX, sizeof(*report->numbers));
    while (rows_next(db, s, err))
        add_told(t, report, s);
    return err->kind == ERR_NONE;
}

static void note_active(void *context, const struct database_key *key)
{
    bool *active = context;
    *active = *active || key->life.state == KEY_ACTIVE;
}

/* The domain itself, or the host's, or the nearest above the host's that has a key; when none has,
 * the domain itself: the report waits for its key, and the operator is told. */
static bool find_signer(const struct reports *r, struct database *db, const char *domain,
                        char signer_r[ADDRESS_DOMAIN_MAX + 1], struct err *err)
{
    char host[ADDRESS_DOMAIN_MAX + 1];
    bool active = false;
    bool ok = database_keys(db, domain, note_active, &active, err);
    const char *own = address_domain_ascii(span_of(r->hostname), host) ? host : "";
    snprintf(signer_r, ADDRESS_DOMAIN_MAX + 1, "%s", domain);
    while (ok && !active && *own) {
        ok = database_keys(db, own, note_active, &active, err);
        if (active)
            snprintf(signer_r, ADDRESS_DOMAIN_MAX + 1, "%s", own);
        own += strcspn(own, ".");
        own += *own == '.';
    }
    return ok;
}

/* A report on what cannot be read any more tells what has happened without it. */
static bool read_original(const char *state_dir, const struct mail *original,
                          struct bounce_input *in, struct buf *body, struct spool_message *m,
                          struct err *err)
{
    struct span chunk = SPAN_NONE;
    if (!spool_open(state_dir, original->id, &original->place, m, err))
        return false;
    in->header = spool_header(m);
    /* RFC 8689 section 5: what its way was too open for does not come back by one as open. */
    in->full = original->envelope.report == RETURN_FULL && original->place.length <= FULL_MAX &&
               !tls_need_verifies(original->tls_need);
    bool ok = true;
    while (in->full && (ok = spool_next(m, &chunk, err)) && chunk.len > 0)
        buf_add(body, chunk);
    in->body = buf_span(body);
    return ok;
}

static struct mail *make_mail(struct message_ids *ids, const struct mail *original,
                              const char *signer, struct span text, int64_t now_ms)
{
    struct address sender;
    char domain[ADDRESS_DOMAIN_MAX + 1];
    size_t header_len = 0;
    if (!address_parse(span_of(original->envelope.sender), &sender) ||
        !address_domain_ascii(sender.domain, domain))
        return NULL;
    struct mail *m = mail_new();
    m->id = message_ids_new(ids);
    m->created_ms = now_ms;
    m->class = STREAM_NOTIFICATION;
    m->expires_ms = m->created_ms + stream_lifetime_ms(NULL, m->class);
    snprintf(m->tenant, sizeof(m->tenant), "%s", original->tenant);
    snprintf(m->credential, sizeof(m->credential), "%s", original->credential);
    snprintf(m->from_domain, sizeof(m->from_domain), "%s", signer);
    m->envelope.sender = xstrdup("");
    m->envelope.id = xstrdup("");
    m->envelope.smtputf8 = !span_is_ascii(sender.text);
    envelope_add(&m->envelope, sender.text, domain, SPAN_NONE, 0);
    message_header_length(text, &header_len);
    m->header_utf8 = !span_is_ascii(span_first(text, header_len));
    m->body_8bit = !span_is_ascii(text);
    return m;
}

static void write_report(const struct reports *r, struct message_ids *ids, const char *state_dir,
                         const struct mail *original, const char *signer, const struct told *t,
                         struct report *report, int64_t now_ms)
{
    char id[MAIL_ID_TEXT];
    struct spool_message message = {.fd = -1};
    struct buf body;
    struct err err = {0};
    struct bounce_input in = {.hostname = r->hostname,
                              .from_domain = signer,
                              .id = id,
                              .header = SPAN_NONE,
                              .body = SPAN_NONE,
                              .to = span_of(original->envelope.sender),
                              .envelope_id = span_of(original->envelope.id),
                              .arrived_ms = original->created_ms,
                              .now_ms = now_ms,
                              .expires_ms = original->expires_ms,
                              .recipients = t->recipients,
                              .count = t->count};
    mail_id_print(original->id, id);
    buf_init(&body, FULL_MAX + SPOOL_CHUNK);
    if (!read_original(state_dir, original, &in, &body, &message, &err)) {
        report->unquoted = true;
        report->accept.job.err = err; /* for the event */
    }
    report->accept.body.limit = REPORT_MAX;
    if (bounce_write(&in, &report->accept.body))
        report->accept.mail =
            make_mail(ids, original, signer, buf_span(&report->accept.body), now_ms);
    spool_close(&message);
    buf_fini(&body);
}

/* With nobody to tell about, only the books are put right. */
static bool make_one(const struct reports *r, struct message_ids *ids, struct database *db,
                     const char *state_dir, int64_t id, bool at_end, struct report **report_r,
                     struct err *err)
{
    char signer[ADDRESS_DOMAIN_MAX + 1];
    struct mail *original = NULL;
    struct report *report = job_new_report();
    struct told *t = xcalloc(1, sizeof(*t));
    report->of = id;
    bool ok = read_told(db, report, at_end, t, err);
    if (ok && t->count > 0)
        ok = database_mail(db, id, &original, err);
    ok = ok && (!original || find_signer(r, db, original->from_domain, signer, err));
    if (ok && original)
        write_report(r, ids, state_dir, original, signer, t, report, clock_now_ms());
    mail_free(original);
    free_told(t);
    *report_r = report;
    return ok;
}

bool reports_make(const struct reports *r, struct message_ids *ids, struct database *db,
                  const char *state_dir, struct job **jobs_r, struct err *err)
{
    int64_t due[MESSAGES_AT_ONCE];
    bool at_end[MESSAGES_AT_ONCE];
    size_t count = 0;
    struct job **last = jobs_r;
    *jobs_r = NULL;
    if (!r->hostname[0])
        return true;
    struct rows *s = ROWS(db, SQL_REPORTS_DUE, INT(clock_now_ms()), INT(MESSAGES_AT_ONCE));
    while (rows_next(db, s, err)) {
        due[count] = rows_get_int(s, 0);
        at_end[count++] = rows_get_int(s, 1) == 0;
    }
    bool ok = err->kind == ERR_NONE;
    for (size_t i = 0; ok && i < count; i++) {
        struct report *report = NULL;
        ok = make_one(r, ids, db, state_dir, due[i], at_end[i], &report, err);
        if (!ok) {
            store_job_free(&report->accept.job);
            break;
        }
        *last = job_of(&report->accept.job);
        last = &(*last)->next;
    }
    return ok;
}

/* ---- told ---- */

static bool note(struct database *db, const struct report *report, const char *kind,
                 const char *whom, const char *text, int64_t now_ms, struct err *err)
{
    struct database_event event = {.at_ms = now_ms,
                                   .kind = kind,
                                   .message = report->of,
                                   .recipient = whom,
                                   .enhanced = "",
                                   .reply = text,
                                   .remote = ""};
    return rows_event(db, &event, err);
}

/* When it is not sent, or would not be, that is said in the trace of what it is about. */
static bool note_dropped(const struct reports *r, struct database *db, const struct report *report,
                         const char *whom, int64_t wait_ms, int64_t now_ms, struct err *err)
{
    char text[200];
    bool observed = r->mode == THROTTLE_OBSERVE;
    snprintf(text, sizeof(text),
             "report on %zu recipient%s %s: limit \"report\" (%u at once, then 1 per %lld s), one "
             "would conform in %lld s",
             report->count, report->count == 1 ? "" : "s",
             observed ? "would be dropped" : "not sent", r->limit.burst,
             (long long)(r->limit.every_ms / 1000), (long long)(wait_ms / 1000));
    return note(db, report, observed ? "observed" : "report_dropped", whom, text, now_ms, err);
}

static bool charge(const struct reports *r, struct database *db, struct report *report,
                   int64_t now_ms, struct err *err)
{
    const char *whom = report->accept.mail->envelope.rcpts[0].address;
    int64_t wait_ms = 0;
    bool taken = true;
    if (r->mode == THROTTLE_OFF)
        return true;
    if (!throttle_rows_charge_report(db, &r->limit, whom, report->fails, now_ms, &taken, &wait_ms,
                                     err))
        return false;
    if (!taken && !note_dropped(r, db, report, whom, wait_ms, now_ms, err))
        return false;
    report->dropped = !taken && r->mode == THROTTLE_ENFORCE;
    if (taken && wait_ms > 0 && r->mode == THROTTLE_ENFORCE) {
        report->accept.decisions = xcalloc(1, sizeof(*report->accept.decisions));
        *report->accept.decisions = (struct throttle_decision){
            .what = THROTTLE_PACE, .key = THROTTLE_REPORT, .wait_ms = wait_ms};
    }
    return true;
}

bool reports_tell(const struct reports *r, struct database *db, struct report *report,
                  int64_t now_ms, struct err *err)
{
    bool ok = !report->accept.mail || charge(r, db, report, now_ms, err);
    if (ok && !report->accept.mail && report->count > 0)
        ok = note(db, report, "report_dropped", "", "report could not be written", now_ms, err);
    if (ok && report->accept.mail && report->unquoted)
        ok = note(db, report, "not_quoted", "", report->accept.job.err.text, now_ms, err);
    for (size_t i = 0; ok && i < report->count; i++) {
        struct rows *s = ROWS(db, SQL_REPORT_TOLD, INT(report->of), INT(report->numbers[i]));
        ok = rows_run(db, s, err);
    }
    return ok && rows_run_about(db, SQL_REPORT_DONE, report->of, err) &&
           rows_run_about(db, SQL_REPORT_KEEP, report->of, err) && rows_end(db, report->of, err);
}
