// SPDX-License-Identifier: BSD-2-Clause
/* enqueue.c - From the end of a message to its answer: admitted? believed by receivers? then to the
 * store, and 250 when it is there.
 *
 * What is too large for memory is stored away while it arrives; a message that is refused in
 * between leaves nothing behind.
 */
#include "session_parts.h"

#include "admit.h"
#include "alignment_cache.h"
#include "alignment_client.h"
#include "alignment_service.h"
#include "body_writer.h"
#include "clock.h"
#include "incidents.h"
#include "log.h"
#include "rcpt_check.h"
#include "refusals.h"
#include "spool.h"
#include "submission_reply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One line and event for each recipient, the first few. */
static void note_refusal(struct session *s, const struct verdict *v, struct span message_id)
{
    enum { RCPTS = 5 };
    const struct envelope *e = &s->submission.envelope;
    char id[256];
    size_t count = e->count < RCPTS ? e->count : RCPTS;
    snprintf(id, sizeof(id), "%.*s", SPAN_ARG(span_first(message_id, sizeof(id) - 1)));
    for (size_t i = 0; i < count; i++)
        refusals_add(s->home->shared->refusals,
                     &(struct refusal){.kind = "refused",
                                       .command = "DATA",
                                       .user = s->submission.identity.name,
                                       .about = e->rcpts[i].address,
                                       .sender = e->sender,
                                       .message_id = id,
                                       .peer = s->peer,
                                       .v = v});
}

static struct span own_message_id(const struct session *s)
{
    struct field f;
    bool found = message_find(submission_header(&s->submission), SPAN("Message-ID"), 0, &f);
    return found ? span_trim(f.value) : SPAN_NONE;
}

static void refuse_as(struct session *s, const struct verdict *v, struct span hint,
                      struct span message_id)
{
    note_refusal(s, v, message_id);
    body_writer_free(s->writer, false);
    s->writer = NULL;
    submission_enqueue_refused(&s->submission, v, hint);
}

static void refuse(struct session *s, const struct verdict *v, struct span hint)
{
    refuse_as(s, v, hint, own_message_id(s));
}

static struct mail *make_mail(struct session *s, int64_t offset_ms)
{
    struct submission *sub = &s->submission;
    struct mail *m = mail_new();
    if (s->writer)
        body_writer_place(s->writer, &m->id, &m->place);
    else
        m->id = store_new_id(s->home->worker->store);
    m->created_ms = clock_steady_ms() + offset_ms;
    m->class = s->admission.class;
    m->expires_ms = m->created_ms + s->admission.lifetime_ms;
    snprintf(m->stream, sizeof(m->stream), "%s", s->admission.stream);
    snprintf(m->tenant, sizeof(m->tenant), "%s", sub->identity.tenant);
    snprintf(m->credential, sizeof(m->credential), "%s", sub->identity.name);
    snprintf(m->from_domain, sizeof(m->from_domain), "%s", s->admission.summary.from_domain);
    snprintf(m->helo, sizeof(m->helo), "%s", sub->helo);
    snprintf(m->peer, sizeof(m->peer), "%s", s->peer);
    snprintf(m->protocol, sizeof(m->protocol), "%s", submission_protocol(sub));
    if (s->admission.summary.message_id.len > 0)
        m->message_id = envelope_text(s->admission.summary.message_id);
    m->header_utf8 = s->admission.summary.has_utf8;
    m->body_8bit = sub->facts.has_8bit;
    m->envelope = sub->envelope; /* the strings move along */
    sub->envelope = (struct envelope){0};
    return m;
}

static void on_stored(void *context, struct store_job *job)
{
    struct sessions *home = context;
    struct session *s = session_find(home, job->session);
    struct buf more;
    buf_init(&more, 256);
    struct verdict v = submission_reply_answer(job, &more);
    if (!job->ok && job->refusal.code == 0 && !job->is_duplicate)
        log_event(LOG_ERROR, "store_failed", "reply", job->err.text);
    if (!job->ok && job->body.len == 0)
        spool_unlink(home->worker->settings->config->state_dir, job->mail->place.segment);
    if (s) {
        submission_reply_log(job);
        s->asking = false;
        if (job->refusal.code != 0) {
            if (span_ends_nocase(span_of(job->refusal.enhanced), SPAN(".7.28"))) /* a mail flood */
                rcpt_check_flooded(home, job->mail->envelope.rcpts[0].address,
                                   job->mail->credential);
            s->submission.envelope = job->mail->envelope; /* it has not gone anywhere */
            job->mail->envelope = (struct envelope){0};
            refuse_as(s, &v, SPAN_NONE,
                      span_of(job->mail->message_id ? job->mail->message_id : ""));
        } else {
            submission_enqueue_refused(&s->submission, &v, buf_span(&more));
        }
        home->go_on(s);
    } else if (job->ok) {
        log_end(log_id(log_begin(LOG_INFO, "accepted_unheard"), job->mail->id));
    }
    buf_fini(&more);
    store_job_free(job);
}

/* What people ask for again and again is small; a large message is collapsed into nothing. */
static void make_fingerprint(struct session *s, struct store_job *job)
{
    struct span header = submission_header(&s->submission);
    job->has_fingerprint = job->throttle->mode != THROTTLE_OFF &&
                           job->throttle->alike.every_ms > 0 &&
                           s->submission.body.len <= FINGERPRINT_SIZE_MAX;
    if (job->has_fingerprint)
        fingerprint_make(header, span_from(buf_span(&s->submission.body), header.len + 2),
                         job->mail->class, job->fingerprint);
}

/* Is it that message once more? Of a large one that has been found out while it was stored. */
static void make_digest(const struct session *s, struct store_job *job)
{
    if (s->writer) {
        body_writer_digest(s->writer, job->content);
        return;
    }
    struct content *c = content_new(store_content_key(s->home->worker->store));
    content_add(c, buf_span(&s->submission.body));
    content_end(c, job->content);
}

static struct verdict admit(struct session *s)
{
    struct submission *sub = &s->submission;
    const struct admit_input input = {.identity = &sub->identity,
                                      .streams = s->settings->config->streams,
                                      .stream_count = s->settings->config->stream_count,
                                      .sender = span_of(sub->envelope.sender),
                                      .header = submission_header(sub),
                                      .smtputf8 = sub->envelope.smtputf8,
                                      .facts = sub->facts};
    return admit_message(&input, &s->admission);
}

/* May it still be accepted, after all that was waited for? */
static struct verdict judge_again(struct session *s)
{
    if (s->submission.ends)
        return submission_ended(&s->submission);
    return session_follow_settings(s) ? admit(s) : verdict_make(250, "2.0.0", "OK");
}

static void ask_store(struct session *s)
{
    struct verdict v = judge_again(s);
    if (v.what != VERDICT_ACCEPT) {
        refuse(s, &v, SPAN_NONE);
        return;
    }
    struct store_job *job = store_job_new(NULL, NULL);
    job->offset_ms = clock_offset_ms();
    job->mail = make_mail(s, job->offset_ms);
    job->session = s->id;
    job->throttle = &s->settings->config->throttle;
    job->room = (struct database_room){s->settings->config->storage_mb << 20,
                                       s->settings->config->tenant_storage_mb << 20};
    job->on_limit = s->admission.on_limit;
    job->may_capture = true;
    job->marked = true;
    job->accounts = s->accounts;
    memcpy(job->mark, s->mark, sizeof(job->mark));
    job->operators = s->settings->config->operators;
    job->operator_count = s->settings->config->operator_count;
    job->once = s->once;
    s->once = NULL;
    job->keyed = s->admission.summary.has_key;
    if (job->once)
        make_digest(s, job);
    if (s->writer) {
        body_writer_free(s->writer, true); /* from here on the file is the store's */
        s->writer = NULL;
    } else {
        make_fingerprint(s, job);
        buf_move(&job->body, &s->submission.body);
    }
    s->asking = true;
    worker_ask_store_by(s->home->worker, s->settings, job, on_stored, s->home);
}

static void store_message(struct session *s)
{
    if (s->writer) {
        s->asking = true;
        body_writer_finish(s->writer, &s->submission.body);
    } else {
        ask_store(s);
    }
}

/* Receivers will believe it, or nobody is certain that they will not. */
static void conclude(struct session *s, const struct alignment *alignment, enum alignment_mode mode)
{
    struct verdict v = alignment_verdict(alignment, mode);
    struct buf hint;
    if (v.what == VERDICT_ACCEPT) {
        store_message(s);
        return;
    }
    buf_init(&hint, 4096);
    alignment_hint(alignment, &hint);
    refuse(s, &v, buf_span(&hint));
    buf_fini(&hint);
}

static enum alignment_mode alignment_mode(const struct session *s)
{
    return config_alignment(s->settings->config, s->admission.summary.from_domain);
}

static void on_judged(struct sessions *home, uint64_t id, const struct alignment *alignment)
{
    struct session *s = session_find(home, id);
    if (!s)
        return;
    s->asking = false;
    conclude(s, alignment, alignment_mode(s));
    home->go_on(s);
}

static void check_alignment(struct session *s)
{
    struct sessions *home = s->home;
    const struct alignment *alignment = NULL;
    const char *author = s->admission.summary.from_domain;
    const char *return_domain = s->admission.sender_domain;
    enum alignment_mode mode = alignment_mode(s);
    if (mode == ALIGNMENT_OFF) {
        store_message(s);
        return;
    }
    switch (alignment_cache_find(home->verdicts, author, return_domain, clock_steady_ms(),
                                 alignment_service_epoch(home->shared->alignment_service, author),
                                 &alignment)) {
    case ALIGNMENT_CACHE_USE:
        conclude(s, alignment, mode);
        break;
    case ALIGNMENT_CACHE_REFRESH:
        alignment_client_ask(home, 0, author, return_domain, NULL);
        conclude(s, alignment, mode);
        break;
    case ALIGNMENT_CACHE_ASK_FIRST:
        s->asking = true;
        alignment_client_ask(home, s->id, author, return_domain, on_judged);
        break;
    }
}

void session_enqueue(struct session *s)
{
    struct submission *sub = &s->submission;
    struct verdict v = admit(s);
    if (v.what == VERDICT_ACCEPT)
        v = keyring_verdict(s->home->shared->keyring, s->home->worker->reader,
                            s->admission.summary.from_domain);
    free(s->once);
    s->once = v.what == VERDICT_ACCEPT && s->admission.summary.once.len > 0
                  ? envelope_text(s->admission.summary.once)
                  : NULL;
    if (s->admission.foreign)
        incidents_add(s->home->shared->incidents, ALERT_IDENTITY, sub->identity.name, v.text);
    if (v.what == VERDICT_ACCEPT)
        check_alignment(s);
    else
        refuse(s, &v, SPAN_NONE);
}

void session_forget_body(struct session *s)
{
    const struct submission *sub = &s->submission;
    if (!s->writer || s->asking || (sub->spilled && sub->mails == s->body_writer_mail))
        return;
    body_writer_free(s->writer, false);
    s->writer = NULL;
}

static void on_written(struct sessions *home, uint64_t id, const struct err *failed)
{
    struct session *s = session_find(home, id);
    if (!s)
        return;
    s->asking = false;
    if (failed) {
        struct verdict v = submission_reply_failure(failed);
        log_event(LOG_ERROR, "store_failed", "reply", failed->text);
        body_writer_free(s->writer, false);
        s->writer = NULL;
        if (s->submission.want == SUBMISSION_SPILL)
            submission_spilled(&s->submission, &v);
        else
            submission_enqueue_decided(&s->submission, &v);
    } else if (s->submission.want == SUBMISSION_SPILL) {
        submission_spilled(&s->submission, NULL);
    } else {
        ask_store(s);
    }
    home->go_on(s);
}

void session_spill(struct session *s)
{
    if (!s->writer)
        s->writer = body_writer_new(s->home, s->id, on_written);
    s->body_writer_mail = s->submission.mails;
    s->asking = true;
    body_writer_write(s->writer, &s->submission.body);
}
