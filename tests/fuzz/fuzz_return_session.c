// SPDX-License-Identifier: BSD-2-Clause
/* fuzz_return_session.c - A stranger at the listener for what comes back, over a socket and the real loop; only the store is
 * played here. What it says is the input, in which bytes below 9 stand for what nobody can guess:
 *
 *   1 an address that was made, 2 the same but for one letter, 3 one that is over, 4 the one for complaints, 5 the first in upper
 *   case, 6 that of recipient 300, 7 one for which the store fails, 8 (in front) the client leaves without waiting for answers
 *   0 the bytes so far are sent and served before the others
 *
 * Only addresses that were made are looked up, only what came to such a one is written down, and all that is heard, looked up and
 * written is the same however the bytes are cut. */
#include "database.h"
#include "handshakes.h"
#include "key.h"
#include "log.h"
#include "proxy_header.h"
#include "return_reading.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

#define KEY "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE="
#define DOMAIN "bounce.club.test"

enum { GOOD, OVER = 1, HIGH = 300, FAILS = 2, PENDING = 64, ESCAPES = 9 };

static const int64_t message = INT64_C(1767225600000) << 16;
static const struct handshakes_bounds unbounded = {.turn_us = UINT32_MAX, .free_us = UINT32_MAX};

static struct worker worker;
static struct settings settings;
static struct config config;
static struct return_shared shared;
static struct return_sessions home;
static struct config_domain domain = {.name = "club.test", .return_path = DOMAIN, .feedback_loop = true};
static char escapes[ESCAPES][ADDRESS_MAX + 1];

/* What has been asked, in order, and is answered by the loop below. */
static struct pending {
    enum { QUESTION, CHANGE, WORK } what;
    struct store_question *question;
    struct store_change *change;
    uv_work_t *work;
    worker_on_read *read;
    worker_on_stored *stored;
    void *context;
    uv_work_cb run;
    uv_after_work_cb after;
} pending[PENDING];
static size_t pending_count;

/* What is seen of a session: what it says, and what it asks of the store. */
struct trace {
    struct buf said, asked;
};
static struct trace trace;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
void __wrap_worker_ask_reader(struct worker *w, struct settings *s, struct store_question *q, worker_on_read *done, void *context);
void __wrap_worker_ask_store_by(struct worker *w, struct settings *s, struct store_job *job, worker_on_stored *done, void *context);
int __wrap_uv_queue_work(uv_loop_t *loop, uv_work_t *work, uv_work_cb run, uv_after_work_cb after);
void __wrap_submission_rcpt_decided(struct submission *s, const struct verdict *v);
void __real_submission_rcpt_decided(struct submission *s, const struct verdict *v);

static struct pending *ask(void)
{
    CHECK(pending_count < PENDING);
    return &pending[pending_count++];
}

static void note(const char *what, const struct returns_subject *of)
{
    char line[100];
    snprintf(line, sizeof(line), "%s %lld %u\n", what, (long long)of->message, of->number);
    buf_add(&trace.asked, span_of(line));
}

/* It is one of those that were made. */
static void check_subject(const struct returns_subject *of)
{
    CHECK(of->message == message && (of->number <= FAILS || of->number == HIGH));
}

void __wrap_worker_ask_reader(struct worker *w, struct settings *s, struct store_question *q, worker_on_read *done, void *context)
{
    (void)w;
    (void)s;
    *ask() = (struct pending){.what = QUESTION, .question = q, .read = done, .context = context};
}

void __wrap_worker_ask_store_by(struct worker *w, struct settings *s, struct store_job *job, worker_on_stored *done, void *context)
{
    (void)w;
    (void)s;
    *ask() = (struct pending){
        .what = CHANGE, .change = OWNER_OF(job, struct store_change, job), .stored = done, .context = context};
}

int __wrap_uv_queue_work(uv_loop_t *loop, uv_work_t *work, uv_work_cb run, uv_after_work_cb after)
{
    (void)loop;
    *ask() = (struct pending){.what = WORK, .work = work, .run = run, .after = after};
    return 0;
}

/* Whom it takes: nobody but these. */
void __wrap_submission_rcpt_decided(struct submission *s, const struct verdict *v)
{
    struct returns_subject of;
    struct span to = span_of(s->envelope.rcpts[s->envelope.count - 1].address);
    CHECK(s->envelope.count == 1);
    if (!v && !span_equal_nocase(to, SPAN("fbl@" DOMAIN))) {
        CHECK(returns_token_open(&settings.unsubscribe, to, &of));
        check_subject(&of);
        CHECK(of.number != OVER && of.number != FAILS);
    }
    __real_submission_rcpt_decided(s, v);
}

static void answer_question(const struct pending *p)
{
    struct came_back *c = p->question->context;
    check_subject(&c->subject);
    note("look", &c->subject);
    p->question->ok = c->subject.number != FAILS;
    c->result = c->subject.number == OVER ? CAME_BACK_UNKNOWN : CAME_BACK_NOTHING;
    p->read(p->context, p->question);
}

static void answer_change(const struct pending *p)
{
    struct came_back *c = p->change->context;
    check_subject(&c->subject);
    CHECK(p->change->tells && c->claims.count <= RETURNS_RECIPIENTS_MAX && !c->claims.personal);
    note("write", &c->subject);
    const struct returns_fate fate = returns_claims_about(&c->claims, "bob@dest.test");
    CHECK(fate.suppress_after <= 2 && fate.event < RETURNS_EVENTS);
    c->event = fate.event;
    note(returns_event_name(fate.event), &c->subject);
    p->change->result = c->subject.number == FAILS ? STORE_CHANGE_FAILED : STORE_CHANGED;
    c->result = c->subject.number == OVER ? CAME_BACK_UNKNOWN : CAME_BACK_NOTED;
    p->stored(p->context, &p->change->job);
}

/* Until nothing is left to do. */
static void serve(int peer)
{
    char said[4096];
    bool more = true;
    while (more) {
        struct pending one = pending[0];
        more = false;
        for (int i = 0; i < 3; i++)
            uv_run(&worker.loop, UV_RUN_NOWAIT);
        if (pending_count > 0) {
            one = pending[0];
            memmove(pending, pending + 1, --pending_count * sizeof(*pending));
            more = true;
            if (one.what == QUESTION)
                answer_question(&one);
            else if (one.what == CHANGE)
                answer_change(&one);
            else {
                one.run(one.work);
                one.after(one.work, 0);
            }
        }
        for (ssize_t got; (got = recv(peer, said, sizeof(said), MSG_DONTWAIT)) > 0; more = true)
            buf_add(&trace.said, (struct span){said, (size_t)got});
    }
}

static void send_all(int peer, struct span bytes)
{
    while (bytes.len > 0) {
        ssize_t put = send(peer, bytes.ptr, bytes.len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (put < 0)
            return; /* it has been sent away */
        bytes = span_from(bytes, (size_t)put);
    }
}

static void play(struct span input, bool cut)
{
    int pair[2];
    struct buf bytes;
    bool leaves = input.len > 0 && input.ptr[0] == 8;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
    buf_init(&bytes, SIZE_MAX / 2);
    CHECK(return_sessions_wait_ms(&home) == 0);
    atomic_fetch_add(&shared.quota.open, 1);
    return_sessions_accept(&home, pair[0], false);
    for (size_t i = 0; i < input.len; i++) {
        unsigned char c = (unsigned char)input.ptr[i];
        if (c > 0 && c < ESCAPES)
            buf_add(&bytes, span_of(escapes[c]));
        else if (c >= ESCAPES)
            buf_add_char(&bytes, (char)c);
        if (cut && c == 0) {
            send_all(pair[1], buf_span(&bytes));
            buf_clear(&bytes);
            serve(pair[1]);
        }
    }
    send_all(pair[1], buf_span(&bytes));
    if (!leaves)
        serve(pair[1]);
    shutdown(pair[1], SHUT_WR);
    serve(pair[1]);
    close(pair[1]);
    return_sessions_close(&home);
    serve(-1);
    CHECK(!home.all && pending_count == 0 && atomic_load(&shared.quota.open) == 0 && !home.line.busy && !home.line.first);
    buf_fini(&bytes);
}

static void ended(struct worker *w)
{
    (void)w;
}

static void make_context(void)
{
    struct buf certificate, key;
    struct err err = {0};
    buf_init(&certificate, 16384);
    buf_init(&key, 16384);
    CHECK(key_self_signed("relay.test", &certificate, &key, &err));
    CHECK(tls_server_context_from(buf_span(&certificate), buf_span(&key), &settings.server, &err));
    buf_fini(&certificate);
    buf_fini(&key);
    tls_rotate_tickets();
}

static void make(void)
{
    static const atomic_bool never;
    static const unsigned numbers[ESCAPES] = {[1] = GOOD, [2] = GOOD, [3] = OVER, [5] = GOOD, [6] = HIGH, [7] = FAILS};
    struct err err = {0};
    log_set_level(LOG_ERROR);
    make_context();
    CHECK(unsubscribe_keys_read(SPAN(KEY), &settings.unsubscribe, &err));
    config.domains = &domain;
    config.domain_count = 1;
    snprintf(config.hostname, sizeof(config.hostname), "relay.test");
    settings.config = &config;
    settings.returns = (struct submission_settings){
        .hostname = "relay.test", .size_max = 8192, .rcpt_max = 1, .mail_max = 20, .limited = true, .open = true, .returns = true};
    atomic_init(&settings.holders, 1);
    for (size_t i = 1; i < ESCAPES; i++)
        if (i != 4 && i != 8)
            returns_token_address(&settings.unsubscribe, &(struct returns_subject){message, numbers[i]}, DOMAIN, escapes[i]);
    escapes[2][9] = escapes[2][9] == 'a' ? 'b' : 'a';
    snprintf(escapes[4], sizeof(escapes[4]), "fbl@" DOMAIN);
    for (char *p = escapes[5]; *p; p++)
        *p = (char)(*p >= 'a' && *p <= 'z' ? *p - 32 : *p);
    return_shared_init(&shared, &never);
    worker_init(&worker, NULL, &settings, ended);
    handshakes_free(worker.strangers);
    worker.strangers = handshakes_new(&worker.loop, &unbounded);
    home = (struct return_sessions){.worker = &worker, .shared = &shared};
}

static void begin_trace(void)
{
    buf_init(&trace.said, SIZE_MAX / 2);
    buf_init(&trace.asked, SIZE_MAX / 2);
}

static void end_trace(struct trace *t)
{
    buf_fini(&t->said);
    buf_fini(&t->asked);
}

/* What a proxy says first: whole at one length only. */
static void check_header(struct span input)
{
    struct endpoint client;
    size_t length = 0;
    size_t again = 0;
    enum proxy_header read = proxy_header_read(input, &client, &length);
    if (read != PROXY_HEADER_CLIENT && read != PROXY_HEADER_LOCAL)
        return;
    CHECK(length > 0 && length <= input.len && length <= PROXY_HEADER_MAX && client.port <= 65535);
    CHECK(proxy_header_read(span_first(input, length), &client, &again) == read && again == length);
    CHECK(proxy_header_read(span_first(input, length - 1), &client, &again) == PROXY_HEADER_MORE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span input = {(const char *)data, size};
    check_header(input);
    if (!settings.server)
        make();
    begin_trace();
    play(input, false);
    if (size > 0 && memchr(data, 0, size) && data[0] != 8) {
        struct trace whole = trace;
        begin_trace();
        play(input, true);
        CHECK(span_equal(buf_span(&trace.said), buf_span(&whole.said)));
        CHECK(span_equal(buf_span(&trace.asked), buf_span(&whole.asked)));
        end_trace(&whole);
    }
    end_trace(&trace);
    return 0;
}
