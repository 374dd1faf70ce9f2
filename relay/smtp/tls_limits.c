// SPDX-License-Identifier: BSD-2-Clause
/* tls_limits.c - What the other side may make a handshake cost.
 *
 * A handshake is computed on the loop that serves all connections, and the peer chooses much of it.
 * Elliptic curves and RSA verification cost some milliseconds at most, whatever is chosen; modular
 * Diffie-Hellman grows with the third power of its size: 10,000 bits, which OpenSSL accepts of a
 * server, cost close to a second, and a group of 8192 bits an eighth of one. Who has TLS 1.2 has
 * elliptic curves, too: so there is no modular Diffie-Hellman, neither by a cipher of TLS 1.2 nor
 * by a group of TLS 1.3.
 *
 * Signatures of certificates are verified once a chain leads to an authority, and by DANE whoever
 * owns a zone says who that is: he gives the certificates, too, and their keys. What he gives is
 * used as an issuer's only where it costs some milliseconds, and in a chain of usual length. Binary
 * curves take eight, DSA twenty.
 */
#include "tls_parts.h"

#include <openssl/core_names.h>
#include <string.h>

enum { CERTIFICATES_MAX = 64 * 1024, ISSUERS_MAX = 9 };
enum { FFDHE_FIRST = 0x0100, FFDHE_LAST = 0x01ff }; /* groups, RFC 7919 section 2 */

typedef int security_callback(const SSL *ssl, const SSL_CTX *ctx, int op, int bits, int nid,
                              void *other, void *data);

static pthread_once_t once = PTHREAD_ONCE_INIT;
static security_callback *usual; /* what OpenSSL asks otherwise */

static void find_usual(void)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_method());
    CHECK(ctx != NULL);
    usual = SSL_CTX_get_security_callback(ctx);
    SSL_CTX_free(ctx);
}

static bool is_modular(const unsigned char *wire)
{
    unsigned group = (unsigned)(wire[0] << 8 | wire[1]);
    return group >= FFDHE_FIRST && group <= FFDHE_LAST;
}

static int on_security(const SSL *ssl, const SSL_CTX *ctx, int op, int bits, int nid, void *other,
                       void *data)
{
    if (((unsigned)op & SSL_SECOP_OTHER_TYPE) == SSL_SECOP_OTHER_CURVE && other &&
        is_modular(other))
        return 0;
    return usual(ssl, ctx, op, bits, nid, other, data);
}

/* ---- what certificates are verified with ---- */

static const struct {
    int kind;
    int bits_max;
} cheap_kinds[] = {{EVP_PKEY_RSA, 8192},
                   {EVP_PKEY_RSA_PSS, 8192},
                   {EVP_PKEY_EC, 521},
                   {EVP_PKEY_ED25519, 256},
                   {EVP_PKEY_ED448, 456}};

/* Of elliptic curves only those over a prime field. */
static bool is_cheap(const X509 *x)
{
    char field[32] = "";
    EVP_PKEY *key = X509_get0_pubkey(x);
    int kind = key ? EVP_PKEY_get_base_id(key) : EVP_PKEY_NONE;
    bool cheap = false;
    for (size_t i = 0; i < COUNT_OF(cheap_kinds) && !cheap; i++)
        cheap = cheap_kinds[i].kind == kind && EVP_PKEY_get_bits(key) <= cheap_kinds[i].bits_max;
    if (!cheap || kind != EVP_PKEY_EC)
        return cheap;
    return EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_EC_FIELD_TYPE, field, sizeof(field),
                                          NULL) == 1 &&
           strcmp(field, SN_X9_62_prime_field) == 0;
}

/* The peer's own certificate is what it is; of those beside it an issuer is chosen. */
static int on_chain(X509_STORE_CTX *store, void *arg)
{
    STACK_OF(X509) *sent = X509_STORE_CTX_get0_untrusted(store);
    STACK_OF(X509) *cheap = sk_X509_new_null();
    bool ok = cheap != NULL;
    (void)arg;
    for (int i = 0; ok && i < sk_X509_num(sent); i++)
        if (i == 0 || is_cheap(sk_X509_value(sent, i)))
            ok = sk_X509_push(cheap, sk_X509_value(sent, i)) > 0;
    if (ok) {
        X509_STORE_CTX_set0_untrusted(store, cheap);
        ok = X509_verify_cert(store) == 1;
        X509_STORE_CTX_set0_untrusted(store, sent);
    } else {
        X509_STORE_CTX_set_error(store, X509_V_ERR_OUT_OF_MEM);
    }
    sk_X509_free(cheap);
    return ok ? 1 : 0;
}

void tls_limit(SSL_CTX *ctx)
{
    CHECK(pthread_once(&once, find_usual) == 0);
    CHECK(SSL_CTX_set_cipher_list(ctx, "DEFAULT:!kDHE") == 1);
    SSL_CTX_set_security_callback(ctx, on_security);
    SSL_CTX_set_max_cert_list(ctx, CERTIFICATES_MAX); /* each of them is parsed */
    SSL_CTX_set_verify_depth(ctx, ISSUERS_MAX);
    SSL_CTX_set_cert_verify_callback(ctx, on_chain, NULL);
}
