// SPDX-License-Identifier: BSD-2-Clause
/* tls.c - OpenSSL behind memory buffers.
 *
 * OpenSSL's error queue is cleared before every call, so that no connection sees another one's
 * failure.
 */
#include "tls.h"

#include "scram.h"
#include "tls_parts.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

enum { PLAIN_MAX = 1024 * 1024, CIPHER_MAX = 8 * 1024 * 1024, PIECE = 16 * 1024 };
enum { CHATTER_MAX = 32 };

/* After the handshake: key updates, tickets, and whatever else costs work and says nothing. */
static void on_message(int sent, int version, int type, const void *bytes, size_t len, SSL *ssl,
                       void *arg)
{
    struct tls *t = arg;
    (void)version;
    (void)bytes;
    (void)len;
    (void)ssl;
    if (!sent && type == SSL3_RT_HANDSHAKE && t->state == TLS_OPEN)
        t->chatter++;
}

static void start(struct tls *t, struct tls_context *context, enum tls_protocol speaks)
{
    *t = (struct tls){.state = TLS_HANDSHAKE, .speaks = speaks};
    buf_init_peer(&t->plain, PLAIN_MAX);
    buf_init_peer(&t->cipher, CIPHER_MAX);
    SSL_CTX *ctx = tls_context_hold(context);
    SSL *ssl = SSL_new(ctx);
    SSL_CTX_free(ctx);
    BIO *in = BIO_new(BIO_s_mem());
    BIO *out = BIO_new(BIO_s_mem());
    CHECK(ssl != NULL && in != NULL && out != NULL);
    BIO_set_mem_eof_return(in, -1);
    SSL_set_bio(ssl, in, out);
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

/* Move what OpenSSL wants to send into `cipher`. */
static void collect(struct tls *t)
{
    BIO *out = SSL_get_wbio(t->ssl);
    size_t pending = BIO_ctrl_pending(out);
    if (pending == 0)
        return;
    char *to = buf_reserve(&t->cipher, pending);
    if (!to) {
        overfill(t, "more TLS data to send than can be held");
        return;
    }
    int len = BIO_read(out, to, (int)pending);
    if (len > 0)
        buf_commit(&t->cipher, (size_t)len);
}

static void fail(struct tls *t, const char *doing)
{
    bool checked = (SSL_get_verify_mode(t->ssl) & SSL_VERIFY_PEER) != 0; /* else it broke nothing */
    long verdict = SSL_get_verify_result(t->ssl);
    if (checked && verdict != X509_V_OK && t->state == TLS_HANDSHAKE && !SSL_is_server(t->ssl))
        err_set(&t->err, ERR_TLS, "certificate refused: %s",
                X509_verify_cert_error_string(verdict));
    else
        tls_failed(&t->err, doing);
    ERR_clear_error();
    t->state = TLS_FAILED;
}

static void shake(struct tls *t)
{
    ERR_clear_error();
    int result = SSL_do_handshake(t->ssl);
    if (result == 1) {
        t->state = TLS_OPEN;
        if (SSL_is_server(t->ssl)) /* one ticket to come back with; it leaves with the next write */
            SSL_new_session_ticket(t->ssl);
    } else if (SSL_get_error(t->ssl, result) != SSL_ERROR_WANT_READ)
        fail(t, "TLS handshake");
}

static void decrypt(struct tls *t)
{
    while (t->state == TLS_OPEN) {
        char *to = buf_reserve(&t->plain, PIECE);
        if (!to) {
            overfill(t, "more TLS data than can be taken");
            return;
        }
        ERR_clear_error();
        int len = SSL_read(t->ssl, to, PIECE);
        if (len > 0) {
            buf_commit(&t->plain, (size_t)len);
            t->chatter = 0;
            continue;
        }
        if (t->chatter > CHATTER_MAX) {
            overfill(t, "TLS handshake messages without end");
            return;
        }
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
    start(t, context, TLS_SMTP);
    SSL *ssl = t->ssl;
    SSL_set_connect_state(ssl);
    SSL_set_hostflags(ssl,
                      X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    bool is_address = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
    if (!is_address) {
        SSL_set1_host(ssl, host);
        SSL_set_tlsext_host_name(ssl, host); /* no literal addresses (RFC 6066 section 3) */
    }
    SSL_set_verify(ssl, demand == TLS_VERIFIED ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
    if (demand >= TLS_STRONG)
        CHECK(SSL_set_cipher_list(ssl, tls_strong_ciphers) == 1);
    shake(t);
    collect(t);
}

void tls_input(struct tls *t, struct span cipher)
{
    while (cipher.len > 0 && (t->state == TLS_HANDSHAKE || t->state == TLS_OPEN)) {
        struct span piece = span_first(cipher, 64 * 1024);
        int taken = BIO_write(SSL_get_rbio(t->ssl), piece.ptr, (int)piece.len);
        if (taken != (int)piece.len) {
            fail(t, "TLS input");
            return;
        }
        cipher = span_from(cipher, piece.len);
        if (t->state == TLS_HANDSHAKE)
            shake(t);
        decrypt(t);
        collect(t);
    }
}

void tls_write(struct tls *t, struct span plain)
{
    while (plain.len > 0 && t->state == TLS_OPEN) {
        ERR_clear_error();
        int len = SSL_write(t->ssl, plain.ptr, (int)span_first(plain, PIECE).len);
        if (len <= 0) {
            fail(t, "TLS write");
            break;
        }
        plain = span_from(plain, (size_t)len);
        collect(t);
    }
}

void tls_finish(struct tls *t)
{
    ERR_clear_error();
    if (t->state == TLS_OPEN)
        SSL_shutdown(t->ssl);
    ERR_clear_error();
    collect(t);
}

void tls_describe(const struct tls *t, char *text_r, size_t size)
{
    snprintf(text_r, size, "%s %s", SSL_get_version(t->ssl), SSL_get_cipher_name(t->ssl));
}

bool tls_binding(const struct tls *t, unsigned char *binding_r)
{
    static const char label[] = "EXPORTER-Channel-Binding";
    return SSL_version(t->ssl) >= TLS1_3_VERSION &&
           SSL_export_keying_material(t->ssl, binding_r, SCRAM_BINDING, label, sizeof(label) - 1,
                                      NULL, 0, 0) == 1;
}

bool tls_verified(const struct tls *t)
{
    return SSL_get_verify_result(t->ssl) == X509_V_OK && SSL_get0_peer_certificate(t->ssl) != NULL;
}
