// SPDX-License-Identifier: BSD-2-Clause
/* fuzz_session.c - Two clients of one relay, whose connections, handshakes and ends are mixed as the input says: steps of one byte
 * that chooses (low bits what, the highest whose), one byte of length, and what is said. TLS is real on both sides.
 */
#include "admit.h"
#include "delivery.h"
#include "key.h"
#include "submission.h"
#include "tls.h"

enum { CLIENTS = 2 };

struct client {
    struct submission server;
    struct tls server_tls, client_tls;
    bool secure, over;
};

static struct tls_context *server_context, *client_context;
static const struct submission_settings starttls = {
    .hostname = "relay.test", .size_max = 4096, .rcpt_max = 3, .mail_max = 5, .room_from = 100, .limited = true};

static void make_contexts(void)
{
    struct buf certificate;
    struct buf key;
    struct err err = {0};
    buf_init(&certificate, 16384);
    buf_init(&key, 16384);
    CHECK(key_self_signed("relay.test", &certificate, &key, &err));
    CHECK(tls_server_context_from(buf_span(&certificate), buf_span(&key), &server_context, &err));
    CHECK(tls_client_context(NULL, &client_context, &err));
    buf_fini(&certificate);
    buf_fini(&key);
    tls_rotate_tickets();
}

/* What a shell would do of what the server wants; false when it waits for the client. */
static bool serve(struct client *c, uint8_t how)
{
    struct identity identity = {.name = "app", .tenant = "default", .allowed = "club.test"};
    struct verdict later = verdict_make(450, "4.7.28", "later");
    struct submission *s = &c->server;
    struct admission admission;
    switch (s->want) {
    case SUBMISSION_KEYS:
        submission_keys(s, "");
        return true;
    case SUBMISSION_AUTH: /* whoever is let in has said these two, in clear text never */
        CHECK(c->secure);
        submission_auth_decided(
            s, span_equal(submission_auth(s).secret, SPAN("secret")) ? &identity : NULL,
            how % 16 == 15);
        return true;
    case SUBMISSION_ROOM:
        submission_room_decided(s, how % 4 == 3 ? &later : NULL);
        return true;
    case SUBMISSION_LIMIT:
        submission_rcpt_decided(s, how % 4 == 3 ? &later : NULL);
        return true;
    case SUBMISSION_SPILL:
        submission_spilled(s, how % 8 == 7 ? &later : NULL);
        return true;
    case SUBMISSION_ENQUEUE: {
        struct admit_input in = {.identity = &s->identity,
                                 .sender = span_of(s->envelope.sender),
                                 .header = submission_header(s),
                                 .smtputf8 = s->envelope.smtputf8,
                                 .facts = s->facts};
        CHECK(c->secure && s->identity.name[0] && s->envelope.count > 0);
        struct verdict v = admit_message(&in, &admission);
        submission_enqueue_decided(s, &v);
        return true;
    }
    case SUBMISSION_INPUT:
    case SUBMISSION_TLS:
    case SUBMISSION_CLOSE:
        break;
    }
    return false;
}

static void hear(struct client *c, struct span plain, uint8_t how)
{
    if (c->server.want == SUBMISSION_INPUT)
        submission_input(&c->server, plain);
    while (serve(c, how))
        ;
    if (c->secure)
        tls_write(&c->server_tls, buf_span(&c->server.out));
    buf_clear(&c->server.out);
    c->over = c->over || c->server.want == SUBMISSION_CLOSE;
}

/* Bytes on the wire to the server. */
static void arrive(struct client *c, struct span cipher, uint8_t how)
{
    struct buf plain;
    tls_input(&c->server_tls, cipher);
    plain = c->server_tls.plain;
    buf_init(&c->server_tls.plain, plain.limit);
    if (plain.len > 0)
        hear(c, buf_span(&plain), how);
    buf_fini(&plain);
    tls_input(&c->client_tls, buf_span(&c->server_tls.cipher));
    buf_clear(&c->server_tls.cipher);
    buf_clear(&c->client_tls.plain);
    c->over = c->over || c->server_tls.state == TLS_CLOSED || c->server_tls.state == TLS_FAILED;
}

static void shake(struct client *c, uint8_t how)
{
    if (c->secure || c->server.want != SUBMISSION_TLS)
        return;
    tls_accept(&c->server_tls, server_context, TLS_SMTP);
    tls_connect(&c->client_tls, client_context, "relay.test", TLS_ANY);
    c->secure = true;
    for (int i = 0; i < 4 && c->server_tls.state == TLS_HANDSHAKE; i++) {
        struct buf flight = c->client_tls.cipher;
        buf_init(&c->client_tls.cipher, flight.limit);
        arrive(c, buf_span(&flight), how);
        buf_fini(&flight);
    }
    CHECK(c->server_tls.state == TLS_OPEN);
    submission_tls_started(&c->server);
    CHECK(c->server.identity.name[0] == '\0');
}

static void step(struct client *c, uint8_t how, struct span said)
{
    if (!c->secure) {
        if (how % 4 == 1)
            shake(c, how);
        else
            hear(c, said, how);
        return;
    }
    if (how % 4 == 2) /* not a record of ours */
        arrive(c, said, how);
    else if (how % 8 == 5)
        tls_finish(&c->client_tls);
    else
        tls_write(&c->client_tls, said);
    arrive(c, buf_span(&c->client_tls.cipher), how);
    buf_clear(&c->client_tls.cipher);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct client clients[CLIENTS] = {0};
    if (!server_context)
        make_contexts();
    for (size_t i = 0; i < CLIENTS; i++)
        submission_init(&clients[i].server, &starttls);
    for (size_t at = 0; at + 2 <= size;) {
        struct client *c = &clients[data[at] >> 7];
        uint8_t how = data[at] & 0x7f;
        struct span said =
            span_first((struct span){(const char *)data + at + 2, size - at - 2}, data[at + 1]);
        if (!c->over)
            step(c, how, said);
        at += 2 + said.len;
    }
    for (size_t i = 0; i < CLIENTS; i++) {
        submission_fini(&clients[i].server);
        if (clients[i].secure) {
            tls_fini(&clients[i].server_tls);
            tls_fini(&clients[i].client_tls);
        }
    }
    return 0;
}
