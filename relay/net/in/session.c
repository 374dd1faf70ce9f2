// SPDX-License-Identifier: BSD-2-Clause
/* session.c - A client's session: passes bytes to the submission machine, and answers its requests.
 *
 * session_pump() is called at the end of every callback. Answers of others (credential, disk,
 * store) find their session by its id: if the client has disconnected meanwhile, there is none, and
 * nothing happens.
 */
#include "session_parts.h"

#include "auth.h"
#include "body_writer.h"
#include "incidents.h"
#include "log.h"
#include "refusals.h"
#include "rejects.h"
#include "secret.h"
#include "trace.h"

#include <stdio.h>
#include <stdlib.h>

/* A login that was not let in, with the name that it claimed. */
static void note_login(struct session *s, const struct auth_answer *answer)
{
    char name[ADDRESS_MAX + 1];
    struct span claimed = submission_auth(&s->submission).name;
    bool kept_out = answer->busy || answer->locked_ms > 0;
    struct verdict v =
        answer->busy ? verdict_make(454, "4.7.0", "too many logins wait for their password check")
        : answer->locked_ms > 0
            ? verdict_make(454, "4.7.0", "kept out after too many failed logins")
            : verdict_make(535, "5.7.8",
                           "name or password is wrong, or the credential is disabled");
    snprintf(name, sizeof(name), "%.*s", SPAN_ARG(span_first(claimed, 64)));
    refusals_add(s->home->shared->refusals,
                 &(struct refusal){.kind = kept_out ? "auth_kept_out" : "auth_refused",
                                   .command = "AUTH",
                                   .user = "",
                                   .about = name,
                                   .sender = "",
                                   .message_id = "",
                                   .peer = s->peer,
                                   .v = &v});
}

static void on_auth_decided(struct sessions *home, uint64_t id, const struct auth_answer *answer)
{
    struct session *s = session_find(home, id);
    if (!s)
        return;
    s->asking = false;
    if (!answer->identity)
        note_login(s, answer);
    if (answer->identity)
        session_note_access(s, answer);
    if (answer->locked_ms > 0)
        submission_auth_locked(&s->submission, answer->locked_ms / 1000 + 1);
    else
        submission_auth_decided(&s->submission, answer->identity, answer->busy);
    session_pump(s);
}

static void ask_auth(struct session *s)
{
    struct submission_claim claim = submission_auth(&s->submission);
    s->asking = true;
    auth_ask(s->home, s->id, s->peer, &claim, on_auth_decided);
}

static void find_keys(struct session *s)
{
    char keys[SCRAM_KEYS_TEXT];
    directory_scram(store_directory(s->home->worker->store), submission_auth(&s->submission).name,
                    keys);
    submission_keys(&s->submission, keys);
    secret_clear(keys, sizeof(keys));
}

/* A client in the middle of a message may finish it; others are sent away when the shard drains. */
static void drain_if_idle(struct session *s)
{
    if (s->home->worker->draining && s->submission.want == SUBMISSION_INPUT &&
        s->submission.phase != SUBMISSION_DATA)
        submission_hang_up(&s->submission, "is shutting down: try again in a minute");
}

/* What the machine has refused by itself. */
static void note_refusals(struct session *s)
{
    struct submission *sub = &s->submission;
    for (unsigned i = 0; i < sub->refusal_count; i++) {
        const struct submission_refusal *r = &sub->refusals[i];
        refusals_add(s->home->shared->refusals,
                     &(struct refusal){.kind = "refused",
                                       .command = r->command,
                                       .user = sub->identity.name,
                                       .about = r->about,
                                       .sender = sub->envelope.sender ? sub->envelope.sender : "",
                                       .message_id = r->message_id,
                                       .peer = s->peer,
                                       .v = &r->v,
                                       .more = i == 0 ? sub->refusals_more : 0});
    }
    sub->refusal_count = sub->refusals_more = 0;
}

static void on_heard(void *listener, struct span line)
{
    struct session *s = listener;
    trace_say(NULL, s->peer, s->id, TRACE_CLIENT, line);
}

/* From here on it is traced, if it was chosen. */
static void trace(struct session *s, const char *name)
{
    s->traced = s->traced || trace_is_chosen(name);
    if (!s->traced)
        return;
    s->submission.heard = on_heard;
    s->submission.listener = s;
}

static void trace_out(const struct session *s)
{
    struct span out = buf_span(&s->submission.out);
    if (s->traced && out.len > 0)
        trace_say(NULL, s->peer, s->id, TRACE_SERVER,
                  s->submission.sasl ? SPAN("(authentication)") : out);
}

/* What somebody else decides: now, or later (`asking`). False: it wants nothing of that kind. */
static bool ask(struct session *s)
{
    switch (s->submission.want) {
    case SUBMISSION_ENQUEUE:
        session_enqueue(s);
        return true;
    case SUBMISSION_SPILL:
        session_spill(s);
        return true;
    case SUBMISSION_ROOM:
        room_check_ask(s);
        return true;
    case SUBMISSION_LIMIT:
        rcpt_check_judge(s);
        return true;
    case SUBMISSION_KEYS:
        find_keys(s);
        return true;
    case SUBMISSION_AUTH:
        ask_auth(s);
        return true;
    case SUBMISSION_INPUT:
    case SUBMISSION_TLS:
    case SUBMISSION_CLOSE:
        return false;
    }
    UNREACHABLE();
}

/* What there is to say goes out; whether more is read depends on what is wanted. */
static void answer(struct session *s)
{
    struct submission *sub = &s->submission;
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
    case SUBMISSION_ROOM:
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

void session_pump(struct session *s)
{
    struct submission *sub = &s->submission;
    (void)session_follow_settings(s);
    if (sub->authenticated) {
        session_settle(s);
        session_note_use(s);
        trace(s, sub->identity.name);
    }
    session_check_access(s);
    session_forget_body(s);
    while (!s->asking && ask(s))
        ;
    if (sub->foreign[0])
        incidents_add(s->home->shared->incidents, ALERT_IDENTITY, sub->identity.name, sub->foreign);
    sub->foreign[0] = '\0';
    note_refusals(s);
    drain_if_idle(s);
    trace_out(s);
    answer(s);
}

/* ---- events of the connection ---- */

static bool on_bind(void *bound, unsigned char *binding_r)
{
    const struct session *s = bound;
    return tls_binding(connection_tls(s->connection), binding_r);
}

static void bind_tls(struct session *s)
{
    const struct tls *tls = connection_tls(s->connection);
    if (tls && tls_binds(tls))
        submission_bind(&s->submission, on_bind, s);
}

static void start(struct session *s)
{
    s->started = true;
    submission_init(&s->submission, session_settings(s));
    trace(s, s->peer);
    bind_tls(s);
    session_pump(s);
}

static void on_bytes(void *owner, struct span bytes)
{
    struct session *s = owner;
    s->bytes += bytes.len;
    if (s->started)
        session_check_access(s);
    if (s->started && s->submission.want == SUBMISSION_INPUT) {
        s->submission.short_of_memory = atomic_load(&s->home->shared->short_of_memory);
        submission_input(&s->submission, bytes);
        session_pump(s);
    }
}

static void choose_ticket(struct session *s)
{
    struct tls *tls = connection_tls(s->connection);
    if (!ticket_use_next(&s->home->tickets, s->peer, tls_is_resumed(tls)))
        tls_withhold_ticket(tls);
}

static void on_secured(void *owner)
{
    struct session *s = owner;
    choose_ticket(s);
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
    s->hurried = false; /* while it is asking, the time begins anew */
    if (!s->started || s->asking)
        return s->asking;
    submission_hang_up(&s->submission, "timeout exceeded: closing connection");
    session_pump(s);
    return true;
}

static void on_ended(void *owner, const char *why)
{
    struct session *s = owner;
    struct sessions *home = s->home;
    log_end(
        log_text(log_text(log_begin(LOG_DEBUG, "disconnected"), "peer", s->peer), "reply", why));
    HASH_DEL(home->all, s);
    home->worker->clients--;
    acceptor_quota_give_back(&home->shared->quota);
    session_leave_place(s);
    body_writer_free(s->writer, false);
    if (s->started)
        submission_fini(&s->submission);
    free(s->once);
    rcpt_check_forget(s);
    credential_drop(s->credential);
    settings_drop(s->settings);
    free(s);
    worker_something_ended(home->worker);
}

static const struct connection_events events = {
    .bytes = on_bytes, .secured = on_secured, .timed_out = on_timed_out, .ended = on_ended};

static void turn_away(struct session *s, const char *why)
{
    struct buf text;
    if (!s->home->worker->draining)
        rejects_add(s->home->shared->rejects, s->peer);
    buf_init(&text, 512);
    buf_addf(&text, "421 4.3.2 %s %s\r\n", s->settings->config->hostname, why);
    connection_finish(s->connection, s->implicit_tls ? NULL : &text);
    buf_fini(&text);
}

void sessions_accept(struct sessions *home, int fd, bool implicit_tls)
{
    struct session *s = xcalloc(1, sizeof(*s));
    s->id = ++home->last_id;
    s->home = home;
    s->settings = settings_hold(home->worker->settings);
    s->implicit_tls = implicit_tls;
    HASH_ADD(hh, home->all, id, sizeof(s->id), s);
    home->worker->clients++;
    s->connection = connection_accept(&home->worker->loop, fd, &events, s);
    connection_peer(s->connection, s->peer);
    connection_set_timeout(s->connection, s->settings->config->idle_s);
    log_event(LOG_DEBUG, "connected", "peer", s->peer);
    s->came_ms = s->then_ms = uv_now(&home->worker->loop);
    if (atomic_load(&home->shared->short_of_memory)) {
        turn_away(s, "is short of memory: try again in a minute");
    } else if (home->worker->draining || !session_take_place(s)) {
        turn_away(s, "has too many connections: try again later");
    } else if (implicit_tls) {
        connection_accept_tls(s->connection, s->settings->server, TLS_SMTP);
        connection_want_bytes(s->connection, true);
    } else {
        start(s);
    }
}
