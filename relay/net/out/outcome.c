// SPDX-License-Identifier: BSD-2-Clause
/* outcome.c - Turns answers into outcomes: done, later or never, each with a log line and an event.
 * For recipients that failed, or whose sender requested it, a report is owed from then on (C6).
 * Then the queue is told, and the attempt ends.
 *
 * A message that goes in several transactions, as to each recipient alone, is recorded in parts:
 * who has got it is with the store while the next one is asked. One part is on its way at a time,
 * and takes along all who came meanwhile; the end waits for it. */
#include "attempt.h"
#include "attempt_heard.h"
#include "clock.h"

#include "list_unsubscribe.h"
#include "log.h"
#include "reply.h"
#include "retry.h"
#include "return_path.h"
#include "session_count.h"
#include "suppress.h"
#include "works.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum { UNRECORDED_MAX = 20 };

/* Who has asked for it is told of a delay (RFC 3461 section 4.1); who has not said what he wants,
 * where the stream says when. Once. */
static bool is_told_of_delay(const struct attempt *p, size_t i)
{
    const struct stream *s = list_unsubscribe_stream(p->settings, p->mail);
    unsigned notify = p->mail->envelope.rcpts[i].notify;
    bool wanted = (notify & NOTIFY_DELAY) || (notify == 0 && s && s->delay_notice_ms > 0);
    return wanted && !p->mail->rows[i].delay_told &&
           clock_now_ms() - p->mail->created_ms > stream_late_ms(s, p->mail->class);
}

/* What the sender is to be told of it. */
static enum store_report report_on(const struct attempt *p, size_t i, enum mail_state state)
{
    unsigned notify = p->mail->envelope.rcpts[i].notify;
    bool hop_tells = p->hop_dsn && !return_path_has(p->settings, p->mail, i);
    if (p->mail->envelope.sender[0] == '\0') /* RFC 5321 section 4.5.5: never for a notification */
        return STORE_REPORT_NONE;
    switch (state) {
    case MAIL_BOUNCED:
        return notify == 0 || (notify & NOTIFY_FAILURE) ? STORE_REPORT_FAILED : STORE_REPORT_NONE;
    case MAIL_WAITING:
        return is_told_of_delay(p, i) ? STORE_REPORT_DELAYED : STORE_REPORT_NONE;
    case MAIL_DONE:
        return (notify & NOTIFY_SUCCESS) && !hop_tells ? STORE_REPORT_RELAYED : STORE_REPORT_NONE;
    case MAIL_HELD:
        return STORE_REPORT_NONE;
    }
    UNREACHABLE();
}

/* By whom it was said, or where there was trouble; what we refuse ourselves is nobody's word. */
static void note_remote(const struct attempt *p, size_t i, struct store_outcome *o)
{
    const struct mail_row *row = &p->mail->rows[i];
    const struct attempt_host *host = attempt_host_of(p, i);
    bool trouble = p->answers[i].what == VERDICT_DEFER && !p->not_attempted;
    o->heard = p->answers[i].heard;
    if (row->over) /* it was there, in an attempt before this one */
        span_put(span_of(row->remote), o->remote, sizeof(o->remote));
    else if (o->heard || trouble)
        span_put(span_of(host->remote), o->remote, sizeof(o->remote));
    if (o->remote[0] && !row->over) {
        o->tls_policy = host->tls_policy;
        o->tls_result = host->tls_result;
        span_put(span_of(host->tlsa), o->tlsa, sizeof(o->tlsa));
    }
}

static unsigned days_before_suppression(const struct attempt *p, size_t i,
                                        const struct reply_judgement *judgement)
{
    char sender[ADDRESS_MAX + 1];
    const char *ips[ALIGNMENT_IPS_MAX];
    return_path_make(p->settings, p->mail, i, sender);
    const struct suppress_sides sides = {.sender = span_of(sender),
                                         .from_domain = span_of(p->mail->from_domain),
                                         .hostname = span_of(attempt_hostname(p)),
                                         .ips = ips,
                                         .ip_count =
                                             config_source_ips(p->settings->config, p->source, ips),
                                         .recipient = span_of(p->mail->envelope.rcpts[i].address)};
    return suppress_after(judgement, &p->answers[i], &sides);
}

/* What it meant, written down; and that there is no such mailbox, of mail that is not ours. */
static void note_judgement(const struct attempt *p, size_t i,
                           const struct reply_judgement *judgement, struct store_outcome *o)
{
    o->meant = *judgement;
    o->meant.suppress_after = days_before_suppression(p, i, judgement);
    if (p->answers[i].what == VERDICT_REJECT && p->mail->protocol[0] && o->meant.suppress_after > 0)
        o->suppress_ms = suppress_for_ms(judgement->category, p->settings->config->suppress_days);
}

static void note_source(const struct attempt *p, struct store_outcome *o)
{
    if (p->source)
        span_put(span_of(p->source->name), o->source, sizeof(o->source));
}

/* What follows from a decision, and its event. */
static const struct {
    enum mail_state state;
    const char *kind;
} moves[] = {[RETRY_DONE] = {MAIL_DONE, "delivered"},
             [RETRY_LATER] = {MAIL_WAITING, "deferred"},
             [RETRY_NEVER] = {MAIL_BOUNCED, "bounced"}};

static void decide(struct attempt *p, struct store_settle *settle, size_t i)
{
    const struct mail_row *row = &p->mail->rows[i];
    struct retry_input in = {.answer = p->answers[i],
                             .stream = list_unsubscribe_stream(p->settings, p->mail),
                             .class = p->mail->class,
                             .tries = row->tries,
                             .not_attempted = p->not_attempted,
                             .no_host = p->no_host,
                             .now_ms = p->settled_ms,
                             .created_ms = p->mail->created_ms,
                             .expires_ms = p->mail->expires_ms};
    in.random = retry_random(p->mail->id, p->work->attempt->domain, row->tries);
    struct reply_judgement judgement;
    struct reply_action action = {.what = REPLY_DO_NOTHING};
    bool judged = attempt_judge(p, i, &judgement, &action);
    if (judged && judgement.retry)
        in.answer.what = VERDICT_DEFER;
    in.greylisted = action.what == REPLY_DO_RETRY_SOON;
    struct retry_decision d = retry_decide(&in);
    bool held = p->damaged && d.what == RETRY_LATER; /* there is nothing to try with (C4) */
    struct store_outcome *o = store_settle_add(settle);
    p->recorded[i] = true;
    *o = (struct store_outcome){.message = p->mail->id,
                                .number = row->number,
                                .state = held ? MAIL_HELD : moves[d.what].state,
                                .tries = d.tries,
                                .due_ms = d.due_ms,
                                .class = p->mail->class,
                                .answer = d.expired ? retry_expired(&p->answers[i]) : p->answers[i],
                                .kind = held               ? "held"
                                        : p->suppressed[i] ? "suppressed"
                                        : d.expired        ? "expired"
                                                           : moves[d.what].kind};
    o->report = report_on(p, i, o->state);
    if (judged)
        note_judgement(p, i, &judgement, o);
    if (p->answers[i].heard && !row->over && p->mail->protocol[0])
        (void)!attempt_site(p, i, o->site);
    o->returnable = d.what == RETRY_DONE && return_path_has(p->settings, p->mail, i);
    note_remote(p, i, o);
    note_source(p, o);
}

/* What a person has ended meanwhile is no more deferred. */
static const char *log_word(const struct store_outcome *o)
{
    return o->result == STORE_SUPERSEDED && o->state == MAIL_WAITING ? "deleted" : o->kind;
}

static void log_outcome(const struct attempt *p, size_t i, const struct store_outcome *o)
{
    const struct attempt_host *host = attempt_host_of(p, i);
    enum log_level level = o->state == MAIL_HELD                          ? LOG_ERROR
                           : o->state == MAIL_WAITING && p->not_attempted ? LOG_WARN
                                                                          : LOG_INFO;
    struct log_line *line = log_text(log_id(log_begin(level, log_word(o)), p->mail->id), "rcpt",
                                     p->mail->envelope.rcpts[i].address);
    bool by_host = o->remote[0] != '\0' && !p->mail->rows[i].over; /* in this attempt */
    if (o->remote[0])
        line = log_text(line, "mx", o->remote);
    if (p->source)
        line = log_text(line, "source", p->source->name);
    if (by_host)
        line = log_text(line, "tls", host->tls[0] ? host->tls : "none");
    if (o->tls_policy != TLS_POLICY_NONE)
        line = log_text(log_text(line, "tls_policy", tls_policy_name(o->tls_policy)), "tls_result",
                        tls_result_name(o->tls_result));
    if (by_host && host->tls[0])
        line = log_text(line, "verified", host->verified ? "yes" : "no");
    if (by_host && host->tls[0] && p->route->username[0])
        line = log_text(line, "user", p->route->username);
    line = log_text(log_number(line, "code", o->answer.code), "dsn", o->answer.enhanced);
    line = log_text(line, "reply", o->answer.text);
    if (o->meant.rule[0])
        line = log_text(log_text(line, "category", reply_category_name(o->meant.category)), "rule",
                        o->meant.rule);
    line = log_number(line, "tries", o->tries);
    int64_t now_ms = clock_now_ms();
    if (o->state == MAIL_WAITING && o->result != STORE_SUPERSEDED)
        line = log_number(line, "due", (o->due_ms - now_ms) / 1000);
    log_end(log_number(line, "delay_ms", now_ms - p->mail->created_ms));
}

/* ---- the end ---- */

/* One that no connection has been used for gives it back. */
static void tell_queue(struct attempt *p)
{
    struct dispatch_work *work = p->work;
    if (p->untried)
        return;
    if (p->moved)
        dispatch_moved(work->dispatch, work->attempt, p->source ? p->source->name : "",
                       attempt_left_ms(p));
    else if (p->outdated)
        dispatch_outdated(work->dispatch, work->attempt);
    else if (p->again_in_ms > 0)
        dispatch_again(work->dispatch, work->attempt, p->again_in_ms);
    else
        dispatch_settled(work->dispatch, work->attempt, p->left);
    if (work->kind == QUEUE_OPEN && !work->used)
        dispatch_closed(work->dispatch, work->connection);
}

void attempt_end(struct attempt *p)
{
    struct deliveries *home = p->home;
    sts_answer_fini(&p->policy);
    if (p->recording > 0) {
        p->then = ATTEMPT_ENDS;
        return;
    }
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): p is in the list */
    DL_DELETE(home->attempts, p);
    session_count_keep(p);
    tell_queue(p);
    dispatch_work_free(p->work);
    mail_free(p->mail);
    store_question_free(p->reading.answer);
    free(p->answers);
    free(p->at);
    free(p->suppressed);
    free(p->left);
    free(p->recorded);
    free(p->by);
    free(p->hosts);
    buf_fini(&p->dialogue);
    settings_drop(p->settings);
    free(p);
    worker_something_ended(home->worker);
}

void attempt_drop(struct attempt *p)
{
    p->untried = true;
    attempt_end(p);
}

/* ---- what the store says ---- */

/* It has arrived all the same: whoever has deleted it while it was under way reads that. */
static void tell_superseded(const struct attempt *p, size_t i, const struct store_outcome *o)
{
    struct database_event event = {.kind = o->kind,
                                   .message = o->message,
                                   .recipient = p->mail->envelope.rcpts[i].address,
                                   .code = o->answer.code,
                                   .enhanced = o->answer.enhanced,
                                   .reply = o->answer.text,
                                   .remote = o->remote,
                                   .tenant = p->mail->tenant};
    if (o->result == STORE_SUPERSEDED && o->state == MAIL_DONE)
        store_tell(p->home->worker->store, &event);
}

static size_t find_row(const struct attempt *p, unsigned number)
{
    size_t i = 0;
    while (p->mail->rows[i].number != number)
        CHECK(++i < p->mail->envelope.count);
    return i;
}

/* Says what has become of them. Frees the job. */
static void tell(struct attempt *p, struct store_job *job)
{
    struct store_settle *settle = OWNER_OF(job, struct store_settle, job);
    works_recorded(p->home);
    for (size_t k = 0; settle->result == STORE_RECORDED && k < settle->count; k++) {
        size_t i = find_row(p, settle->outcomes[k].number);
        log_outcome(p, i, &settle->outcomes[k]);
        tell_superseded(p, i, &settle->outcomes[k]);
    }
    store_job_free(job);
}

static void on_settled(void *context, struct store_job *job)
{
    tell(context, job);
    attempt_end(context);
}

static struct store_settle *begin_settle(struct attempt *p)
{
    struct store_settle *settle = store_settle_new();
    attempt_follow_clock(p);
    p->settled_ms = clock_now_ms();         /* one for all: they stay together */
    settle->offset_ms = p->clock_offset_ms; /* what the outcomes' times are of */
    return settle;
}

static void put(struct attempt *p, struct store_settle *settle, worker_on_stored *done)
{
    works_unrecorded(p->home);
    worker_ask_store(p->home->worker, &settle->job, done, p);
}

/* ---- who has got it, while others are asked ---- */

static bool is_to_be_recorded(const struct attempt *p, size_t i)
{
    return p->answers[i].code != 0 && p->answers[i].what == VERDICT_ACCEPT && !p->recorded[i];
}

static void on_recorded(void *context, struct store_job *job);

static void record(struct attempt *p)
{
    struct store_settle *settle = begin_settle(p);
    for (size_t i = 0; i < p->mail->envelope.count; i++)
        if (is_to_be_recorded(p, i))
            decide(p, settle, i);
    p->recording = settle->count;
    if (p->recording > 0)
        put(p, settle, on_recorded);
    else
        store_job_free(&settle->job);
}

static void on_recorded(void *context, struct store_job *job)
{
    struct attempt *p = context;
    tell(p, job);
    p->recording = 0;
    switch (p->then) {
    case ATTEMPT_GOES_ON:
        record(p);
        break;
    case ATTEMPT_SETTLES:
        attempt_settle(p);
        break;
    case ATTEMPT_ENDS:
        attempt_end(p);
        break;
    }
}

void attempt_record(struct attempt *p)
{
    if (p->recording == 0)
        record(p);
}

bool attempt_asks_no_more(const struct attempt *p)
{
    const struct verdict *reply;
    size_t unrecorded = p->recording;
    for (size_t i = 0; p->recording > 0 && i < p->mail->envelope.count; i++)
        unrecorded += is_to_be_recorded(p, i);
    return unrecorded >= UNRECORDED_MAX || attempt_spoken(p, &reply) == QUEUE_TOO_FAST ||
           attempt_is_refused_for_others(p);
}

/* ---- all of it ---- */

static void note_dialogue(struct attempt *p)
{
    if (p->dialogue.len > 0)
        store_tell(p->home->worker->store,
                   &(struct database_event){.kind = "dialogue",
                                            .message = p->mail->id,
                                            .reply = buf_text(&p->dialogue)});
}

/* Nobody was asked, and the rows say why already: a dead network must not write down its whole
 * backlog again and again.
 */
static bool is_old_news(const struct attempt *p, const struct store_settle *settle)
{
    if (settle->count < p->mail->envelope.count)
        return false;
    for (size_t i = 0; i < settle->count; i++) {
        const struct store_outcome *o = &settle->outcomes[i];
        const struct mail_row *row = &p->mail->rows[i];
        if (!p->not_attempted || o->report != STORE_REPORT_NONE || o->state != MAIL_WAITING ||
            row->code != o->answer.code || strcmp(row->enhanced, o->answer.enhanced) != 0)
            return false;
    }
    return true;
}

void attempt_settle(struct attempt *p)
{
    sts_answer_fini(&p->policy);
    if (p->recording > 0) {
        p->then = ATTEMPT_SETTLES;
        return;
    }
    struct store_settle *settle = begin_settle(p);
    note_dialogue(p);
    for (size_t i = 0; i < p->mail->envelope.count; i++)
        if (!p->recorded[i])
            decide(p, settle, i);
    if (is_old_news(p, settle)) {
        int64_t wait_ms = settle->outcomes[0].due_ms - p->settled_ms;
        p->again_in_ms = wait_ms > 0 ? wait_ms : 1;
        store_job_free(&settle->job);
        attempt_end(p);
        return;
    }
    session_count_settle(p, settle);
    put(p, settle, on_settled);
}
