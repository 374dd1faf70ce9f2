// SPDX-License-Identifier: BSD-2-Clause
/* duel.c - Our server against our client, and TLS against TLS, in memory: random pieces, a fault or a lost connection at
 * every step. Whatever happens: the client says "accepted" only for what the server has accepted, and what was accepted is
 * what was sent.
 */
#include "delivery.h"
#include "key.h"
#include "submission.h"
#include "tls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS_MAX = 20000, BODY_SIZE = 700 * 1024 };

static uint32_t seed;

static uint32_t random_below(uint32_t limit)
{
    seed = seed * 1664525U + 1013904223U;
    return (seed >> 8) % limit;
}

struct duel {
    struct submission server;
    struct delivery client;
    struct tls server_tls, client_tls;
    bool tls, server_open;
    struct buf to_server, to_client; /* on the wire */
    struct buf accepted, spilled;
    struct delivery_mail mail;
    struct delivery_rcpt rcpts[3];
    size_t sent_body, fed, messages_left, accepted_count, told_accepted;
    size_t steps, fault_at;
    enum { LOSE, REFUSE } fault;
    bool lost;
};

static char body[BODY_SIZE];
static size_t body_len;
static struct tls_context *server_context, *client_context;

static void make_body(void)
{
    size_t used =
        (size_t)snprintf(body, sizeof(body), "From: <a@club.test>\r\nSubject: duel\r\n\r\n");
    body_len = 100 + random_below(2) * random_below(BODY_SIZE - 4096);
    while (used < body_len) { /* lines of dots and text of any length */
        size_t len = random_below(120);
        for (size_t i = 0; i < len; i++)
            body[used++] = random_below(3) ? (char)('a' + random_below(26)) : '.';
        body[used++] = '\r';
        body[used++] = '\n';
    }
    body_len = used;
}

static void start_mail(struct duel *d)
{
    static const char *const to[3] = {"b@other.test", "c@other.test", "d@other.test"};
    d->mail = (struct delivery_mail){.sender = SPAN("a@club.test"),
                                     .envelope_id = SPAN_NONE,
                                     .rcpts = d->rcpts,
                                     .count = 1 + random_below(3),
                                     .size = body_len};
    for (size_t i = 0; i < d->mail.count; i++)
        d->rcpts[i] = (struct delivery_rcpt){.address = span_of(to[i]), .original = SPAN_NONE};
    d->fed = 0;
    delivery_send(&d->client, &d->mail);
}

static bool fault_now(struct duel *d)
{
    return ++d->steps == d->fault_at;
}

static void lose(struct duel *d)
{
    d->lost = true;
    if (d->client.want != DELIVERY_CLOSE)
        delivery_lost(&d->client, "lost");
}

/* ---- the server's owner ---- */

static void serve(struct duel *d)
{
    struct submission *s = &d->server;
    while (s->want == SUBMISSION_SPILL || s->want == SUBMISSION_ENQUEUE) {
        if (s->want == SUBMISSION_SPILL) {
            buf_add(&d->spilled, buf_span(&s->body));
            submission_spilled(s, NULL);
            continue;
        }
        bool refuse = d->fault == REFUSE && fault_now(d);
        struct verdict v =
            refuse ? verdict_make(451, "4.3.0", "not now") : verdict_make(250, "2.0.0", "OK");
        if (!refuse) {
            buf_clear(&d->accepted);
            buf_add(&d->accepted, buf_span(&d->spilled));
            buf_add(&d->accepted, buf_span(&s->body));
            d->accepted_count++;
            CHECK(span_equal(buf_span(&d->accepted), (struct span){body, body_len}));
        }
        buf_clear(&d->spilled);
        submission_enqueue_decided(s, &v);
    }
    if (d->server_open) {
        tls_write(&d->server_tls, buf_span(&s->out));
        buf_add(&d->to_client, buf_span(&d->server_tls.cipher));
        buf_clear(&d->server_tls.cipher);
    } else {
        buf_add(&d->to_client, buf_span(&s->out));
    }
    buf_clear(&s->out);
    if (s->want == SUBMISSION_TLS && !d->tls) {
        tls_accept(&d->server_tls, server_context, TLS_SMTP);
        d->tls = true;
    }
}

static void server_takes(struct duel *d, struct span bytes)
{
    if (!d->tls) {
        if (d->server.want == SUBMISSION_INPUT)
            submission_input(&d->server, bytes);
        serve(d);
        return;
    }
    enum tls_state before = d->server_tls.state;
    tls_input(&d->server_tls, bytes);
    buf_add(&d->to_client, buf_span(&d->server_tls.cipher));
    buf_clear(&d->server_tls.cipher);
    if (before == TLS_HANDSHAKE && d->server_tls.state == TLS_OPEN) {
        d->server_open = true;
        submission_tls_started(&d->server);
    }
    if (d->server_tls.plain.len > 0 && d->server.want == SUBMISSION_INPUT)
        submission_input(&d->server, buf_span(&d->server_tls.plain));
    buf_clear(&d->server_tls.plain);
    if (d->server_open)
        serve(d);
}

/* ---- the client's owner ---- */

static void note_done(struct duel *d)
{
    for (size_t i = 0; i < d->mail.count; i++) {
        CHECK(d->rcpts[i].answer.code != 0);
        if (d->rcpts[i].answer.what == VERDICT_ACCEPT) {
            CHECK(d->accepted_count > d->told_accepted);
            if (i + 1 == d->mail.count)
                d->told_accepted++;
        }
    }
}

static void drive(struct duel *d)
{
    struct delivery *c = &d->client;
    for (;;) {
        if (d->tls && d->client_tls.state == TLS_OPEN) {
            tls_write(&d->client_tls, buf_span(&c->out));
            buf_add(&d->to_server, buf_span(&d->client_tls.cipher));
            buf_clear(&d->client_tls.cipher);
        } else {
            buf_add(&d->to_server, buf_span(&c->out));
        }
        buf_clear(&c->out);
        if (c->want == DELIVERY_READY && d->messages_left > 0) {
            d->messages_left--;
            start_mail(d);
        } else if (c->want == DELIVERY_READY) {
            delivery_quit(c);
        } else if (c->want == DELIVERY_BODY) {
            size_t piece = 1 + random_below(9000);
            struct span rest = span_from((struct span){body, body_len}, d->fed);
            struct span chunk = span_first(rest, piece);
            d->fed += chunk.len;
            delivery_body(c, chunk, chunk.len == rest.len);
        } else if (c->want == DELIVERY_DONE) {
            note_done(d);
            delivery_next(c);
        } else {
            return;
        }
    }
}

static void client_takes(struct duel *d, struct span bytes)
{
    if (!d->client_tls.ssl) {
        delivery_input(&d->client, bytes);
        drive(d);
        if (d->client.want == DELIVERY_TLS) {
            tls_connect(&d->client_tls, client_context, "relay.test", TLS_ANY);
            buf_add(&d->to_server, buf_span(&d->client_tls.cipher));
            buf_clear(&d->client_tls.cipher);
        }
        return;
    }
    enum tls_state before = d->client_tls.state;
    tls_input(&d->client_tls, bytes);
    buf_add(&d->to_server, buf_span(&d->client_tls.cipher));
    buf_clear(&d->client_tls.cipher);
    if (before == TLS_HANDSHAKE && d->client_tls.state == TLS_OPEN)
        delivery_tls_started(&d->client);
    if (d->client_tls.plain.len > 0)
        delivery_input(&d->client, buf_span(&d->client_tls.plain));
    buf_clear(&d->client_tls.plain);
    drive(d);
}

static void pass(struct duel *d, struct buf *wire, void (*takes)(struct duel *d, struct span bytes))
{
    if (wire->len == 0 || d->lost)
        return;
    if (d->fault == LOSE && fault_now(d)) {
        lose(d);
        return;
    }
    struct buf piece;
    size_t size = random_below(4) ? 1 + random_below(20000) : 1 + random_below(5);
    buf_init(&piece, BODY_SIZE * 2);
    buf_add(&piece, span_first(buf_span(wire), size));
    buf_drop(wire, piece.len);
    takes(d, buf_span(&piece));
    buf_fini(&piece);
}

/* Returns how many steps there were. */
static size_t duel(uint32_t with_seed, size_t fault_at, int fault)
{
    struct submission_settings s = {.hostname = "relay.test",
                                    .size_max = 1024 * 1024,
                                    .rcpt_max = 100,
                                    .mail_max = 100,
                                    .open = true};
    struct delivery_settings c = {.hostname = "client.test", .tls = DELIVERY_TLS_REQUIRE};
    struct duel *d = xcalloc(1, sizeof(*d));
    seed = with_seed;
    make_body();
    d->fault_at = fault_at;
    d->fault = fault ? REFUSE : LOSE;
    d->messages_left = 2;
    buf_init(&d->to_server, 8 * BODY_SIZE);
    buf_init(&d->to_client, 8 * BODY_SIZE);
    buf_init(&d->accepted, 2 * BODY_SIZE);
    buf_init(&d->spilled, 2 * BODY_SIZE);
    submission_init(&d->server, &s);
    delivery_init(&d->client, &c);
    serve(d);
    for (size_t turns = 0; !d->lost && (d->to_server.len > 0 || d->to_client.len > 0); turns++) {
        CHECK(turns < STEPS_MAX * 10);
        pass(d, &d->to_client, client_takes);
        pass(d, &d->to_server, server_takes);
    }
    if (fault_at == 0) {
        CHECK(d->accepted_count == 2 && d->told_accepted == 2);
        CHECK(d->client.want == DELIVERY_CLOSE && d->server.want == SUBMISSION_CLOSE);
    }
    bool again = d->client.remedy == DELIVERY_RECONNECT || d->client.remedy == DELIVERY_ONE_BY_ONE ||
                 d->client.apart == DELIVERY_ASKED_SINGLY;
    bool some = !again && d->client.apart != DELIVERY_TOGETHER; /* they are sent again, without others */
    for (size_t i = 0; i < d->mail.count && d->lost && !some; i++)
        CHECK((d->rcpts[i].answer.code == 0) == again);
    size_t steps = d->steps;
    submission_fini(&d->server);
    delivery_fini(&d->client);
    if (d->tls)
        tls_fini(&d->server_tls);
    if (d->client_tls.ssl)
        tls_fini(&d->client_tls);
    buf_fini(&d->to_server);
    buf_fini(&d->to_client);
    buf_fini(&d->accepted);
    buf_fini(&d->spilled);
    free(d);
    return steps;
}

int main(void)
{
    struct buf certificate;
    struct buf key;
    struct err err = {0};
    size_t duels = 0;
    buf_init(&certificate, 16384);
    buf_init(&key, 16384);
    CHECK(key_self_signed("relay.test", &certificate, &key, &err));
    CHECK(tls_server_context_from(buf_span(&certificate), buf_span(&key), &server_context, &err));
    CHECK(tls_client_context(NULL, &client_context, &err));
    for (uint32_t round = 1; round <= 12; round++) {
        size_t steps = duel(round, 0, 0);
        duels++;
        size_t stride = steps / 150 + 1;
        for (size_t at = 1; at <= steps; at += stride, duels++)
            duel(round, at, 0);
        for (size_t at = 1; at <= 2; at++, duels++)
            duel(round, at, 1);
    }
    printf("%zu duels, none lost or forged a message\n", duels);
    tls_context_free(server_context);
    tls_context_free(client_context);
    buf_fini(&certificate);
    buf_fini(&key);
    return 0;
}
