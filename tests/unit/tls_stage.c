// SPDX-License-Identifier: BSD-2-Clause
/* tls_stage.c - Certificates made for a test, and a client of ours that meets a server of ours in memory. */
#include "tls_stage.h"

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

static void extend(X509 *x, int nid, const char *value)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    assert_non_null(e);
    assert_int_equal(X509_add_ext(x, e, -1), 1);
    X509_EXTENSION_free(e);
}

static void add_names(X509 *x, const char *names)
{
    char value[2000] = "";
    size_t used = 0;
    for (struct span rest = span_of(names), name; rest.len > 0;) {
        name = span_take(&rest, ' ');
        used += (size_t)snprintf(value + used, sizeof(value) - used, "%sDNS:%.*s", used ? "," : "", SPAN_ARG(name));
    }
    if (used > 0)
        extend(x, NID_subject_alt_name, value);
}

struct made made_by(const struct made *issuer, enum made_kind kind, const char *names, long left_s)
{
    static long serial;
    struct made m = {.x = X509_new(), .key = EVP_EC_gen("P-256")};
    char name[40];
    snprintf(name, sizeof(name), "made %ld", ++serial);
    X509_set_version(m.x, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(m.x), serial);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(m.x), "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(m.x, X509_get_subject_name(issuer ? issuer->x : m.x));
    X509_gmtime_adj(X509_getm_notBefore(m.x), left_s < 0 ? 2 * left_s - 3600 : -3600);
    X509_gmtime_adj(X509_getm_notAfter(m.x), left_s);
    X509_set_pubkey(m.x, m.key);
    if (kind == MADE_AUTHORITY)
        extend(m.x, NID_basic_constraints, "critical,CA:TRUE");
    add_names(m.x, names);
    assert_true(X509_sign(m.x, issuer ? issuer->key : m.key, EVP_sha256()) > 0);
    return m;
}

void made_free(struct made *m)
{
    X509_free(m->x);
    EVP_PKEY_free(m->key);
}

struct dane_record made_record(const struct made *m, unsigned usage, unsigned selector, unsigned mtype)
{
    static unsigned char kept[64][2048];
    static size_t next;
    unsigned char *data = kept[next++ % COUNT_OF(kept)], *der = NULL;
    unsigned char digest[64];
    int len = selector == 1 ? i2d_PUBKEY(m->key, &der) : i2d_X509(m->x, &der);
    unsigned size = (unsigned)len;
    assert_true(len > 0 && size <= sizeof(kept[0]));
    if (mtype > 0)
        assert_int_equal(EVP_Digest(der, (size_t)len, digest, &size, mtype == 2 ? EVP_sha512() : EVP_sha256(), NULL), 1);
    memcpy(data, mtype > 0 ? digest : der, size);
    OPENSSL_free(der);
    return (struct dane_record){(unsigned char)usage, (unsigned char)selector, (unsigned char)mtype, {(char *)data, size}};
}

static struct span text_of(BIO *bio)
{
    char *text = NULL;
    long len = BIO_get_mem_data(bio, &text);
    return (struct span){text, (size_t)len};
}

struct tls_context *made_server(const struct made *chain, size_t count)
{
    struct tls_context *server = NULL;
    struct err err = {0};
    BIO *certificates = BIO_new(BIO_s_mem()), *key = BIO_new(BIO_s_mem());
    for (size_t i = 0; i < count; i++)
        assert_int_equal(PEM_write_bio_X509(certificates, chain[i].x), 1);
    assert_int_equal(PEM_write_bio_PrivateKey(key, chain[0].key, NULL, NULL, 0, NULL, NULL), 1);
    EXPECT(tls_server_context_from(text_of(certificates), text_of(key), &server, &err), err.text);
    BIO_free(certificates);
    BIO_free(key);
    return server;
}

static void pass(struct tls *from, struct tls *to)
{
    tls_input(to, buf_span(&from->cipher));
    buf_clear(&from->cipher);
}

struct met meet(struct tls_context *server, struct tls_context *client, const struct tls_terms *terms, int version)
{
    struct met met = {0};
    struct tls s, c;
    tls_accept(&s, server, TLS_SMTP);
    if (version)
        assert_int_equal(SSL_set_max_proto_version(s.ssl, version), 1);
    tls_connect_on(&c, client, terms);
    met.offered = c.resumes;
    for (int flight = 0; flight < 3; flight++) {
        pass(&c, &s);
        if (s.state == TLS_OPEN)
            tls_write(&s, SPAN("220 ready\r\n"));
        pass(&s, &c);
    }
    tls_judge(&c, &met.judged);
    assert_true(tls_verified(&c) == (met.judged.result == TLS_RESULT_OK));
    met.state = c.state;
    snprintf(met.reason, sizeof(met.reason), "%s", met.judged.reason);
    met.resumed = c.state == TLS_OPEN && SSL_session_reused(c.ssl) == 1;
    const char *asked = SSL_get_servername(s.ssl, TLSEXT_NAMETYPE_host_name);
    snprintf(met.asked, sizeof(met.asked), "%s", asked ? asked : "");
    tls_fini(&s);
    tls_fini(&c);
    return met;
}
