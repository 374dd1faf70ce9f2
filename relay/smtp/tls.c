// SPDX-License-Identifier: BSD-2-Clause
/* tls.c - TLS by OpenSSL, on bufs of ours (tls_wire.c). OpenSSL's error queue is empty before every
 * call, so that a connection does not see errors of another one. */
#include "tls.h"

#include "scram.h"
#include "tls_dane.h"
#include "tls_parts.h"
#include "tls_sessions.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PLAIN_MAX = 1024 * 1024, CIPHER_MAX = 8 * 1024 * 1024, PIECE = 16 * 1024 };
enum { READ_MAX = 64 * 1024, RECORD_MORE = 128 };
enum { CHATTER_FREE = 64, SAID_EACH = 16 * 1024 };

/* Clearing what is empty would visit each place of the queue. */
static void forget_errors(void)
{
    if (ERR_peek_error() != 0)
        ERR_clear_error();
}

/* Key updates, tickets: some, and more to who has much to say. */
static bool chatters(const struct tls *t)
{
    return t->chatter > CHATTER_FREE + t->said / SAID_EACH;
}

/* The certificate, which no resumed handshake has; after the handshake: key updates, tickets, and
 * whatever else costs work and says nothing. */
static void on_message(int sent, int version, int type, const void *bytes, size_t len, SSL *ssl,
                       void *arg)
{
    struct tls *t = arg;
    (void)version;
    (void)ssl;
    if (sent || type != SSL3_RT_HANDSHAKE)
        return;
    tls_screen(t, bytes, len);
    if (len > 0 && *(const unsigned char *)bytes == SSL3_MT_CERTIFICATE)
        t->seen_s = time(NULL);
    if (t->state != TLS_OPEN)
        return;
    t->chatter++;
    if (chatters(t))
        t->wire = SPAN_NONE; /* no more of them is read */
}

static void start(struct tls *t, struct tls_context *context, enum tls_protocol speaks)
{
    *t = (struct tls){.state = TLS_HANDSHAKE, .speaks = speaks, .wire = SPAN_NONE};
    buf_init_peer(&t->plain, PLAIN_MAX);
    buf_init_peer(&t->cipher, CIPHER_MAX);
    SSL_CTX *ctx = tls_context_hold(context);
    SSL *ssl = SSL_new(ctx);
    SSL_CTX_free(ctx);
    CHECK(ssl != NULL);
    tls_wire(t, ssl);
    SSL_set_msg_callback(ssl, on_message);
    SSL_set_msg_callback_arg(ssl, t);
    SSL_set_app_data(ssl, t);
    t->ssl = ssl;
}

void tls_accept(struct tls *t, struct tls_context *context, enum tls_protocol speaks)
{
    start(t, context, speaks);
    SSL_set_accept_state(t->ssl);
}

void tls_fini(struct tls *t)
{
    if (t->resumes)
        tls_sessions_spoil(t);
    free(t->session_key);
    t->session_key = NULL;
    t->resumes = false;
    /* RFC 5246 section 7.2.1: a connection that ends without close_notify spoils no session. */
    if (t->ssl && t->state != TLS_FAILED)
        SSL_set_shutdown(t->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(t->ssl);
    t->ssl = NULL;
    buf_fini(&t->plain);
    buf_fini(&t->cipher);
}

static void overfill(struct tls *t, const char *why)
{
    err_set(&t->err, ERR_LIMIT, "%s", why);
    t->state = TLS_FAILED;
}

static const char too_much_out[] = "more TLS data to send than can be held";
static const char too_much_in[] = "more TLS data than can be taken";

/* Room at once for what is to come: a buf that grows copies what it holds. */
static void make_room(struct tls *t, struct buf *b, size_t bytes, const char *why)
{
    if (!buf_reserve(b, bytes))
        overfill(t, why);
}

static void fail(struct tls *t, const char *doing)
{
    bool checked = (SSL_get_verify_mode(t->ssl) & SSL_VERIFY_PEER) != 0; /* else it broke nothing */
    long verdict = SSL_get_verify_result(t->ssl);
    if (t->unread != CERTIFICATE_FINE)
        err_set(&t->err, ERR_TLS, "certificate refused: %s", certificate_fault_text(t->unread));
    else if (checked && verdict != X509_V_OK && t->state == TLS_HANDSHAKE && !SSL_is_server(t->ssl))
        err_set(&t->err, ERR_TLS, "certificate refused: %s",
                X509_verify_cert_error_string(verdict));
    else if (t->cipher.overflow)
        overfill(t, too_much_out);
    else
        tls_failed(&t->err, doing);
    forget_errors();
    t->state = TLS_FAILED;
}

static void shake(struct tls *t)
{
    forget_errors();
    int result = SSL_do_handshake(t->ssl);
    if (t->unread != CERTIFICATE_FINE) {
        fail(t, "TLS handshake");
    } else if (result == 1) {
        t->state = TLS_OPEN;
        t->resumes = false;
        tls_sessions_note(t);
        t->owes_ticket = SSL_is_server(t->ssl) && SSL_version(t->ssl) >= TLS1_3_VERSION;
    } else if (SSL_get_error(t->ssl, result) != SSL_ERROR_WANT_READ)
        fail(t, "TLS handshake");
}

/* A record that is open says how much it holds; one that is still to come holds no more than what
 * carries it. Room for a whole record each time would be copied with every step the buf grows. */
static size_t plain_to_come(const struct tls *t)
{
    int held = SSL_pending(t->ssl);
    return held > 0 ? (size_t)held : span_first(t->wire, PIECE).len;
}

static void decrypt(struct tls *t)
{
    size_t room = 0;
    while (t->state == TLS_OPEN && (room = plain_to_come(t)) > 0) {
        char *to = buf_reserve(&t->plain, room);
        if (!to) {
            overfill(t, too_much_in);
            return;
        }
        forget_errors();
        int len = SSL_read(t->ssl, to, (int)room);
        if (len > 0) {
            buf_commit(&t->plain, (size_t)len);
            t->said += (uint64_t)len;
        }
        if (chatters(t)) {
            overfill(t, "TLS handshake messages without end");
            return;
        }
        if (len > 0)
            continue;
        int why = SSL_get_error(t->ssl, len);
        if (why == SSL_ERROR_WANT_READ)
            break;
        if (why == SSL_ERROR_ZERO_RETURN)
            t->state = TLS_CLOSED;
        else
            fail(t, "TLS record");
    }
    if (t->plain.len == 0)
        buf_fini(&t->plain);
}

void tls_connect(struct tls *t, struct tls_context *context, const char *host,
                 enum tls_demand demand)
{
    tls_connect_on(t, context, &(struct tls_terms){.host = host, .demand = demand});
}

static void by_authorities(struct tls *t, const struct tls_terms *terms)
{
    SSL *ssl = t->ssl;
    SSL_set_hostflags(ssl,
                      X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    bool is_address = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), terms->host) == 1;
    if (!is_address) {
        SSL_set1_host(ssl, terms->host);
        SSL_set_tlsext_host_name(ssl, terms->host); /* no literal addresses (RFC 6066 section 3) */
    }
    SSL_set_verify(ssl, terms->demand == TLS_VERIFIED ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
}

/* The records decide, or cannot. What OpenSSL has begun by them it cannot end: without a record it
 * would judge by the authorities, and so it begins anew. */
static void by_dane(struct tls *t, struct tls_context *context, const struct tls_terms *terms)
{
    switch (tls_dane_set(t->ssl, terms->dane, &t->zone_names, &t->err)) {
    case TLS_DANE_SET:
        t->by = TLS_BY_DANE;
        break;
    case TLS_DANE_UNUSABLE:
        SSL_free(t->ssl);
        start(t, context, TLS_SMTP);
        t->by = terms->demand == TLS_VERIFIED ? TLS_BY_AUTHORITIES : TLS_BY_NOTHING;
        by_authorities(t, terms);
        break;
    case TLS_DANE_FAILED:
        t->state = TLS_FAILED;
        break;
    }
}

/* Which server, what is demanded of it, and by what it is judged. */
static void resume(struct tls *t, const struct tls_terms *terms)
{
    unsigned char digest[DANE_DIGEST] = "";
    size_t size = strlen(terms->session_key) + 2 * sizeof(digest) + 16;
    if (t->by == TLS_BY_DANE)
        dane_digest(terms->dane, digest);
    t->session_key = xcalloc(1, size);
    int used = snprintf(t->session_key, size, "%s %u %u %u ", terms->session_key,
                        (unsigned)terms->demand, (unsigned)t->by, (unsigned)terms->valid);
    for (size_t i = 0; i < sizeof(digest); i++)
        used += snprintf(t->session_key + used, size - (size_t)used, "%02x", digest[i]);
    t->resumes = tls_sessions_offer(t);
}

void tls_connect_on(struct tls *t, struct tls_context *context, const struct tls_terms *terms)
{
    start(t, context, TLS_SMTP);
    if (terms->dane)
        by_dane(t, context, terms);
    else
        by_authorities(t, terms);
    if (t->state == TLS_FAILED)
        return;
    t->demand = terms->demand;
    if (t->demand >= TLS_STRONG) /* whoever vouches for the certificate */
        CHECK(SSL_set_cipher_list(t->ssl, tls_strong_ciphers) == 1);
    t->valid = terms->valid;
    SSL_set_connect_state(t->ssl);
    if (terms->session_key)
        resume(t, terms);
    shake(t);
}

void tls_input(struct tls *t, struct span cipher)
{
    if (cipher.len == 0)
        return;
    t->wire = cipher;
    if (t->state == TLS_HANDSHAKE)
        shake(t);
    if (t->state == TLS_OPEN && cipher.len > PIECE)
        make_room(t, &t->plain, span_first(cipher, READ_MAX).len + PIECE, too_much_in);
    decrypt(t);
    t->wire = SPAN_NONE;
}

/* One to come back with. Of its own it would be a packet more, and who never speaks needs none. */
static void give_ticket(struct tls *t)
{
    if (t->owes_ticket)
        SSL_new_session_ticket(t->ssl); /* SSL_write() sends it first */
    t->owes_ticket = false;
}

void tls_write(struct tls *t, struct span plain)
{
    if (plain.len > 0 && t->state == TLS_OPEN)
        give_ticket(t);
    if (plain.len > PIECE && t->state == TLS_OPEN) /* a record is at most so much longer */
        make_room(t, &t->cipher, plain.len + (plain.len / PIECE + 1) * RECORD_MORE, too_much_out);
    while (plain.len > 0 && t->state == TLS_OPEN) {
        forget_errors();
        int len = SSL_write(t->ssl, plain.ptr, (int)span_first(plain, PIECE).len);
        if (len <= 0) {
            fail(t, "TLS write");
            break;
        }
        plain = span_from(plain, (size_t)len);
    }
}

void tls_withhold_ticket(struct tls *t)
{
    t->owes_ticket = false;
}

void tls_finish(struct tls *t)
{
    forget_errors();
    if (t->state == TLS_OPEN)
        SSL_shutdown(t->ssl);
    forget_errors();
}

void tls_describe(const struct tls *t, char *text_r, size_t size)
{
    struct tls_judgement j;
    char tlsa[TLSA_TEXT];
    char by[TLSA_TEXT + 8] = "";
    tls_judge(t, &j);
    tlsa_print(&j.match, tlsa);
    if (j.by == TLS_BY_DANE && j.result == TLS_RESULT_OK)
        snprintf(by, sizeof(by), " TLSA %s", tlsa);
    snprintf(text_r, size, "%s %s%s", SSL_get_version(t->ssl), SSL_get_cipher_name(t->ssl), by);
}

bool tls_is_resumed(const struct tls *t)
{
    return SSL_session_reused(t->ssl) == 1;
}

bool tls_binds(const struct tls *t)
{
    return SSL_version(t->ssl) >= TLS1_3_VERSION;
}

bool tls_binding(const struct tls *t, unsigned char *binding_r)
{
    static const char label[] = "EXPORTER-Channel-Binding";
    return tls_binds(t) && SSL_export_keying_material(t->ssl, binding_r, SCRAM_BINDING, label,
                                                      sizeof(label) - 1, NULL, 0, 0) == 1;
}
