// SPDX-License-Identifier: BSD-2-Clause
/* tls_context.c - State that connections share: certificates, session ticket keys, ALPN protocols.
 *
 * As RFC 9325 requires: TLS 1.2 and 1.3 only, no renegotiation, no compression, no early data.
 */
#include "secret.h"
#include "tls_parts.h"
#include "tls_pem.h"
#include "tls_sessions.h"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

const char tls_strong_ciphers[] = "ECDHE+AESGCM:ECDHE+CHACHA20";
/* RFC 8446 appendix B.4. The suite that all implement (section 9.1) is first: most processors have
 * SHA-256 in hardware and SHA-384 not, and a handshake hashes more than it encrypts. */
static const char suites[] =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
static char digest_name[] = "SHA256";

/* RFC 7301 section 3.2: a client that speaks of protocols must speak of the one that is spoken
 * here, so that no request meant for one service reaches another one. */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                   const unsigned char *in, unsigned in_len, void *arg)
{
    const struct span spoken[] = {[TLS_SMTP] = SPAN("\x04smtp"), [TLS_HTTP] = SPAN("\x08http/1.1")};
    const struct tls *t = SSL_get_app_data(ssl);
    const struct span *ours = &spoken[t->speaks];
    unsigned char *chosen = NULL;
    (void)arg;
    if (SSL_select_next_proto(&chosen, out_len, (const unsigned char *)ours->ptr,
                              (unsigned)ours->len, in, in_len) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

/* ---- session tickets ---- */

enum { TICKET_NAME = 16, TICKET_KEY = 32 };

struct ticket_key {
    unsigned char name[TICKET_NAME], cipher[TICKET_KEY], mac[TICKET_KEY];
};

static struct {
    pthread_mutex_t mutex;
    size_t count;              /* how many there are: a key that was never made seals nothing */
    struct ticket_key keys[2]; /* newest first */
} tickets = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* With the mutex held. */
static void make_key(void)
{
    tickets.keys[1] = tickets.keys[0];
    secret_random(&tickets.keys[0], sizeof(tickets.keys[0]));
    if (tickets.count < COUNT_OF(tickets.keys))
        tickets.count++;
}

void tls_rotate_tickets(void)
{
    pthread_mutex_lock(&tickets.mutex);
    make_key();
    pthread_mutex_unlock(&tickets.mutex);
}

/* 0: not ours, or too old; 1: good; 2: good, and to be replaced. */
static int choose_key(const unsigned char *name, bool make, struct ticket_key *key_r)
{
    int found = 0;
    pthread_mutex_lock(&tickets.mutex);
    if (make && tickets.count == 0)
        make_key(); /* a server that never rotates has one of its own, too */
    if (make)
        *key_r = tickets.keys[0];
    for (size_t i = 0; i < tickets.count && !make && !found; i++)
        if (memcmp(name, tickets.keys[i].name, TICKET_NAME) == 0) {
            *key_r = tickets.keys[i];
            found = i == 0 ? 1 : 2;
        }
    pthread_mutex_unlock(&tickets.mutex);
    return make ? 1 : found;
}

/* RFC 5077 section 4. */
static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                     EVP_MAC_CTX *mac, int make)
{
    struct ticket_key key = {0};
    (void)ssl;
    int found = choose_key(name, make != 0, &key);
    if (found == 0)
        return 0;
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key.mac, sizeof(key.mac)),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest_name, 0),
        OSSL_PARAM_construct_end()};
    if (make) {
        memcpy(name, key.name, TICKET_NAME);
        secret_random(iv, (size_t)EVP_CIPHER_get_iv_length(EVP_aes_256_cbc()));
    }
    bool ok = EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key.cipher, iv, make) == 1 &&
              EVP_MAC_CTX_set_params(mac, parameters) == 1;
    secret_clear(&key, sizeof(key));
    return ok ? found : -1;
}

/* ---- contexts ---- */

static SSL_CTX *new_ctx(const SSL_METHOD *method)
{
    SSL_CTX *ctx = SSL_CTX_new(method);
    CHECK(ctx != NULL);
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    CHECK(SSL_CTX_set_ciphersuites(ctx, suites) == 1);
    tls_limit(ctx);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return ctx;
}

static SSL_CTX *new_server_ctx(void)
{
    SSL_CTX *ctx = new_ctx(TLS_server_method());
    CHECK(SSL_CTX_set_cipher_list(ctx, tls_strong_ciphers) == 1);
    SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
    SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"sealpost", 8);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket);
    SSL_CTX_set_num_tickets(ctx, 0); /* see give_ticket() */
    /* Only the issuers that the file holds: else a chain is looked for in each handshake, among
     * authorities that a server has none of. */
    SSL_CTX_set_mode(ctx, SSL_MODE_NO_AUTO_CHAIN);
    /* A client without tickets has its session kept here, in memory, and past each change of keys:
     * what a client resumes, it keeps itself. */
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    return ctx;
}

/* ---- certificates ---- */

/* The last one added to `ctx`. */
static void note_expiry(struct served *c, SSL_CTX *ctx, const char *file)
{
    struct tm tm = {0};
    const X509 *x = SSL_CTX_get0_certificate(ctx);
    if (!x || ASN1_TIME_to_tm(X509_get0_notAfter(x), &tm) != 1)
        return;
    int64_t expires_s = timegm(&tm);
    if (c->expiry.file[0] && expires_s >= c->expiry.expires_s)
        return;
    c->expiry.expires_s = expires_s;
    snprintf(c->expiry.file, sizeof(c->expiry.file), "%s", file);
}

static bool name_fits(const char *pattern, const char *name)
{
    struct span p = span_of(pattern);
    struct span n = span_of(name);
    size_t dot = span_find(n, '.');
    if (span_starts_nocase(p, SPAN("*.")))
        return dot < n.len && span_equal_nocase(span_from(p, 1), span_from(n, dot));
    return span_equal_nocase(p, n);
}

/* RFC 6066 section 3: who asks for a name that we do not have is served all the same. */
static int on_server_name(SSL *ssl, int *alert, void *context)
{
    struct tls_context *c = context;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    (void)alert;
    pthread_mutex_lock(&c->mutex);
    for (size_t i = 0; name && i < c->now.named_count; i++)
        if (name_fits(c->now.named[i].server, name)) {
            SSL_set_SSL_CTX(ssl, c->now.named[i].ctx);
            break;
        }
    pthread_mutex_unlock(&c->mutex);
    return SSL_TLSEXT_ERR_OK;
}

bool tls_server_is_named(struct tls_context *context, const char *host)
{
    pthread_mutex_lock(&context->mutex);
    const SSL_CTX *ctx = context->now.ctx;
    for (size_t i = context->now.named_count; i-- > 0;)
        if (name_fits(context->now.named[i].server, host))
            ctx = context->now.named[i].ctx;
    X509 *x = SSL_CTX_get0_certificate(ctx);
    bool named = x && X509_check_host(x, host, 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL) == 1;
    pthread_mutex_unlock(&context->mutex);
    return named;
}

/* Where a certificate belongs: the context itself, or that of its server's name. */
static SSL_CTX *place_for(struct served *c, const char *server)
{
    if (!server[0])
        return c->ctx;
    for (size_t i = 0; i < c->named_count; i++)
        if (strcmp(c->named[i].server, server) == 0)
            return c->named[i].ctx;
    c->named = xgrow(c->named, c->named_count + 1, sizeof(*c->named));
    struct named *n = &c->named[c->named_count++];
    n->ctx = new_server_ctx();
    snprintf(n->server, sizeof(n->server), "%s", server);
    return n->ctx;
}

static struct tls_context *new_context(SSL_CTX *ctx)
{
    struct tls_context *c = xcalloc(1, sizeof(*c));
    CHECK(pthread_mutex_init(&c->mutex, NULL) == 0);
    c->now.ctx = ctx;
    return c;
}

bool tls_server_context(const struct tls_certificate *certificates, const struct tls_pem *pems,
                        size_t count, struct tls_context **context_r, struct err *err)
{
    struct tls_context *c = new_context(new_server_ctx());
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++) {
        SSL_CTX *ctx = place_for(&c->now, certificates[i].server);
        ok = tls_pem_use(ctx, &certificates[i], &pems[i], err);
        note_expiry(&c->now, ctx, certificates[i].file);
    }
    SSL_CTX_set_tlsext_servername_callback(c->now.ctx, on_server_name);
    SSL_CTX_set_tlsext_servername_arg(c->now.ctx, c);
    if (!ok) {
        tls_context_free(c);
        return false;
    }
    *context_r = c;
    return true;
}

void tls_server_renew(struct tls_context *context, struct tls_context *with)
{
    SSL_CTX_set_tlsext_servername_arg(with->now.ctx, context);
    pthread_mutex_lock(&context->mutex);
    struct served old = context->now;
    context->now = with->now;
    pthread_mutex_unlock(&context->mutex);
    with->now = old; /* connections that began with it hold it until they end */
    tls_context_free(with);
}

SSL_CTX *tls_context_hold(struct tls_context *context)
{
    pthread_mutex_lock(&context->mutex);
    SSL_CTX *ctx = context->now.ctx;
    SSL_CTX_up_ref(ctx);
    pthread_mutex_unlock(&context->mutex);
    return ctx;
}

struct tls_expiry tls_expiry(struct tls_context *context)
{
    pthread_mutex_lock(&context->mutex);
    struct tls_expiry expiry = context->now.expiry;
    pthread_mutex_unlock(&context->mutex);
    return expiry;
}

bool tls_key_digest(const X509 *x, char *hex_r)
{
    unsigned char digest[32];
    unsigned char *spki = NULL;
    int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &spki);
    bool ok = len > 0 && EVP_Digest(spki, (size_t)len, digest, NULL, EVP_sha256(), NULL) == 1;
    for (size_t i = 0; ok && i < sizeof(digest); i++)
        snprintf(hex_r + 2 * i, 3, "%02x", digest[i]);
    OPENSSL_free(spki);
    return ok;
}

bool tls_certificate_digest(const char *certificate, char *hex_r, struct err *err)
{
    BIO *bio = BIO_new_file(certificate, "r");
    bool asked = false;
    X509 *x = bio ? PEM_read_bio_X509(bio, NULL, tls_pem_no_passphrase, &asked) : NULL;
    bool ok = x && tls_key_digest(x, hex_r);
    X509_free(x);
    BIO_free(bio);
    return ok || tls_failed(err, "reading the certificate");
}

bool tls_server_context_from(struct span certificate, struct span key,
                             struct tls_context **context_r, struct err *err)
{
    static const struct tls_certificate names = {.file = "certificate", .key = "key"};
    return tls_server_context(&names, &(struct tls_pem){certificate, key}, 1, context_r, err);
}

/* The system's file, and its directory by the hashes of names. OpenSSL's own default also reads all
 * files of that directory, on each handshake with a server that no authority vouches for. */
static bool trust_system(SSL_CTX *ctx)
{
    return SSL_CTX_set_default_verify_file(ctx) == 1 && SSL_CTX_set_default_verify_dir(ctx) == 1;
}

bool tls_client_context(const char *ca_file, struct tls_context **context_r, struct err *err)
{
    ERR_clear_error();
    struct tls_context *c = new_context(new_ctx(TLS_client_method()));
    bool loaded =
        ca_file ? SSL_CTX_load_verify_file(c->now.ctx, ca_file) == 1 : trust_system(c->now.ctx);
    if (!loaded) {
        unsigned long code = ERR_peek_error();
        tls_context_free(c);
        ERR_clear_error();
        return err_set(err, ERR_TLS, "ca_file %s: %s", ca_file ? ca_file : "(the system's)",
                       ERR_SYSTEM_ERROR(code) ? strerror(ERR_GET_REASON(code))
                                              : "it holds no certificate in PEM format");
    }
    CHECK(SSL_CTX_dane_enable(c->now.ctx) == 1);
    tls_sessions_keep(c->now.ctx);
    *context_r = c;
    return true;
}

void tls_context_free(struct tls_context *context)
{
    if (!context)
        return;
    SSL_CTX_free(context->now.ctx);
    for (size_t i = 0; i < context->now.named_count; i++)
        SSL_CTX_free(context->now.named[i].ctx);
    free(context->now.named);
    pthread_mutex_destroy(&context->mutex);
    free(context);
}
