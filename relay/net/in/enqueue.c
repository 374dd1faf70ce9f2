// SPDX-License-Identifier: BSD-2-Clause
/* enqueue.c - Handles the end of a message: admission, alignment, then the store; 250 after the
 * commit.
 *
 * A message too large for memory is written to disk while it arrives. A message that is refused
 * leaves nothing behind.
 */
#include "session_parts.h"

#include "admit.h"
#include "alignment_cache.h"
#include "alignment_client.h"
#include "alignment_service.h"
#include "body_writer.h"
#include "clock.h"
#include "incidents.h"
#include "key_loading.h"
#include "log.h"
#include "refusals.h"
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
    m->id = s->writer ? body_id(body_writer_body(s->writer)) : store_new_id(s->home->worker->store);
    if (s->writer)
        m->place = *body_place(body_writer_body(s->writer));
    m->created_ms = clock_steady_ms() + offset_ms;
    m->class = s->admission.class;
    m->expires_ms = m->created_ms + s->admission.lifetime_ms;
    span_put(span_of(s->admission.stream), m->stream, sizeof(m->stream));
    span_put(span_of(sub->identity.tenant), m->tenant, sizeof(m->tenant));
    span_put(span_of(sub->identity.name), m->credential, sizeof(m->credential));
    span_put(span_of(s->admission.summary.from_domain), m->from_domain, sizeof(m->from_domain));
    span_put(span_of(sub->helo), m->helo, sizeof(m->helo));
    span_put(span_of(s->peer), m->peer, sizeof(m->peer));
    span_put(span_of(submission_protocol(sub)), m->protocol, sizeof(m->protocol));
    if (s->admission.summary.message_id.len > 0)
        m->message_id = envelope_text(s->admission.summary.message_id);
    m->header_utf8 = s->admission.summary.has_utf8;
    m->body_8bit = sub->facts.has_8bit;
    m->tls_need = s->admission.tls_need;
    m->envelope = sub->envelope; /* the strings move along */
    sub->envelope = (struct envelope){0};
    return m;
}

/* It has not gone anywhere: the envelope is the session's again, and may be tried once more. */
static void on_refused(struct session *s, struct store_accept *a, const struct verdict *v)
{
    bool flood = span_ends_nocase(span_of(v->enhanced), SPAN(".7.28"));
    if (flood)
        rcpt_check_flooded(s->home, a->mail->envelope.rcpts[0].address, a->mail->credential);
    s->submission.envelope = a->mail->envelope;
    a->mail->envelope = (struct envelope){0};
    refuse_as(s, v, SPAN_NONE, span_of(a->mail->message_id ? a->mail->message_id : ""));
}

static void tell_session(struct session *s, struct store_accept *a)
{
    struct buf more;
    buf_init(&more, 256);
    struct verdict v = submission_reply_answer(a, &more);
    submission_reply_log(a);
    s->asking = false;
    if (a->refusal.code != 0)
        on_refused(s, a, &v);
    else
        submission_enqueue_refused(&s->submission, &v, buf_span(&more));
    buf_fini(&more);
    s->home->go_on(s);
}

static void on_stored(void *context, struct store_job *job)
{
    struct sessions *home = context;
    struct store_accept *a = OWNER_OF(job, struct store_accept, job);
    struct session *s = session_find(home, a->session);
    bool accepted = store_has_accepted(a);
    if (a->result == STORE_FAILED || a->result == STORE_NO_ROOM)
        log_end(log_text(
            log_text(log_text(log_begin(LOG_ERROR, "store_failed"), "user", a->mail->credential),
                     "peer", a->mail->peer),
            "reply", job->err.text));
    if (s)
        tell_session(s, a);
    else if (accepted)
        log_end(log_id(log_begin(LOG_INFO, "accepted_unheard"), a->mail->id));
    store_job_free(job);
}

/* What people ask for again and again is small; a large message is collapsed into nothing. */
static void make_fingerprint(struct session *s, struct store_accept *a)
{
    struct span header = submission_header(&s->submission);
    a->has_fingerprint = a->throttle->mode != THROTTLE_OFF && a->throttle->alike.every_ms > 0 &&
                         s->submission.body.len <= FINGERPRINT_SIZE_MAX;
    if (a->has_fingerprint)
        fingerprint_make(header, span_from(buf_span(&s->submission.body), header.len + 2),
                         a->mail->class, a->fingerprint);
}

/* Is it that message once more? Of a large one that has been found out while it was stored. */
static void make_digest(const struct session *s, struct store_accept *a)
{
    if (s->writer) {
        memcpy(a->content, body_digest(body_writer_body(s->writer)), sizeof(a->content));
        return;
    }
    struct content *c = content_new(store_content_key(s->home->worker->store));
    content_add(c, buf_span(&s->submission.body));
    content_end(c, a->content);
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
                                      .requiretls = sub->requiretls,
                                      .may_waive_tls = s->settings->config->allow_tls_optional,
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
    struct store_accept *a = store_accept_new();
    a->offset_ms = clock_offset_ms();
    a->mail = make_mail(s, a->offset_ms);
    a->session = s->id;
    a->throttle = &s->settings->config->throttle;
    a->room = config_room(s->settings->config);
    a->on_limit = s->admission.on_limit;
    a->may_capture = true;
    a->credential = credential_hold(s->credential);
    a->operators = s->settings->config->operators;
    a->operator_count = s->settings->config->operator_count;
    a->once = s->once;
    s->once = NULL;
    a->keyed = s->admission.summary.has_key;
    if (a->once)
        make_digest(s, a);
    if (s->writer) {
        body_writer_free(s->writer, true); /* from here on the file is the store's */
        s->writer = NULL;
    } else {
        make_fingerprint(s, a);
        buf_move(&a->body, &s->submission.body);
    }
    s->asking = true;
    worker_ask_store_by(s->home->worker, s->settings, &a->job, on_stored, s->home);
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
    const struct config *config = s->settings->config;
    const char *author = s->admission.summary.from_domain;
    const char *tenant = s->submission.identity.tenant;
    const struct alignment_pair pair = {
        author, config_return_domain(config, author, s->admission.sender_domain),
        config->source_count > 0 ? tenant : ""};
    enum alignment_mode mode = alignment_mode(s);
    if (mode == ALIGNMENT_OFF) {
        store_message(s);
        return;
    }
    switch (alignment_cache_find(home->verdicts, &pair, clock_steady_ms(),
                                 alignment_service_epoch(home->shared->alignment_service, author),
                                 &alignment)) {
    case ALIGNMENT_CACHE_USE:
        conclude(s, alignment, mode);
        break;
    case ALIGNMENT_CACHE_REFRESH:
        alignment_client_ask(home, 0, tenant, &pair, NULL);
        conclude(s, alignment, mode);
        break;
    case ALIGNMENT_CACHE_ASK_FIRST:
        s->asking = true;
        alignment_client_ask(home, s->id, tenant, &pair, on_judged);
        break;
    }
}

/* Its keys are known, or it is refused. */
static void admitted(struct session *s, struct verdict v)
{
    if (v.what == VERDICT_ACCEPT)
        v = keyring_verdict(s->home->shared->keyring, s->admission.summary.from_domain);
    free(s->once);
    s->once = v.what == VERDICT_ACCEPT && s->admission.summary.once.len > 0
                  ? envelope_text(s->admission.summary.once)
                  : NULL;
    if (s->admission.foreign)
        incidents_add(s->home->shared->incidents, ALERT_IDENTITY, s->submission.identity.name,
                      v.text);
    if (v.what == VERDICT_ACCEPT)
        check_alignment(s);
    else
        refuse(s, &v, SPAN_NONE);
}

static void on_keys_loaded(void *context, uint64_t id)
{
    struct sessions *home = context;
    struct session *s = session_find(home, id);
    if (!s)
        return;
    s->asking = false;
    admitted(s, verdict_make(250, "2.0.0", "OK"));
    home->go_on(s);
}

void session_enqueue(struct session *s)
{
    struct verdict v = admit(s);
    struct keyring *keyring = s->home->shared->keyring;
    const char *domain = s->admission.summary.from_domain;
    if (v.what != VERDICT_ACCEPT || keyring_is_ready(keyring, domain)) {
        admitted(s, v);
        return;
    }
    s->asking = true;
    key_loading_start(s->home->worker, keyring, domain, on_keys_loaded, s->home, s->id);
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
    const struct database_room room = config_room(s->settings->config);
    if (!s->writer)
        s->writer =
            body_writer_new(s->home, s->id, s->submission.identity.tenant, &room, on_written);
    s->body_writer_mail = s->submission.mails;
    s->asking = true;
    body_writer_write(s->writer, &s->submission.body);
}
