// SPDX-License-Identifier: BSD-2-Clause
/* session.c - A client's session: feed the machine, answer what it wants.
 *
 * All the waiting is in session_pump(), called at the end of every callback. What is asked of
 * others (credential, disk, store) comes back by the session's id: when the client has gone
 * meanwhile, nobody is found, and nothing happens.
 */
#include "session_parts.h"

#include "admit.h"
#include "aligner.h"
#include "clock.h"
#include "crowd.h"
#include "log.h"
#include "notices.h"
#include "receipt.h"
#include "spool.h"
#include "verdicts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct session *session_find(struct shard *shard, uint64_t id)
{
    struct session *s = NULL;
    HASH_FIND(hh, shard->sessions, &id, sizeof(id), s);
    return s;
}

/* ---- enqueue ---- */

static void refuse(struct session *s, const struct verdict *v, struct span hint)
{
    log_end(log_text(log_number(log_text(log_text(log_text(log_begin(LOG_INFO, "refused"), "user",
                                                           s->submission.identity.name),
                                                  "peer", s->peer),
                                         "from", s->submission.envelope.sender),
                                "code", v->code),
                     "reply", v->text));
    intake_free(s->intake, false);
    s->intake = NULL;
    submission_enqueue_refused(&s->submission, v, hint);
}

static struct mail *make_mail(struct session *s)
{
    struct submission *sub = &s->submission;
    struct mail *m = mail_new();
    if (s->intake)
        intake_place(s->intake, &m->id, &m->place);
    else
        m->id = store_new_id(s->shard->common->store);
    m->created_ms = clock_now_ms();
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

static void on_stored(struct shard *shard, struct store_job *job)
{
    struct session *s = session_find(shard, job->session);
    struct verdict v = receipt_answer(job);
    if (!job->ok && job->refusal.code == 0 && !job->repeats)
        log_event(LOG_ERROR, "store_failed", "reply", job->err.text);
    if (!job->ok && job->body.len == 0)
        spool_unlink(shard->settings->config->state_dir, job->mail->place.segment);
    if (s) {
        receipt_log(job);
        s->asking = false;
        if (job->refusal.code != 0) {
            if (span_ends_nocase(span_of(job->refusal.enhanced), SPAN(".7.28"))) /* a mail flood */
                recipient_flooded(shard, job->mail->envelope.rcpts[0].address,
                                  job->mail->credential);
            s->submission.envelope = job->mail->envelope; /* it has not gone anywhere */
            job->mail->envelope = (struct envelope){0};
            refuse(s, &v, SPAN_NONE);
        } else {
            submission_enqueue_decided(&s->submission, &v);
        }
        session_pump(s);
    } else if (job->ok) {
        log_end(log_id(log_begin(LOG_INFO, "accepted_unheard"), job->mail->id));
    }
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

static void ask_store(struct session *s)
{
    struct store_job *job = store_job_new(NULL, NULL);
    job->mail = make_mail(s);
    job->session = s->id;
    job->throttle = &s->settings->config->throttle;
    job->on_limit = s->admission.on_limit;
    job->may_capture = true;
    job->operators = s->settings->config->operators;
    job->operator_count = s->settings->config->operator_count;
    job->once = s->once;
    s->once = NULL;
    if (s->intake) {
        intake_free(s->intake, true); /* from here on the file is the store's */
        s->intake = NULL;
    } else {
        make_fingerprint(s, job);
        job->body = s->submission.body; /* the memory moves along */
        buf_init(&s->submission.body, job->body.limit);
    }
    s->asking = true;
    shard_ask_store(s->shard, job, on_stored);
}

static void store_message(struct session *s)
{
    if (s->intake) {
        s->asking = true;
        intake_finish(s->intake, &s->submission.body);
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

static void check_alignment(struct session *s)
{
    struct shard *shard = s->shard;
    const struct alignment *alignment = NULL;
    const char *author = s->admission.summary.from_domain;
    const char *return_domain = s->admission.sender_domain;
    enum alignment_mode mode = alignment_mode(s);
    if (mode == ALIGNMENT_OFF) {
        store_message(s);
        return;
    }
    switch (verdicts_find(shard->verdicts, author, return_domain, clock_steady_ms(),
                          aligner_epoch(shard->common->aligner), &alignment)) {
    case VERDICTS_USE:
        conclude(s, alignment, mode);
        break;
    case VERDICTS_REFRESH:
        aligned_ask(shard, 0, author, return_domain);
        conclude(s, alignment, mode);
        break;
    case VERDICTS_ASK_FIRST:
        s->asking = true;
        aligned_ask(shard, s->id, author, return_domain);
        break;
    }
}

void session_aligned(struct shard *shard, uint64_t id, const struct alignment *alignment)
{
    struct session *s = session_find(shard, id);
    if (!s)
        return;
    s->asking = false;
    conclude(s, alignment, alignment_mode(s));
    session_pump(s);
}

static void enqueue(struct session *s)
{
    struct submission *sub = &s->submission;
    struct admit_input input = {.identity = &sub->identity,
                                .streams = s->settings->config->streams,
                                .stream_count = s->settings->config->stream_count,
                                .sender = span_of(sub->envelope.sender),
                                .header = submission_header(sub),
                                .smtputf8 = sub->envelope.smtputf8,
                                .facts = sub->facts};
    struct verdict v = admit_message(&input, &s->admission);
    free(s->once);
    s->once = v.what == VERDICT_ACCEPT && s->admission.summary.once.len > 0
                  ? envelope_text(s->admission.summary.once)
                  : NULL;
    if (s->admission.foreign)
        notices_add(s->shard->common->notices, ALERT_IDENTITY, sub->identity.name, v.text);
    if (v.what == VERDICT_ACCEPT)
        check_alignment(s);
    else
        refuse(s, &v, SPAN_NONE);
}

static void spill(struct session *s)
{
    if (!s->intake)
        s->intake = intake_new(s->shard, s->id);
    s->asking = true;
    intake_write(s->intake, &s->submission.body);
}

void session_intake_done(struct shard *shard, uint64_t id, const struct err *failed)
{
    struct session *s = session_find(shard, id);
    if (!s)
        return;
    s->asking = false;
    if (failed) {
        struct verdict v = receipt_failure(failed);
        log_event(LOG_ERROR, "store_failed", "reply", failed->text);
        intake_free(s->intake, false);
        s->intake = NULL;
        if (s->submission.want == SUBMISSION_SPILL)
            submission_spilled(&s->submission, &v);
        else
            submission_enqueue_decided(&s->submission, &v);
    } else if (s->submission.want == SUBMISSION_SPILL) {
        submission_spilled(&s->submission, NULL);
    } else {
        ask_store(s);
    }
    session_pump(s);
}

void session_auth_decided(struct shard *shard, uint64_t id, const struct auth_answer *answer)
{
    struct session *s = session_find(shard, id);
    if (!s)
        return;
    s->asking = false;
    if (!answer->identity)
        log_end(log_text(log_text(log_begin(LOG_WARN, answer->busy            ? "auth_busy"
                                                      : answer->locked_ms > 0 ? "auth_kept_out"
                                                                              : "auth_refused"),
                                  "peer", s->peer),
                         "helo", s->submission.helo));
    if (answer->locked_ms > 0)
        submission_auth_locked(&s->submission, answer->locked_ms / 1000 + 1);
    else
        submission_auth_decided(&s->submission, answer->identity, answer->busy);
    session_pump(s);
}

/* ---- the pump ---- */

static void ask_auth(struct session *s)
{
    struct submission_claim claim = submission_auth(&s->submission);
    s->asking = true;
    auth_ask(s->shard, s->id, s->peer, &claim);
}

static void find_keys(struct session *s)
{
    char keys[SCRAM_KEYS_TEXT] = "";
    if (!auth_keys(s->shard, submission_auth(&s->submission).name, keys))
        log_event(LOG_WARN, "auth_busy", "peer", s->peer);
    submission_keys(&s->submission, keys); /* with none, no proof will fit */
}

/* A client in the middle of a message may finish it; others are sent away when the shard drains. */
static void drain_if_idle(struct session *s)
{
    if (s->shard->draining && s->submission.want == SUBMISSION_INPUT &&
        s->submission.phase != SUBMISSION_DATA)
        submission_hang_up(&s->submission, "is closing down: try again in a minute");
}

void session_pump(struct session *s)
{
    struct submission *sub = &s->submission;
    while (!s->asking && (sub->want == SUBMISSION_ENQUEUE || sub->want == SUBMISSION_SPILL ||
                          sub->want == SUBMISSION_LIMIT || sub->want == SUBMISSION_AUTH ||
                          sub->want == SUBMISSION_KEYS)) {
        if (sub->want == SUBMISSION_ENQUEUE)
            enqueue(s);
        else if (sub->want == SUBMISSION_SPILL)
            spill(s);
        else if (sub->want == SUBMISSION_LIMIT)
            recipient_judge(s->shard, s->settings, sub);
        else if (sub->want == SUBMISSION_KEYS)
            find_keys(s);
        else
            ask_auth(s);
    }
    if (sub->foreign[0])
        notices_add(s->shard->common->notices, ALERT_IDENTITY, sub->identity.name, sub->foreign);
    sub->foreign[0] = '\0';
    drain_if_idle(s);
    if (sub->want != SUBMISSION_CLOSE)
        connection_write(s->connection, &sub->out);
    switch (sub->want) {
    case SUBMISSION_INPUT:
        connection_want_bytes(s->connection, true);
        break;
    case SUBMISSION_TLS:
        if (!connection_tls(s->connection))
            connection_accept_tls(s->connection, s->settings->server, TLS_SMTP);
        connection_want_bytes(s->connection, true);
        break;
    case SUBMISSION_KEYS:
    case SUBMISSION_AUTH:
    case SUBMISSION_LIMIT:
    case SUBMISSION_SPILL:
    case SUBMISSION_ENQUEUE:
        connection_want_bytes(s->connection, false);
        break;
    case SUBMISSION_CLOSE:
        connection_finish(s->connection, &sub->out);
        break;
    }
}

/* ---- events of the connection ---- */

static void bind_tls(struct session *s)
{
    const struct tls *tls = connection_tls(s->connection);
    unsigned char binding[SCRAM_BINDING];
    if (tls && tls_binding(tls, binding))
        submission_bind(&s->submission, binding);
}

static void start(struct session *s)
{
    s->started = true;
    submission_init(&s->submission,
                    s->implicit_tls ? &s->settings->implicit : &s->settings->starttls);
    bind_tls(s);
    session_pump(s);
}

static void on_bytes(void *owner, struct span bytes)
{
    struct session *s = owner;
    s->bytes += bytes.len;
    if (s->started && s->submission.want == SUBMISSION_INPUT) {
        s->submission.short_of_memory = atomic_load(&s->shard->common->short_of_memory);
        submission_input(&s->submission, bytes);
        session_pump(s);
    }
}

static void on_secured(void *owner)
{
    struct session *s = owner;
    if (!s->started) {
        start(s);
        return;
    }
    submission_tls_started(&s->submission);
    bind_tls(s);
    session_pump(s);
}

static bool on_timed_out(void *owner)
{
    struct session *s = owner;
    if (!s->started || s->asking)
        return s->asking;
    submission_hang_up(&s->submission, "waited too long: closing");
    session_pump(s);
    return true;
}

static void on_ended(void *owner, const char *why)
{
    struct session *s = owner;
    struct shard *shard = s->shard;
    log_end(
        log_text(log_text(log_begin(LOG_DEBUG, "disconnected"), "peer", s->peer), "reply", why));
    HASH_DEL(shard->sessions, s);
    atomic_fetch_sub(&shard->common->connections, 1);
    if (s->counted)
        crowd_leave(shard->common->crowd, s->peer);
    intake_free(s->intake, false);
    if (s->started)
        submission_fini(&s->submission);
    free(s->once);
    free(s);
    shard_something_ended(shard);
}

static const struct connection_events events = {
    .bytes = on_bytes, .secured = on_secured, .timed_out = on_timed_out, .ended = on_ended};

static void turn_away(struct session *s)
{
    struct buf text;
    buf_init(&text, 512);
    buf_addf(&text, "421 4.3.2 %s has too many connections: try again later\r\n",
             s->settings->config->hostname);
    connection_finish(s->connection, s->implicit_tls ? NULL : &text);
    buf_fini(&text);
}

static bool count_in(struct session *s)
{
    const struct config *c = s->settings->config;
    s->counted = crowd_enter(s->shard->common->crowd, s->peer, c->per_address, c->per_network);
    return s->counted;
}

void session_accept(struct shard *shard, uv_stream_t *server, bool implicit_tls)
{
    struct session *s = xcalloc(1, sizeof(*s));
    s->id = ++shard->next_session;
    s->shard = shard;
    s->settings = shard->settings;
    s->implicit_tls = implicit_tls;
    HASH_ADD(hh, shard->sessions, id, sizeof(s->id), s);
    unsigned count = atomic_fetch_add(&shard->common->connections, 1) + 1;
    s->connection = connection_accept(server, &events, s);
    connection_peer(s->connection, s->peer);
    connection_set_timeout(s->connection, s->settings->config->idle_s);
    log_event(LOG_DEBUG, "connected", "peer", s->peer);
    s->then_ms = uv_now(&shard->loop);
    if (count > s->settings->config->connections || shard->draining ||
        atomic_load(&shard->common->short_of_memory) || !count_in(s)) {
        turn_away(s);
    } else if (implicit_tls) {
        connection_accept_tls(s->connection, s->settings->server, TLS_SMTP);
        connection_want_bytes(s->connection, true);
    } else {
        start(s);
    }
}

void session_drain_all(struct shard *shard)
{
    struct session *s;
    struct session *next;
    HASH_ITER (hh, shard->sessions, s, next) {
        if (s->started)
            session_pump(s);
        else
            connection_close(s->connection, "closing down");
    }
}

void session_close_all(struct shard *shard)
{
    struct session *s;
    struct session *next;
    HASH_ITER (hh, shard->sessions, s, next)
        connection_close(s->connection, "closing down");
}
