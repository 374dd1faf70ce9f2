// SPDX-License-Identifier: BSD-2-Clause
/* tls_limits_test.c - What the other side of a handshake may choose costs a bounded time. The kind of fault is a peer that
 * stops a loop, and so everybody's mail, by numbers that are expensive to compute with. */
#include "table.h"

#include "dane.h"
#include "key.h"
#include "tls.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
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
    } rows[] = {{1, true}, {40, true}, {110, false}};
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
    } rows[] = {{"P-256", 9, true}, {"P-384", 9, true}, {"P-521", 9, true}, {"brainpoolP512r1", 9, true},
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
        cmocka_unit_test(a_chain_that_a_zone_vouches_for_is_bounded),
        cmocka_unit_test(so_are_the_keys_that_a_zone_holds),
                                       cmocka_unit_test(the_group_of_a_client_is_bounded)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
