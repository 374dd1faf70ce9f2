// SPDX-License-Identifier: BSD-2-Clause
/* settle.c - Answers become outcomes: done, later or never, each with its line in the log and its
 * event; never also becomes a bounce. Outcomes and bounce are one transaction (C6).
 */
#include "clock.h"
#include "parcel.h"

#include "bounce.h"
#include "links.h"
#include "log.h"
#include "message.h"
#include "retry.h"
#include "secret.h"
#include "spool.h"
#include "suppress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BOUNCE_MAX = 1024 * 1024, FULL_MAX = 256 * 1024, DELAY_TOLD_MS = 4 * 3600 * 1000 };

/* ---- notifications ---- */

static bool wants_notice(const struct parcel *p, size_t i, const struct store_outcome *o,
                         enum bounce_action action)
{
    const struct mail_row *row = &p->mail->rows[i];
    unsigned notify = p->mail->envelope.rcpts[i].notify;
    if (p->mail->envelope.sender[0] == '\0') /* RFC 5321 section 4.5.5: never for a notification */
        return false;
    switch (action) {
    case BOUNCE_FAILED:
        return o->state == MAIL_BOUNCED && (notify == 0 || (notify & NOTIFY_FAILURE));
    case BOUNCE_DELAYED:
        return o->state == MAIL_WAITING && (notify & NOTIFY_DELAY) && !row->delay_told &&
               clock_now_ms() - p->mail->created_ms > DELAY_TOLD_MS;
    case BOUNCE_RELAYED:
        return o->state == MAIL_DONE && (notify & NOTIFY_SUCCESS) && !p->hop_dsn;
    }
    UNREACHABLE();
}

static void read_original(const struct parcel *p, struct bounce_input *in, struct buf *body,
                          struct spool_message *m)
{
    struct err err = {0};
    struct span chunk = SPAN_NONE;
    bool ok = spool_open(p->settings->config->state_dir, p->mail->id, &p->mail->place, m, &err);
    if (ok) {
        in->header = spool_header(m);
        in->full = p->mail->envelope.report == RETURN_FULL && p->mail->place.length <= FULL_MAX;
        while (in->full && (ok = spool_next(m, &chunk, &err)) && chunk.len > 0)
            buf_add(body, chunk);
        in->body = buf_span(body);
    }
    if (!ok) /* the report tells what happened without it */
        log_end(
            log_text(log_id(log_begin(LOG_ERROR, "not_quoted"), p->mail->id), "reply", err.text));
}

static struct mail *notice_mail(const struct parcel *p, struct span text)
{
    struct address sender;
    char domain[ADDRESS_DOMAIN_MAX + 1];
    const struct mail *original = p->mail;
    size_t header_len = 0;
    if (!address_parse(span_of(original->envelope.sender), &sender) ||
        !address_domain_ascii(sender.domain, domain))
        return NULL;
    struct mail *m = mail_new();
    m->id = store_new_id(p->shard->common->store);
    m->created_ms = clock_now_ms();
    m->class = STREAM_NOTIFICATION;
    m->expires_ms = m->created_ms + stream_lifetime_ms(NULL, m->class);
    snprintf(m->tenant, sizeof(m->tenant), "%s", original->tenant);
    snprintf(m->credential, sizeof(m->credential), "%s", original->credential);
    snprintf(m->from_domain, sizeof(m->from_domain), "%s", original->from_domain);
    m->envelope.sender = xstrdup("");
    m->envelope.id = xstrdup("");
    m->envelope.smtputf8 = !span_is_ascii(sender.text);
    envelope_add(&m->envelope, sender.text, domain, SPAN_NONE, 0);
    message_header_length(text, &header_len);
    m->header_utf8 = !span_is_ascii(span_first(text, header_len));
    m->body_8bit = !span_is_ascii(text);
    return m;
}

/* Add one notification for all recipients that call for it; true when there are any and it is in
 * the job. */
static bool add_notice(struct parcel *p, struct store_job *job, enum bounce_action action)
{
    struct bounce_recipient recipients[SCHEDULER_PARCEL_MAX];
    char id[MAIL_ID_TEXT];
    struct spool_message message = {.fd = -1};
    struct buf body;
    struct bounce_input in = {.action = action,
                              .hostname = p->settings->config->hostname,
                              .from_domain = p->mail->from_domain,
                              .id = id,
                              .header = SPAN_NONE,
                              .body = SPAN_NONE,
                              .to = span_of(p->mail->envelope.sender),
                              .envelope_id = span_of(p->mail->envelope.id),
                              .arrived_ms = p->mail->created_ms,
                              .now_ms = clock_now_ms(),
                              .expires_ms = p->mail->expires_ms,
                              .recipients = recipients};
    for (size_t i = 0; i < job->outcome_count; i++) {
        const struct envelope_rcpt *r = &p->mail->envelope.rcpts[i];
        if (!wants_notice(p, i, &job->outcomes[i], action))
            continue;
        struct span remote = span_of(p->remote); /* without the address */
        recipients[in.count++] =
            (struct bounce_recipient){span_of(r->address), span_of(r->original), p->answers[i],
                                      span_first(remote, span_find(remote, '['))};
        job->outcomes[i].tell_delay = action == BOUNCE_DELAYED;
    }
    if (in.count == 0)
        return false;
    mail_id_print(p->mail->id, id);
    buf_init(&body, FULL_MAX + SPOOL_CHUNK);
    read_original(p, &in, &body, &message);
    job->body.limit = BOUNCE_MAX;
    if (bounce_write(&in, &job->body))
        job->mail = notice_mail(p, buf_span(&job->body));
    spool_close(&message);
    buf_fini(&body);
    return job->mail != NULL;
}

/* ---- outcomes ---- */

static void decide(struct parcel *p, struct store_job *job, size_t i)
{
    const struct mail_row *row = &p->mail->rows[i];
    struct retry_input in = {.answer = p->answers[i],
                             .stream = links_stream(p->settings, p->mail),
                             .class = p->mail->class,
                             .tries = row->tries,
                             .not_attempted = p->not_attempted,
                             .now_ms = clock_now_ms(),
                             .expires_ms = p->mail->expires_ms,
                             .not_before_ms = p->not_before_ms};
    secret_random(&in.random, sizeof(in.random));
    struct retry_decision d = retry_decide(&in);
    static const struct {
        enum mail_state state;
        const char *kind;
    } moves[] = {[RETRY_DONE] = {MAIL_DONE, "delivered"},
                 [RETRY_LATER] = {MAIL_WAITING, "deferred"},
                 [RETRY_NEVER] = {MAIL_BOUNCED, "bounced"}};
    bool held = p->damaged && d.what == RETRY_LATER; /* there is nothing to try with (C4) */
    struct store_outcome *o = store_job_add_outcome(job);
    *o = (struct store_outcome){.message = p->mail->id,
                                .number = row->number,
                                .state = held ? MAIL_HELD : moves[d.what].state,
                                .tries = d.tries,
                                .due_ms = d.due_ms,
                                .class = p->mail->class,
                                .answer = p->answers[i],
                                .kind = held               ? "held"
                                        : p->suppressed[i] ? "suppressed"
                                        : d.expired        ? "expired"
                                                           : moves[d.what].kind};
    bool said = p->own[i] && p->mail->protocol[0]; /* by a server, of mail that is not ours */
    if (d.what == RETRY_NEVER && said &&
        suppress_is_hard(&p->answers[i], span_of(p->mail->envelope.sender))) {
        snprintf(o->suppress, sizeof(o->suppress), "%s", p->mail->tenant);
        o->suppress_ms = (int64_t)p->settings->config->suppress_days * 24 * 3600 * 1000;
    }
    snprintf(o->remote, sizeof(o->remote), "%s", p->remote);
}

static void log_outcome(const struct parcel *p, size_t i, const struct store_outcome *o)
{
    enum log_level level = o->state == MAIL_HELD                          ? LOG_ERROR
                           : o->state == MAIL_WAITING && p->not_attempted ? LOG_WARN
                                                                          : LOG_INFO;
    struct log_line *line = log_text(log_id(log_begin(level, o->kind), p->mail->id), "rcpt",
                                     p->mail->envelope.rcpts[i].address);
    if (p->remote[0])
        line = log_text(log_text(line, "mx", p->remote), "tls", p->tls[0] ? p->tls : "none");
    line = log_text(log_number(line, "code", o->answer.code), "dsn", o->answer.enhanced);
    line = log_number(log_text(line, "reply", o->answer.text), "tries", o->tries);
    int64_t now_ms = clock_now_ms();
    if (o->state == MAIL_WAITING)
        line = log_number(line, "due", (o->due_ms - now_ms) / 1000);
    log_end(log_number(line, "delay_ms", now_ms - p->mail->created_ms));
}

static void on_notice_stored(struct shard *s, struct store_job *job)
{
    (void)s;
    store_job_free(job);
}

static void on_settled(struct shard *s, struct store_job *job)
{
    struct parcel *p = job->context;
    (void)s;
    if (!job->ok) /* only when the store ends without having been able to record it */
        log_event(LOG_ERROR, "unrecorded", "reply", job->err.text);
    for (size_t i = 0; job->ok && i < job->outcome_count; i++)
        log_outcome(p, i, &job->outcomes[i]);
    job->context = NULL;
    store_job_free(job);
    parcel_end(p);
}

/* What cannot go into the same transaction goes into its own: it reports on success or delay, and
 * nothing hangs on it.
 */
static void send_notice_alone(struct parcel *p, struct store_job *outcomes,
                              enum bounce_action action)
{
    struct store_job *alone = store_job_new(NULL, NULL);
    alone->outcomes = outcomes->outcomes;
    alone->outcome_count = outcomes->outcome_count;
    bool made = add_notice(p, alone, action);
    alone->outcomes = NULL;
    alone->outcome_count = 0;
    if (made)
        shard_ask_store(p->shard, alone, on_notice_stored);
    else
        store_job_free(alone);
}

static void note_dialogue(struct parcel *p)
{
    if (p->dialogue.len == 0)
        return;
    struct store_job *job = store_job_new(NULL, NULL);
    job->note_message = p->mail->id;
    job->note = xstrdup(buf_text(&p->dialogue));
    shard_ask_store(p->shard, job, on_notice_stored);
}

/* Nobody was asked, and the rows say why already: a resting site or a dead network must not write
 * down its whole backlog again and again.
 */
static bool is_old_news(const struct parcel *p, const struct store_job *job)
{
    for (size_t i = 0; i < job->outcome_count; i++) {
        const struct store_outcome *o = &job->outcomes[i];
        const struct mail_row *row = &p->mail->rows[i];
        if (!p->not_attempted || o->state != MAIL_WAITING || row->code != o->answer.code ||
            strcmp(row->enhanced, o->answer.enhanced) != 0)
            return false;
    }
    return true;
}

/* The clock may have been set while the parcel was under way. */
static void follow_clock(struct parcel *p)
{
    int64_t moved_ms = clock_offset_ms() - p->clock_offset_ms;
    p->clock_offset_ms += moved_ms;
    p->mail->created_ms += moved_ms;
    p->mail->expires_ms += moved_ms;
}

void parcel_settle(struct parcel *p)
{
    struct store_job *job = store_job_new(NULL, NULL);
    p->settling = true;
    follow_clock(p);
    job->context = p;
    note_dialogue(p);
    for (size_t i = 0; i < p->mail->envelope.count; i++)
        decide(p, job, i);
    bool noticed = add_notice(p, job, BOUNCE_FAILED);
    static const enum bounce_action others[] = {BOUNCE_DELAYED, BOUNCE_RELAYED};
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        if (noticed)
            send_notice_alone(p, job, others[i]);
        else
            noticed = add_notice(p, job, others[i]);
    }
    if (!noticed && is_old_news(p, job)) {
        p->work->again_in_ms = job->outcomes[0].due_ms - clock_now_ms();
        store_job_free(job);
        parcel_end(p);
        return;
    }
    shard_ask_store(p->shard, job, on_settled);
}
