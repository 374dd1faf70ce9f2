// SPDX-License-Identifier: BSD-2-Clause
/* tls_limits_test.c - What the other side of a handshake may choose costs a bounded time. The kind of fault is a peer that
 * stops a loop, and so everybody's mail, by numbers that are expensive to compute with. */
#include "table.h"

#include "dane.h"
#include "der.h"
#include "key.h"
#include "tls.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <time.h>

static const double cost_ms = 60;

static struct tls_context *server, *client;
static EVP_PKEY *rsa;
static X509 *certificate;

static X509 *self_signed(EVP_PKEY *key)
{
    X509 *x = X509_new();
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)"mx.test", -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(x));
    X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_set_pubkey(x, key);
    assert_true(X509_sign(x, key, EVP_sha256()) > 0);
    return x;
}

static int set_up(void **state)
{
    struct buf pem, key;
    struct err err = {0};
    (void)state;
    buf_init(&pem, 16384);
    buf_init(&key, 16384);
    bool ok = key_self_signed("mx.test", &pem, &key, &err) &&
              tls_server_context_from(buf_span(&pem), buf_span(&key), &server, &err) &&
              tls_client_context(NULL, &client, &err);
    buf_fini(&pem);
    buf_fini(&key);
    rsa = EVP_RSA_gen(2048);
    certificate = self_signed(rsa);
    return ok ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    tls_context_free(server);
    tls_context_free(client);
    X509_free(certificate);
    EVP_PKEY_free(rsa);
    return 0;
}

/* A small private exponent makes a public one as long as the modulus, and each verification as dear as a hundred. */
static EVP_PKEY *with_long_exponent(void)
{
    static const char *const names[] = {OSSL_PKEY_PARAM_RSA_N, OSSL_PKEY_PARAM_RSA_FACTOR1, OSSL_PKEY_PARAM_RSA_FACTOR2};
    BIGNUM *of[COUNT_OF(names)] = {0}, *phi = BN_new(), *d = BN_new(), *e = NULL;
    BN_CTX *room = BN_CTX_new();
    EVP_PKEY *key = NULL;
    for (size_t i = 0; i < COUNT_OF(names); i++)
        assert_int_equal(EVP_PKEY_get_bn_param(rsa, names[i], &of[i]), 1);
    BN_sub_word(of[1], 1);
    BN_sub_word(of[2], 1);
    assert_int_equal(BN_mul(phi, of[1], of[2], room), 1);
    for (BN_set_word(d, 0x10000000f); !(e = BN_mod_inverse(NULL, d, phi, room)); BN_add_word(d, 2))
        ;
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, of[0]);
    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e);
    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_D, d);
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    assert_true(EVP_PKEY_fromdata_init(c) == 1 && EVP_PKEY_fromdata(c, &key, EVP_PKEY_KEYPAIR, params) == 1);
    EVP_PKEY_CTX_free(c);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    for (size_t i = 0; i < COUNT_OF(names); i++)
        BN_free(of[i]);
    BN_free(phi);
    BN_free(d);
    BN_free(e);
    BN_CTX_free(room);
    return key;
}

/* ---- a peer of OpenSSL's own, with everything allowed ---- */

static SSL *new_peer(SSL_CTX *ctx)
{
    SSL *ssl = SSL_new(ctx);
    SSL_CTX_free(ctx);
    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    return ssl;
}

static SSL_CTX *peer_server(void)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    SSL_CTX_set_security_level(ctx, 0);
    assert_int_equal(SSL_CTX_use_certificate(ctx, certificate), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(ctx, rsa), 1);
    return ctx;
}

/* Any odd number does: nobody proves that it is prime. */
static EVP_PKEY *own_dh(int bits)
{
    EVP_PKEY *key = NULL;
    BIGNUM *p = BN_new(), *g = BN_new();
    assert_true(BN_rand(p, bits, BN_RAND_TOP_TWO, BN_RAND_BOTTOM_ODD) == 1 && BN_set_word(g, 3) == 1);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_FFC_P, p);
    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_FFC_G, g);
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, "DH", NULL);
    assert_true(EVP_PKEY_fromdata_init(c) == 1 && EVP_PKEY_fromdata(c, &key, EVP_PKEY_KEY_PARAMETERS, params) == 1);
    EVP_PKEY_CTX_free(c);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    BN_free(p);
    BN_free(g);
    return key;
}

static double cpu_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* Until nothing moves any more. Returns how long our side has computed at most in one go. */
static double shake(struct tls *ours, SSL *peer)
{
    double most_ms = 0;
    for (int flight = 0; flight < 6 && ours->state == TLS_HANDSHAKE; flight++) {
        char wire[256 * 1024];
        BIO_write(SSL_get_rbio(peer), ours->cipher.memory, (int)ours->cipher.len);
        buf_clear(&ours->cipher);
        SSL_do_handshake(peer);
        int len = BIO_read(SSL_get_wbio(peer), wire, sizeof(wire));
        double began_ms = cpu_ms();
        tls_input(ours, (struct span){wire, len > 0 ? (size_t)len : 0});
        double took_ms = cpu_ms() - began_ms;
        most_ms = took_ms > most_ms ? took_ms : most_ms;
    }
    return most_ms;
}

/* With the last word of it said to the peer, and what it answers to that. */
static void shake_hands(struct tls *ours, SSL *peer)
{
    char wire[16 * 1024];
    shake(ours, peer);
    assert_int_equal(ours->state, TLS_OPEN);
    BIO_write(SSL_get_rbio(peer), ours->cipher.memory, (int)ours->cipher.len);
    buf_clear(&ours->cipher);
    assert_int_equal(SSL_do_handshake(peer), 1);
    int len = BIO_read(SSL_get_wbio(peer), wire, sizeof(wire));
    tls_input(ours, (struct span){wire, len > 0 ? (size_t)len : 0});
}

static double client_meets_by(const struct dane *dane, SSL_CTX *ctx, struct tls *c)
{
    SSL *peer = new_peer(ctx);
    SSL_set_accept_state(peer);
    tls_connect_on(c, client, &(struct tls_terms){.host = "mx.test", .dane = dane});
    double took_ms = shake(c, peer);
    SSL_free(peer);
    return took_ms;
}

static double client_meets(SSL_CTX *ctx, struct tls *c)
{
    return client_meets_by(NULL, ctx, c);
}

/* ---- what a server may choose ---- */

static void diffie_hellman_of_a_server_is_bounded(void **state)
{
    static const int rows[] = {2048, 4096, 8192, 10000};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct tls c;
        char label[500];
        SSL_CTX *ctx = peer_server();
        SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
        assert_int_equal(SSL_CTX_set_cipher_list(ctx, "DHE"), 1); /* alone */
        assert_int_equal(SSL_CTX_set0_tmp_dh_pkey(ctx, own_dh(rows[i])), 1);
        double took_ms = client_meets(ctx, &c);
        snprintf(label, sizeof(label), "%d bits: %.1f ms, %s", rows[i], took_ms, c.err.text);
        EXPECT(c.state != TLS_OPEN && took_ms < cost_ms, label);
        tls_fini(&c);
    }
}

static const struct {
    const char *group;
    bool taken;
} groups[] = {{"X25519", true},    {"P-256", true},     {"P-384", true},      {"P-521", true},      {"X448", true},
              {"ffdhe2048", false}, {"ffdhe3072", false}, {"ffdhe4096", false}, {"ffdhe6144", false}, {"ffdhe8192", false}};

/* Who likes it best, and has elliptic curves as well, is not left without TLS. */
static void a_server_that_prefers_diffie_hellman_takes_curves(void **state)
{
    struct tls c;
    SSL_CTX *ctx = peer_server();
    (void)state;
    SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE);
    assert_int_equal(SSL_CTX_set_cipher_list(ctx, "DHE:ECDHE"), 1);
    assert_int_equal(SSL_CTX_set0_tmp_dh_pkey(ctx, own_dh(4096)), 1);
    double took_ms = client_meets(ctx, &c);
    assert_int_equal(c.state, TLS_OPEN);
    assert_true(took_ms < cost_ms);
    tls_fini(&c);
}

static void the_group_of_a_server_is_bounded(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(groups); i++) {
        struct tls c;
        char label[500];
        SSL_CTX *ctx = peer_server();
        assert_int_equal(SSL_CTX_set1_groups_list(ctx, groups[i].group), 1);
        double took_ms = client_meets(ctx, &c);
        snprintf(label, sizeof(label), "%s: %.1f ms, %s", groups[i].group, took_ms, c.err.text);
        EXPECT((c.state == TLS_OPEN) == groups[i].taken && took_ms < cost_ms, label);
        tls_fini(&c);
    }
}

static void the_certificates_of_a_server_are_bounded(void **state)
{
    static const struct {
        unsigned count;
        bool taken;
    } rows[] = {{1, true}, {20, true}, {50, false}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct tls c;
        char label[500];
        SSL_CTX *ctx = peer_server();
        for (unsigned k = 1; k < rows[i].count; k++)
            SSL_CTX_add1_chain_cert(ctx, certificate);
        double took_ms = client_meets(ctx, &c);
        snprintf(label, sizeof(label), "%u: %.1f ms, %s", rows[i].count, took_ms, c.err.text);
        EXPECT((c.state == TLS_OPEN) == rows[i].taken && took_ms < cost_ms, label);
        tls_fini(&c);
    }
}

/* Whose key takes OpenSSL a quarter of a second to parse; each of them another. */
static X509 *dear(void)
{
    static struct der key, whole;
    key.len = whole.len = 0;
    der_dear_key(&key, DER_EC);
    der_certificate(&whole, der_span(&key));
    const unsigned char *at = (const unsigned char *)whole.bytes;
    X509 *x = d2i_X509(NULL, &at, (long)whole.len);
    assert_non_null(x);
    return x;
}

/* The kind: what a server sends beside its own certificate is parsed, at whatever cost, before anybody has looked at it. */
static void what_is_parsed_of_a_server_is_bounded(void **state)
{
    X509 *x = dear();
    (void)state;
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++)
        for (unsigned verified = 0; verified < 2; verified++) {
            struct tls c;
            struct tls_judgement j;
            SSL_CTX *ctx = peer_server();
            SSL_CTX_set_max_proto_version(ctx, version);
            for (unsigned k = 0; k < 30; k++)
                SSL_CTX_add1_chain_cert(ctx, x);
            SSL *peer = new_peer(ctx);
            SSL_set_accept_state(peer);
            tls_connect(&c, client, "mx.test", verified ? TLS_VERIFIED : TLS_ANY);
            double took_ms = shake(&c, peer);
            SSL_free(peer);
            tls_judge(&c, &j);
            EXPECT(c.state == TLS_FAILED && took_ms < cost_ms && j.result == TLS_RESULT_VALIDATION_FAILURE, c.err.text);
            EXPECT(strcmp(c.err.text, "certificate refused: its key has curve parameters of its own (RFC 5480 section 2.1.1)") == 0, c.err.text);
            tls_fini(&c);
        }
    X509_free(x);
}

/* What it does not parse OpenSSL must not take for anything else, whatever release it is of. */
static void openssl_fails_by_a_message_that_is_spoilt(void **state)
{
    X509 *x = dear();
    (void)state;
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        struct tls c;
        SSL_CTX *ctx = peer_server();
        SSL_CTX_set_max_proto_version(ctx, version);
        SSL_CTX_add1_chain_cert(ctx, x);
        SSL *peer = new_peer(ctx);
        SSL_set_accept_state(peer);
        tls_connect(&c, client, "mx.test", TLS_ANY);
        shake(&c, peer);
        BIO_write(SSL_get_rbio(peer), c.cipher.memory, (int)c.cipher.len);
        ERR_clear_error();
        assert_int_not_equal(SSL_do_handshake(peer), 1);
        int said = ERR_GET_REASON(ERR_peek_last_error()); /* by our side's alert */
        assert_int_equal(said, SSL_R_TLSV1_ALERT_DECODE_ERROR);
        SSL_free(peer);
        tls_fini(&c);
    }
    X509_free(x);
}

/* A server that would compress its certificates (RFC 8879; OpenSSL from 3.2 on) is not asked to: nobody sees them before they are parsed. */
static void certificates_are_asked_for_as_they_are(void **state)
{
    struct tls c;
    SSL_CTX *ctx = peer_server();
    (void)state;
#ifdef SSL_OP_NO_RX_CERTIFICATE_COMPRESSION
    SSL_CTX_compress_certs(ctx, 0);
#endif
    client_meets(ctx, &c);
    EXPECT(c.state == TLS_OPEN, c.err.text);
    tls_fini(&c);
}

/* By each usage, and as a certificate or its key. */
static void so_is_what_is_parsed_of_a_zone(void **state)
{
    static struct der key, whole;
    key.len = whole.len = 0;
    der_dear_key(&key, DER_EC);
    der_certificate(&whole, der_span(&key));
    (void)state;
    for (unsigned char i = 0; i < 4; i++) {
        unsigned char usage = 2 + i % 2, selector = i / 2;
        struct dane_record records[DANE_RECORDS_MAX];
        struct dane dane = {.names = {"mx.test"}, .name_count = 1, .records = records, .count = COUNT_OF(records)};
        for (size_t k = 0; k < COUNT_OF(records); k++)
            records[k] = (struct dane_record){usage, selector, 0, der_span(selector ? &key : &whole)};
        struct tls c;
        struct tls_judgement j;
        char label[40];
        double began_ms = cpu_ms();
        tls_connect_on(&c, client, &(struct tls_terms){.host = "mx.test", .dane = &dane});
        double took_ms = cpu_ms() - began_ms;
        tls_judge(&c, &j);
        snprintf(label, sizeof(label), "%u %u 0: %.1f ms", usage, selector, took_ms);
        EXPECT(took_ms < cost_ms && j.by == TLS_BY_NOTHING, label);
        tls_fini(&c);
    }
}

/* ---- what the owner of a zone may choose, whose the server is, too ---- */

static X509_NAME *numbered(size_t number)
{
    char text[20];
    X509_NAME *name = X509_NAME_new();
    snprintf(text, sizeof(text), number > 0 ? "n%zu" : "mx.test", number);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)text, -1, -1, 0);
    return name;
}

/* Number n of a chain, issued by number n + 1. */
static X509 *link_of_chain(size_t number, EVP_PKEY *key, EVP_PKEY *signer)
{
    X509 *x = X509_new();
    X509_NAME *names[] = {numbered(number), numbered(number + 1)};
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "CA:TRUE");
    X509_set_version(x, X509_VERSION_3);
    X509_set_subject_name(x, names[0]);
    X509_set_issuer_name(x, names[1]);
    X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_set_pubkey(x, key);
    X509_add_ext(x, e, -1);
    assert_true(X509_sign(x, signer, EVP_sha256()) > 0);
    X509_EXTENSION_free(e);
    X509_NAME_free(names[0]);
    X509_NAME_free(names[1]);
    return x;
}

/* A server that sends so many certificates above its own; the last of them, or NULL. All have this key. */
static X509 *chain_of(SSL_CTX *ctx, size_t count, EVP_PKEY *key)
{
    X509 *own = link_of_chain(0, rsa, key), *last = NULL;
    assert_true(SSL_CTX_use_certificate(ctx, own) == 1 && SSL_CTX_use_PrivateKey(ctx, rsa) == 1);
    for (size_t i = 1; i <= count; i++) {
        X509_free(last);
        last = link_of_chain(i, key, key);
        assert_int_equal(SSL_CTX_add1_chain_cert(ctx, last), 1);
    }
    X509_free(own);
    return last;
}

/* The kind: whoever owns a zone says which certificates are verified, and with it how much is computed. */
static void a_chain_that_a_zone_vouches_for_is_bounded(void **state)
{
    static const struct {
        const char *curve;
        size_t count;
        bool good;
    } rows[] = {{"P-256", 6, true}, {"P-384", 6, true}, {"P-521", 6, true}, {"brainpoolP512r1", 6, true}, {"P-256", 9, false},
                {"P-384", 30, false}, {"sect571r1", 1, false}, {"sect571r1", 9, false}, {"sect571r1", 30, false}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct tls c;
        char label[500];
        unsigned char digest[32];
        EVP_PKEY *key = EVP_EC_gen(rows[i].curve);
        SSL_CTX *ctx = peer_server();
        X509 *last = chain_of(ctx, rows[i].count, key);
        assert_int_equal(X509_digest(last, EVP_sha256(), digest, NULL), 1);
        struct dane_record record = {2, 0, 1, {(char *)digest, sizeof(digest)}};
        struct dane dane = {.names = {"mx.test"}, .name_count = 1, .records = &record, .count = 1};
        double took_ms = client_meets_by(&dane, ctx, &c);
        struct tls_judgement j;
        tls_judge(&c, &j);
        snprintf(label, sizeof(label), "%zu with %s: %.1f ms, %s", rows[i].count, rows[i].curve, took_ms, j.reason);
        EXPECT(took_ms < cost_ms && (j.result == TLS_RESULT_OK) == rows[i].good, label);
        tls_fini(&c);
        X509_free(last);
        EVP_PKEY_free(key);
    }
}

static void so_are_the_keys_that_a_zone_holds(void **state)
{
    static const char *const curves[] = {"P-256", "P-384", "P-521", "brainpoolP512r1", "sect571r1"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(curves); i++) {
        static unsigned char der[DANE_RECORDS_MAX][200];
        struct dane_record records[DANE_RECORDS_MAX];
        struct dane dane = {.names = {"mx.test"}, .name_count = 1, .records = records, .count = COUNT_OF(records)};
        struct tls c;
        char label[500];
        EVP_PKEY *key = EVP_EC_gen(curves[i]);
        SSL_CTX *ctx = peer_server();
        X509_free(chain_of(ctx, 0, key));
        for (size_t k = 0; k < COUNT_OF(records); k++) {
            EVP_PKEY *other = EVP_EC_gen(curves[i]);
            unsigned char *to = der[k];
            size_t len = (size_t)i2d_PUBKEY(other, &to);
            records[k] = (struct dane_record){2, 1, 0, {(char *)der[k], len}};
            EVP_PKEY_free(other);
        }
        double took_ms = client_meets_by(&dane, ctx, &c);
        snprintf(label, sizeof(label), "%s: %.1f ms", curves[i], took_ms);
        EXPECT(took_ms < cost_ms && !tls_verified(&c), label);
        tls_fini(&c);
        EVP_PKEY_free(key);
    }
}

/* What a whole record holds is put into the chain, too. */
static void a_key_that_a_zone_holds_is_cheap_or_of_no_use(void **state)
{
    EVP_PKEY *keys[] = {EVP_EC_gen("P-256"), EVP_EC_gen("sect571r1"), with_long_exponent()};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(keys); i++)
        for (unsigned char selector = 0; selector < 2; selector++) {
            struct tls c;
            struct tls_judgement j;
            char label[100];
            unsigned char *der = NULL;
            SSL_CTX *ctx = peer_server();
            X509 *last = chain_of(ctx, 1, keys[i]);
            SSL_CTX_clear_chain_certs(ctx); /* it stands in DNS alone */
            int len = selector == 0 ? i2d_X509(last, &der) : i2d_PUBKEY(keys[i], &der);
            struct dane_record record = {2, selector, 0, {(char *)der, (size_t)len}};
            struct dane dane = {.names = {"mx.test"}, .name_count = 1, .records = &record, .count = 1};
            client_meets_by(&dane, ctx, &c);
            tls_judge(&c, &j);
            snprintf(label, sizeof(label), "key %zu, 2 %u 0: %s", i, selector, j.reason);
            EXPECT(j.result == (i == 0 ? TLS_RESULT_OK : TLS_RESULT_TLSA_INVALID), label);
            EXPECT(j.by == (i == 0 ? TLS_BY_DANE : TLS_BY_NOTHING), label);
            tls_fini(&c);
            OPENSSL_free(der);
            X509_free(last);
        }
    for (size_t i = 0; i < COUNT_OF(keys); i++)
        EVP_PKEY_free(keys[i]);
}

/* ---- exponents ---- */

static void an_issuer_with_a_long_exponent_vouches_for_nothing(void **state)
{
    EVP_PKEY *key = with_long_exponent();
    SSL_CTX *ctx = peer_server();
    X509 *last = chain_of(ctx, 1, key);
    unsigned char digest[32];
    struct tls c;
    struct tls_judgement j;
    (void)state;
    assert_int_equal(X509_digest(last, EVP_sha256(), digest, NULL), 1);
    struct dane_record record = {2, 0, 1, {(char *)digest, sizeof(digest)}};
    struct dane dane = {.names = {"mx.test"}, .name_count = 1, .records = &record, .count = 1};
    client_meets_by(&dane, ctx, &c);
    tls_judge(&c, &j);
    EXPECT(j.result != TLS_RESULT_OK, j.reason);
    tls_fini(&c);
    X509_free(last);
    EVP_PKEY_free(key);
}

/* By it the handshake itself is verified, whoever vouches for it, and if nobody is asked to. */
static void a_handshake_with_a_long_exponent_is_not_finished(void **state)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    EVP_PKEY *key = with_long_exponent();
    X509 *own = self_signed(key);
    unsigned char digest[32];
    (void)state;
    assert_int_equal(X509_digest(own, EVP_sha256(), digest, NULL), 1);
    struct dane_record record = {3, 0, 1, {(char *)digest, sizeof(digest)}};
    struct dane dane = {.names = {"mx.test"}, .name_count = 1, .records = &record, .count = 1};
    for (size_t i = 0; i < 2 * COUNT_OF(versions); i++) {
        struct tls c;
        SSL_CTX *ctx = peer_server();
        assert_true(SSL_CTX_use_certificate(ctx, own) == 1 && SSL_CTX_use_PrivateKey(ctx, key) == 1);
        SSL_CTX_set_max_proto_version(ctx, versions[i / 2]);
        client_meets_by(i % 2 == 1 ? &dane : NULL, ctx, &c);
        EXPECT(c.state == TLS_FAILED && strstr(c.err.text, "certificate refused"), c.err.text);
        tls_fini(&c);
    }
    X509_free(own);
    EVP_PKEY_free(key);
}

/* ---- names ---- */

/* "excluded" subtrees, or names. */
static void add_names(X509 *x, int nid, const char *each, size_t count)
{
    struct buf value;
    buf_init(&value, 1024 * 1024);
    for (size_t i = 0; i < count; i++)
        assert_true(buf_addf(&value, "%s%s%zu.test", i > 0 ? "," : "", each, i));
    if (nid == NID_subject_alt_name)
        assert_true(buf_addf(&value, ",DNS:mx.test"));
    buf_add(&value, (struct span){"", 1});
    X509_EXTENSION *e = count > 0 ? X509V3_EXT_conf_nid(NULL, NULL, nid, value.memory) : NULL;
    assert_true(count == 0 || (e && X509_add_ext(x, e, -1) == 1));
    X509_EXTENSION_free(e);
    buf_fini(&value);
}

/* OpenSSL compares each name with each constraint above it. */
static void names_and_their_constraints_are_bounded(void **state)
{
    static const struct {
        size_t names, constraints;
        bool in_dns; /* the issuer's certificate stands in the record, and is not sent */
        bool good;
    } rows[] = {{500, 0, false, true}, {5, 90, false, true}, {90, 90, false, true}, {90, 90, true, true},
                {250, 250, false, false}, {250, 250, true, false}};
    EVP_PKEY *key = EVP_EC_gen("P-256");
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct tls c;
        struct tls_judgement j;
        char label[400];
        unsigned char *der = NULL;
        SSL_CTX *ctx = peer_server();
        X509 *own = link_of_chain(0, rsa, key), *issuer = link_of_chain(1, key, key);
        add_names(own, NID_subject_alt_name, "DNS:n", rows[i].names);
        add_names(issuer, NID_name_constraints, "excluded;DNS:c", rows[i].constraints);
        assert_true(X509_sign(own, key, EVP_sha256()) > 0 && X509_sign(issuer, key, EVP_sha256()) > 0);
        assert_true(SSL_CTX_use_certificate(ctx, own) == 1 && SSL_CTX_use_PrivateKey(ctx, rsa) == 1);
        assert_true(rows[i].in_dns || SSL_CTX_add1_chain_cert(ctx, issuer) == 1);
        int len = i2d_X509(issuer, &der);
        struct dane_record record = {2, 0, 0, {(char *)der, (size_t)len}};
        struct dane dane = {.names = {"mx.test"}, .name_count = 1, .records = &record, .count = 1};
        client_meets_by(&dane, ctx, &c);
        tls_judge(&c, &j);
        snprintf(label, sizeof(label), "row %zu: %s", i, j.reason);
        EXPECT((j.result == TLS_RESULT_OK) == rows[i].good, label);
        tls_fini(&c);
        OPENSSL_free(der);
        X509_free(own);
        X509_free(issuer);
    }
    EVP_PKEY_free(key);
}

/* ---- after the handshake ---- */

/* A peer that changes its keys so often, with so much text each time. How often our side has borne it. */
static size_t changes_of_keys(bool as_server, size_t times, int text)
{
    static char wire[64 * 1024], plain[16 * 1024];
    struct tls t;
    SSL_CTX *ctx = as_server ? peer_server() : SSL_CTX_new(TLS_client_method());
    SSL *peer = new_peer(ctx);
    size_t done = 0;
    if (as_server) {
        SSL_set_accept_state(peer);
        tls_connect(&t, client, "mx.test", TLS_ANY);
    } else {
        SSL_set_connect_state(peer);
        tls_accept(&t, server, TLS_SMTP);
    }
    shake_hands(&t, peer);
    for (; done < times; done++) {
        assert_int_equal(SSL_key_update(peer, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
        assert_int_equal(SSL_write(peer, plain, text), text);
        int len = BIO_read(SSL_get_wbio(peer), wire, sizeof(wire));
        tls_input(&t, (struct span){wire, (size_t)len});
        buf_clear(&t.plain);
        buf_clear(&t.cipher);
        if (t.state != TLS_OPEN)
            break;
    }
    EXPECT(t.state == TLS_OPEN || strstr(t.err.text, "without end"), t.err.text);
    tls_fini(&t);
    SSL_free(peer);
    return done;
}

/* The kind: a little text between them must not make them free. */
static void changes_of_keys_are_bounded_by_what_is_said(void **state)
{
    static const struct {
        size_t times;
        int text;
        bool borne;
    } rows[] = {{50, 1, true}, {500, 1, false}, {500, 1000, false}, {500, 16 * 1024, true}};
    (void)state;
    for (size_t i = 0; i < 2 * COUNT_OF(rows); i++) {
        char label[80];
        size_t row = i / 2, done = changes_of_keys(i % 2 == 0, rows[row].times, rows[row].text);
        snprintf(label, sizeof(label), "%zu times, %d octets: %zu", rows[row].times, rows[row].text, done);
        EXPECT((done == rows[row].times) == rows[row].borne, label);
    }
}

/* All at once, too: what is read in one go ends where there are too many. */
static void nor_do_they_all_come_to_be_read(void **state)
{
    static char wire[64 * 1024];
    struct tls t;
    SSL *peer = new_peer(peer_server());
    (void)state;
    SSL_set_accept_state(peer);
    tls_connect(&t, client, "mx.test", TLS_ANY);
    shake_hands(&t, peer);
    for (int i = 0; i < 1000; i++)
        assert_true(SSL_key_update(peer, SSL_KEY_UPDATE_REQUESTED) == 1 && SSL_do_handshake(peer) == 1);
    buf_clear(&t.cipher);
    int len = BIO_read(SSL_get_wbio(peer), wire, sizeof(wire));
    tls_input(&t, (struct span){wire, (size_t)len});
    assert_int_equal(t.state, TLS_FAILED);
    assert_true(t.chatter < 100);
    tls_fini(&t);
    SSL_free(peer);
}

/* ---- what a client may choose ---- */

/* With a key of that group at once, or after it has been asked for one. */
static void the_group_of_a_client_is_bounded(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(groups); i++) {
        struct tls s;
        char label[500];
        SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
        SSL_CTX_set_security_level(ctx, 0);
        assert_int_equal(SSL_CTX_set1_groups_list(ctx, groups[i].group), 1);
        SSL *peer = new_peer(ctx);
        SSL_set_connect_state(peer);
        tls_accept(&s, server, TLS_SMTP);
        double took_ms = shake(&s, peer);
        snprintf(label, sizeof(label), "%s: %.1f ms, %s", groups[i].group, took_ms, s.err.text);
        EXPECT((s.state == TLS_OPEN) == groups[i].taken && took_ms < cost_ms, label);
        tls_fini(&s);
        SSL_free(peer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(diffie_hellman_of_a_server_is_bounded),
                                       cmocka_unit_test(a_server_that_prefers_diffie_hellman_takes_curves),
        cmocka_unit_test(the_group_of_a_server_is_bounded),
                                       cmocka_unit_test(the_certificates_of_a_server_are_bounded),
        cmocka_unit_test(what_is_parsed_of_a_server_is_bounded),
        cmocka_unit_test(openssl_fails_by_a_message_that_is_spoilt),
        cmocka_unit_test(certificates_are_asked_for_as_they_are),
        cmocka_unit_test(so_is_what_is_parsed_of_a_zone),
        cmocka_unit_test(a_chain_that_a_zone_vouches_for_is_bounded),
        cmocka_unit_test(so_are_the_keys_that_a_zone_holds),
        cmocka_unit_test(a_key_that_a_zone_holds_is_cheap_or_of_no_use),
        cmocka_unit_test(an_issuer_with_a_long_exponent_vouches_for_nothing),
        cmocka_unit_test(a_handshake_with_a_long_exponent_is_not_finished),
        cmocka_unit_test(names_and_their_constraints_are_bounded),
        cmocka_unit_test(changes_of_keys_are_bounded_by_what_is_said),
        cmocka_unit_test(nor_do_they_all_come_to_be_read),
                                       cmocka_unit_test(the_group_of_a_client_is_bounded)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
