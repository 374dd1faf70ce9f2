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
 * owns a zone says who that is: he gives the certificates, too, and their keys, in the handshake or
 * in DNS. What he gives is used as an issuer's only where it costs some milliseconds, and in a
 * chain of usual length. Binary curves take eight, DSA twenty, and so does RSA with an exponent as
 * long as its modulus. The peer's own key verifies the handshake itself, whoever judges it: with
 * such an exponent the handshake ends.
 *
 * Before all that a certificate is parsed, with its key: tls_screen() lets OpenSSL parse only those
 * whose key costs little (certificate_screen.h), 32 at once: 15 ms if all have a compressed point
 * on P-521, the dearest of those curves.
 *
 * Each name of a certificate is compared with each constraint of those above it: a few thousand of
 * both make a tenth of a second.
 */
#include "tls_parts.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/x509v3.h>
#include <string.h>

enum { ISSUERS_MAX = 6 };
enum { EXPONENT_MAX = 64, COMPARISONS_MAX = 20000 };
enum { FFDHE_FIRST = 0x0100, FFDHE_LAST = 0x01ff }; /* groups, RFC 7919 section 2 */

#ifndef SSL_OP_NO_RX_CERTIFICATE_COMPRESSION /* OpenSSL 3.2 is the first that can */
#define SSL_OP_NO_RX_CERTIFICATE_COMPRESSION 0
#endif

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

static bool has_short_exponent(const EVP_PKEY *key)
{
    BIGNUM *e = NULL;
    bool is_short = EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &e) == 1 &&
                    BN_num_bits(e) <= EXPONENT_MAX;
    BN_free(e);
    return is_short;
}

/* Over a prime. */
static bool has_prime_field(const EVP_PKEY *key)
{
    char field[32] = "";
    return EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_EC_FIELD_TYPE, field, sizeof(field),
                                          NULL) == 1 &&
           strcmp(field, SN_X9_62_prime_field) == 0;
}

static bool is_rsa(const EVP_PKEY *key)
{
    int kind = EVP_PKEY_get_base_id(key);
    return kind == EVP_PKEY_RSA || kind == EVP_PKEY_RSA_PSS;
}

bool tls_is_cheap(const EVP_PKEY *key)
{
    int kind = key ? EVP_PKEY_get_base_id(key) : EVP_PKEY_NONE;
    bool cheap = false;
    for (size_t i = 0; i < COUNT_OF(cheap_kinds) && !cheap; i++)
        cheap = cheap_kinds[i].kind == kind && EVP_PKEY_get_bits(key) <= cheap_kinds[i].bits_max;
    if (cheap && kind == EVP_PKEY_EC)
        return has_prime_field(key);
    return cheap && (!is_rsa(key) || has_short_exponent(key));
}

/* ---- names ---- */

static size_t subtrees(const STACK_OF(GENERAL_SUBTREE) * all)
{
    return all ? (size_t)sk_GENERAL_SUBTREE_num(all) : 0;
}

/* One that stands twice OpenSSL does not look at, either. */
void tls_count_names(const X509 *x, struct tls_names *names)
{
    GENERAL_NAMES *other = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
    NAME_CONSTRAINTS *limits = X509_get_ext_d2i(x, NID_name_constraints, NULL, NULL);
    names->names += (size_t)X509_NAME_entry_count(X509_get_subject_name(x));
    names->names += other ? (size_t)sk_GENERAL_NAME_num(other) : 0;
    if (limits)
        names->constraints +=
            subtrees(limits->permittedSubtrees) + subtrees(limits->excludedSubtrees);
    GENERAL_NAMES_free(other);
    NAME_CONSTRAINTS_free(limits);
}

/* Those that DNS holds are put into the chain, too. */
static bool has_few_names(STACK_OF(X509) * chain, struct tls_names names)
{
    for (int i = 0; i < sk_X509_num(chain); i++)
        tls_count_names(sk_X509_value(chain, i), &names);
    return names.names * names.constraints <= COMPARISONS_MAX;
}

/* ---- what is parsed ---- */

/* OpenSSL lets nobody refuse a message, but shows each where it parses it from. */
void tls_screen(struct tls *t, const void *message, size_t len)
{
    bool tls13 = SSL_version(t->ssl) >= TLS1_3_VERSION;
    enum certificate_fault fault =
        certificate_screen_message((unsigned char *)(uintptr_t)message, len, tls13);
    if (fault != CERTIFICATE_FINE)
        t->unread = fault;
}

/* ---- a chain ---- */

static bool verify(X509_STORE_CTX *store, STACK_OF(X509) * chain, const struct tls *t)
{
    STACK_OF(X509) *sent = X509_STORE_CTX_get0_untrusted(store);
    if (!has_few_names(chain, t->zone_names)) {
        X509_STORE_CTX_set_error(store, X509_V_ERR_UNSPECIFIED); /* as OpenSSL for millions */
        return false;
    }
    X509_STORE_CTX_set0_untrusted(store, chain);
    bool ok = X509_verify_cert(store) == 1;
    X509_STORE_CTX_set0_untrusted(store, sent);
    return ok;
}

/* The peer's own certificate is what it is; of those beside it an issuer is chosen. */
static bool verify_cheap(X509_STORE_CTX *store, const struct tls *t)
{
    STACK_OF(X509) *sent = X509_STORE_CTX_get0_untrusted(store);
    STACK_OF(X509) *cheap = sk_X509_new_null();
    bool ok = cheap != NULL;
    for (int i = 0; ok && i < sk_X509_num(sent); i++)
        if (i == 0 || tls_is_cheap(X509_get0_pubkey(sk_X509_value(sent, i))))
            ok = sk_X509_push(cheap, sk_X509_value(sent, i)) > 0;
    if (ok)
        ok = verify(store, cheap, t);
    else
        X509_STORE_CTX_set_error(store, X509_V_ERR_OUT_OF_MEM);
    sk_X509_free(cheap);
    return ok;
}

/* OpenSSL goes on whatever is said here, unless the certificate is asked for. */
static int refuse(X509_STORE_CTX *store, SSL *ssl)
{
    SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
    X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
    return 0;
}

static int on_chain(X509_STORE_CTX *store, void *arg)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    const EVP_PKEY *own = X509_get0_pubkey(X509_STORE_CTX_get0_cert(store));
    (void)arg;
    if (own && is_rsa(own) && !has_short_exponent(own))
        return refuse(store, ssl);
    return verify_cheap(store, SSL_get_app_data(ssl)) ? 1 : 0;
}

void tls_limit(SSL_CTX *ctx)
{
    CHECK(pthread_once(&once, find_usual) == 0);
    CHECK(SSL_CTX_set_cipher_list(ctx, "DEFAULT:!kDHE") == 1);
    SSL_CTX_set_security_callback(ctx, on_security);
    SSL_CTX_set_max_cert_list(ctx, CERTIFICATES_SIZE_MAX); /* each of them is parsed */
    SSL_CTX_set_options(ctx, SSL_OP_NO_RX_CERTIFICATE_COMPRESSION);
    SSL_CTX_set_verify_depth(ctx, ISSUERS_MAX);
    SSL_CTX_set_cert_verify_callback(ctx, on_chain, NULL);
}
