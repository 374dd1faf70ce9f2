// SPDX-License-Identifier: BSD-2-Clause
/* memory_test.c - Without memory for what a peer sizes, that peer hears of it, and nobody else: no
 * abort, nothing taken in part, and all is well once there is memory again.
 *
 * The kind of fault: what one client or server says how large it is ends the relay for all. Every
 * large allocation of a story fails in turn (the linker wraps the allocator), and then all of them.
 */
#include "memory_stage.h"

#include "compose.h"
#include "delivery.h"
#include "submission.h"
#include "tls.h"

#include <stdlib.h>

enum { BODY = 300 * 1024 };

/* ---- the server's side ---- */

static const struct submission_settings open_server = {.hostname = "relay.test",
                                                       .size_max = 1024 * 1024,
                                                       .rcpt_max = 20000,
                                                       .mail_max = 100,
                                                       .open = true};
static char many_lines[BODY];

static void make_lines(void)
{
    for (size_t i = 0; i < sizeof(many_lines); i++)
        many_lines[i] = i % 80 == 78 ? '\r' : i % 80 == 79 ? '\n' : 'a';
    memcpy(many_lines, "Subject: x\r\n\r\n", 14);
    many_lines[sizeof(many_lines) - 2] = '\r';
    many_lines[sizeof(many_lines) - 1] = '\n';
}

static bool says(struct submission *s, const char *text)
{
    bool found = span_search(buf_span(&s->out), span_of(text)) < s->out.len;
    buf_clear(&s->out);
    return found;
}

/* As the shell does: no more than one read at once, and what is stored away is. */
static void feed(struct submission *s, struct span bytes, struct buf *stored)
{
    while (bytes.len > 0 && s->want == SUBMISSION_INPUT) {
        struct span piece = span_first(bytes, 64 * 1024);
        submission_input(s, piece);
        bytes = span_from(bytes, piece.len);
        while (s->want == SUBMISSION_SPILL) {
            buf_add(stored, buf_span(&s->body));
            submission_spilled(s, NULL);
        }
    }
}

static void begin_message(struct submission *s)
{
    feed(s, SPAN("EHLO c\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nDATA\r\n"), NULL);
    assert_true(says(s, "354 "));
}

/* It was taken as it was sent, or refused for now; with or without it the session goes on. */
static void judge_message(struct submission *s, struct buf *stored, bool failed)
{
    const struct verdict ok = verdict_make(250, "2.0.0", "OK");
    if (s->want == SUBMISSION_ENQUEUE) {
        buf_add(stored, buf_span(&s->body));
        assert_int_equal(stored->len, sizeof(many_lines));
        assert_memory_equal(stored->ptr, many_lines, sizeof(many_lines));
        assert_true(span_equal(submission_header(s), SPAN("Subject: x\r\n")));
        submission_enqueue_decided(s, &ok);
        assert_true(says(s, "250 2.0.0 OK"));
        return;
    }
    assert_true(failed);
    bool ended = s->want == SUBMISSION_CLOSE;
    assert_true(says(s, ended ? "421 4.3.1 " : "452 4.3.1 "));
}

static void a_message_without_memory_is_refused_for_now(void **state)
{
    (void)state;
    make_lines();
    bool failed = true;
    for (int at = ALL; failed || at < 1; at++) {
        struct submission s;
        struct buf stored;
        buf_init(&stored, 2 * BODY);
        CHECK(buf_reserve(&stored, 2 * BODY));
        submission_init(&s, &open_server);
        begin_message(&s);
        memory_begin_to_fail(at);
        feed(&s, (struct span){many_lines, sizeof(many_lines)}, &stored);
        feed(&s, SPAN(".\r\n"), &stored);
        failed = memory_has_failed();
        judge_message(&s, &stored, failed);
        if (s.want == SUBMISSION_INPUT) {
            buf_clear(&stored);
            begin_message(&s);
            feed(&s, (struct span){many_lines, sizeof(many_lines)}, &stored);
            feed(&s, SPAN(".\r\n"), &stored);
            assert_int_equal(s.want, SUBMISSION_ENQUEUE);
            judge_message(&s, &stored, false);
        }
        submission_fini(&s);
        buf_fini(&stored);
    }
}

static void commands_without_memory_end_their_session(void **state)
{
    static char noops[60 * 1024];
    struct submission s;
    (void)state;
    for (size_t i = 0; i < sizeof(noops); i += 6)
        memcpy(noops + i, "NOOP\r\n", 6);
    submission_init(&s, &open_server);
    memory_begin_to_fail(ALL);
    submission_input(&s, (struct span){noops, sizeof(noops)});
    assert_true(memory_has_failed());
    assert_int_equal(s.want, SUBMISSION_CLOSE);
    assert_true(says(&s, "421 4.3.1 "));
    submission_fini(&s);
}

/* A client that talks and does not listen: replies are never left out while the session goes on. */
static void replies_that_cannot_be_held_end_their_session(void **state)
{
    struct submission s;
    unsigned lines = 0;
    (void)state;
    submission_init(&s, &open_server);
    while (s.want == SUBMISSION_INPUT && lines++ < 20000)
        submission_input(&s, SPAN("VRFY x\r\n"));
    assert_int_equal(s.want, SUBMISSION_CLOSE);
    assert_in_range(lines, 1000, 19999);
    submission_fini(&s);
}

static void a_session_without_memory_for_its_greeting_ends(void **state)
{
    struct submission s;
    (void)state;
    memory_large = 1;
    memory_begin_to_fail(ALL);
    submission_init(&s, &open_server);
    bool failed = memory_has_failed();
    memory_large = LARGE;
    assert_true(failed);
    assert_int_equal(s.want, SUBMISSION_CLOSE);
    submission_fini(&s);
}

static void recipients_without_memory_are_refused_for_now(void **state)
{
    struct submission s;
    size_t before = 0;
    (void)state;
    submission_init(&s, &open_server);
    feed(&s, SPAN("EHLO c\r\nMAIL FROM:<a@b.test>\r\n"), NULL);
    memory_begin_to_fail(ALL);
    for (bool refused = false; !refused; before++) {
        assert_in_range(before, 0, 10000);
        feed(&s, SPAN("RCPT TO:<c@d.test>\r\n"), NULL);
        refused = says(&s, "452 4.3.1 ");
        assert_int_equal(s.want, SUBMISSION_INPUT);
    }
    assert_true(memory_has_failed());
    assert_int_equal(s.envelope.count, before - 1);
    feed(&s, SPAN("RCPT TO:<c@d.test>\r\n"), NULL);
    assert_true(says(&s, "250 2.1.5 "));
    assert_int_equal(s.envelope.count, before);
    submission_fini(&s);
}

/* ---- the client's side ---- */

static struct delivery_rcpt rcpts[100];
static struct delivery_mail mail;

static void hear(struct delivery *d, const char *text)
{
    delivery_input(d, span_of(text));
}

static void begin_delivery(struct delivery *d, const struct delivery_settings *settings)
{
    mail = (struct delivery_mail){
        .sender = SPAN("a@club.test"), .rcpts = rcpts, .count = COUNT_OF(rcpts)};
    for (size_t i = 0; i < COUNT_OF(rcpts); i++)
        rcpts[i] = (struct delivery_rcpt){.address = SPAN("b@dest.test")};
    delivery_init(d, settings);
    hear(d, "220 mx\r\n");
    buf_clear(&d->out);
    hear(d, "250-mx\r\n250 PIPELINING\r\n");
    buf_clear(&d->out);
}

static void expect_all_deferred(const struct delivery *d)
{
    assert_int_equal(d->want, DELIVERY_CLOSE);
    assert_int_equal(d->out.len, 0);
    for (size_t i = 0; i < COUNT_OF(rcpts); i++)
        assert_int_equal(rcpts[i].answer.what, VERDICT_DEFER);
    assert_non_null(strstr(d->trouble.text, "not enough memory"));
}

static void what_cannot_be_sent_is_deferred(void **state)
{
    static const struct delivery_settings settings = {.hostname = "relay.test"};
    struct delivery d;
    (void)state;
    begin_delivery(&d, &settings);
    delivery_send(&d, &mail);
    hear(&d, "250 ok\r\n");
    for (size_t i = 0; i < COUNT_OF(rcpts); i++)
        hear(&d, "250 ok\r\n");
    hear(&d, "354 go\r\n");
    buf_clear(&d.out);
    assert_int_equal(d.want, DELIVERY_BODY);
    make_lines();
    memory_begin_to_fail(ALL);
    delivery_body(&d, (struct span){many_lines, sizeof(many_lines)}, false);
    assert_true(memory_has_failed());
    expect_all_deferred(&d);
    delivery_fini(&d);
}

static void an_envelope_that_cannot_be_said_is_deferred(void **state)
{
    static char path[1000];
    static const struct delivery_settings settings = {.hostname = "relay.test"};
    struct delivery d;
    (void)state;
    memset(path, 'x', sizeof(path));
    begin_delivery(&d, &settings);
    d.offers.dsn = true;
    for (size_t i = 0; i < COUNT_OF(rcpts); i++)
        rcpts[i].original = (struct span){path, sizeof(path)};
    memory_begin_to_fail(ALL);
    delivery_send(&d, &mail);
    assert_true(memory_has_failed());
    expect_all_deferred(&d);
    delivery_fini(&d);
}

/* ---- TLS ---- */

static void pass(struct tls *from, struct tls *to)
{
    tls_input(to, buf_span(&from->cipher));
    buf_clear(&from->cipher);
}

static void shake(struct tls *c, struct tls *s, struct tls_context *client,
                  struct tls_context *server)
{
    tls_accept(s, server, TLS_SMTP);
    tls_connect(c, client, "mx.test", TLS_ANY);
    for (int i = 0; i < 4; i++) {
        pass(c, s);
        pass(s, c);
    }
    assert_int_equal(c->state, TLS_OPEN);
    assert_int_equal(s->state, TLS_OPEN);
}

/* What one side sends is all there, or the connection has failed: on both sides, each in turn. */
static void tls_without_memory_ends_its_connection(void **state)
{
    struct tls_context *server = NULL;
    struct tls_context *client = NULL;
    struct buf certificate;
    struct buf key;
    struct err err = {0};
    (void)state;
    buf_init(&certificate, 16384);
    buf_init(&key, 16384);
    assert_true(key_self_signed("mx.test", &certificate, &key, &err));
    assert_true(tls_server_context_from(buf_span(&certificate), buf_span(&key), &server, &err));
    assert_true(tls_client_context(NULL, &client, &err));
    bool failed = true;
    for (int at = ALL; failed || at < 1; at++) {
        struct tls c;
        struct tls s;
        shake(&c, &s, client, server);
        memory_begin_to_fail(at);
        tls_write(&c, (struct span){many_lines, sizeof(many_lines)});
        pass(&c, &s);
        failed = memory_has_failed();
        bool whole = s.plain.len == sizeof(many_lines);
        assert_true(whole != (c.state == TLS_FAILED || s.state == TLS_FAILED));
        assert_true(whole || failed);
        tls_fini(&c);
        tls_fini(&s);
    }
    tls_context_free(server);
    tls_context_free(client);
    buf_fini(&certificate);
    buf_fini(&key);
}

/* ---- the copy that leaves ---- */

static bool no_body(void *context, struct span *chunk_r, struct err *err)
{
    (void)context;
    (void)err;
    *chunk_r = SPAN_NONE;
    return true;
}

static void no_rewind(void *context)
{
    (void)context;
}

/* It is whole, or a fault of ours, after which it is tried again: never a bounce. */
static void a_large_header_without_memory_is_our_fault(void **state)
{
    struct buf header;
    struct key *key = memory_make_key();
    struct signing_key pair = {.key = key, .selector = "s"};
    (void)state;
    buf_init(&header, 256 * 1024);
    buf_add(&header, SPAN("From: <hello@club.test>\r\nSubject: x\r\n"));
    for (size_t i = 0; i < 2500; i++)
        buf_addf(&header, "X-Field-%04zu: %060d\r\n", i, 1);
    assert_false(header.overflow);
    size_t whole = 0;
    bool failed = true;
    for (int at = 0; failed || at < 1; at++) {
        struct compose_output out;
        struct compose_input in = {.header = buf_span(&header),
                                   .read_body = no_body,
                                   .rewind_body = no_rewind,
                                   .hostname = "mail.club.test",
                                   .id = "id1",
                                   .domain = "club.test",
                                   .keys = &pair,
                                   .key_count = 1};
        memory_begin_to_fail(at);
        enum compose_result result = compose(&in, &out);
        failed = at == 0 || memory_has_failed();
        whole = whole > 0 ? whole : out.head.len;
        assert_int_equal(result, at > 0 && failed ? COMPOSE_FAULT : COMPOSE_OK);
        assert_true(result != COMPOSE_OK || out.head.len > header.len);
        compose_fini(&out);
    }
    buf_fini(&header);
    key_free(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_without_memory_is_refused_for_now),
        cmocka_unit_test(commands_without_memory_end_their_session),
        cmocka_unit_test(replies_that_cannot_be_held_end_their_session),
        cmocka_unit_test(a_session_without_memory_for_its_greeting_ends),
        cmocka_unit_test(recipients_without_memory_are_refused_for_now),
        cmocka_unit_test(what_cannot_be_sent_is_deferred),
        cmocka_unit_test(an_envelope_that_cannot_be_said_is_deferred),
        cmocka_unit_test(tls_without_memory_ends_its_connection),
        cmocka_unit_test(a_large_header_without_memory_is_our_fault),
    };
    memory_of_openssl();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
