// SPDX-License-Identifier: BSD-2-Clause
/* certificate_screen_test.c - What is parsed of a stranger's certificates, and what is not. The kind of fault: a key is decoded, at whatever
 * cost, before anybody has looked at it. */
#include "table.h"

#include "certificate_screen.h"
#include "der.h"
#include "relative_name.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

enum { TLS12 = false, TLS13 = true };

static EVP_PKEY *made(const char *kind, const char *how)
{
    EVP_PKEY *key = NULL;
    if (strcmp(kind, "EC") == 0)
        return EVP_EC_gen(how);
    if (strcmp(kind, "DSA") == 0) {
        EVP_PKEY *parameters = NULL;
        EVP_PKEY_CTX *p = EVP_PKEY_CTX_new_from_name(NULL, "DSA", NULL);
        assert_true(EVP_PKEY_paramgen_init(p) == 1 && EVP_PKEY_CTX_ctrl_str(p, "dsa_paramgen_bits", how) == 1 &&
                    EVP_PKEY_paramgen(p, &parameters) == 1);
        EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_pkey(NULL, parameters, NULL);
        assert_true(EVP_PKEY_keygen_init(c) == 1 && EVP_PKEY_keygen(c, &key) == 1);
        EVP_PKEY_CTX_free(p);
        EVP_PKEY_CTX_free(c);
        EVP_PKEY_free(parameters);
        return key;
    }
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, kind, NULL);
    assert_true(EVP_PKEY_keygen_init(c) == 1);
    if (how)
        assert_int_equal(EVP_PKEY_CTX_ctrl_str(c, "rsa_keygen_bits", how), 1);
    assert_int_equal(EVP_PKEY_keygen(c, &key), 1);
    EVP_PKEY_CTX_free(c);
    return key;
}

/* In memory of its own, exactly as long: nobody reads past its end. */
static enum certificate_fault screened(struct span der, bool is_key)
{
    char *copy = malloc(der.len + (der.len == 0));
    memcpy(copy, der.ptr, der.len);
    struct span given = {copy, der.len};
    enum certificate_fault fault = is_key ? certificate_screen_key(given) : certificate_screen(given);
    free(copy);
    return fault;
}

static enum certificate_fault key_and_certificate(struct span key)
{
    static struct der whole;
    whole.len = 0;
    der_certificate(&whole, key);
    enum certificate_fault fault = screened(key, true);
    assert_int_equal(screened(der_span(&whole), false), fault);
    return fault;
}

static void usual_keys_are_parsed(void **state)
{
    static const struct {
        const char *kind, *how;
    } rows[] = {{"RSA", "2048"},       {"RSA", "1024"},      {"RSA-PSS", "2048"},       {"EC", "P-256"},     {"EC", "P-384"},
                {"EC", "P-521"},       {"EC", "secp256k1"},  {"EC", "brainpoolP256r1"}, {"EC", "brainpoolP384r1"},
                {"EC", "brainpoolP512r1"}, {"EC", "SM2"},    {"ED25519", NULL},     {"ED448", NULL},      {"DSA", "1024"}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        EVP_PKEY *key = made(rows[i].kind, rows[i].how);
        unsigned char *der = NULL;
        int len = i2d_PUBKEY(key, &der);
        EXPECT(len > 0 && key_and_certificate((struct span){(char *)der, (size_t)len}) == CERTIFICATE_FINE, rows[i].kind);
        OPENSSL_free(der);
        der = NULL;
        X509 *x = X509_new(); /* as OpenSSL makes them */
        X509_set_version(x, i % 2 ? X509_VERSION_3 : X509_VERSION_1);
        X509_gmtime_adj(X509_getm_notBefore(x), -3600);
        X509_gmtime_adj(X509_getm_notAfter(x), 3600);
        assert_true(X509_set_pubkey(x, key) == 1);
        bool own = strncmp(rows[i].kind, "ED", 2) == 0;
        assert_true(X509_sign(x, key, own ? NULL : EVP_sha256()) > 0);
        len = i2d_X509(x, &der);
        EXPECT(len > 0 && screened((struct span){(char *)der, (size_t)len}, false) == CERTIFICATE_FINE, rows[i].kind);
        OPENSSL_free(der);
        X509_free(x);
        EVP_PKEY_free(key);
    }
}

/* OpenSSL's own, with the curve written out: prime and binary fields, and points of each form. */
static void a_curve_that_is_written_out_is_not(void **state)
{
    static const char *const curves[] = {"P-256", "P-521", "brainpoolP512r1", "sect571r1"};
    static const char *const points[] = {"uncompressed", "compressed"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(curves) * COUNT_OF(points); i++) {
        const char *curve = curves[i / COUNT_OF(points)];
        EVP_PKEY *key = EVP_EC_gen(curve);
        unsigned char *der = NULL;
        assert_int_equal(EVP_PKEY_set_utf8_string_param(key, OSSL_PKEY_PARAM_EC_ENCODING, "explicit"), 1);
        assert_int_equal(EVP_PKEY_set_utf8_string_param(key, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, points[i % COUNT_OF(points)]), 1);
        int len = i2d_PUBKEY(key, &der);
        EXPECT(len > 200 && key_and_certificate((struct span){(char *)der, (size_t)len}) == CERTIFICATE_OWN_CURVE, curve);
        OPENSSL_free(der);
        EVP_PKEY_free(key);
    }
}

static void what_names_no_curve_or_is_of_another_kind_is_not(void **state)
{
    const struct {
        const char *label;
        struct span kind, parameters;
        enum certificate_fault fault;
    } rows[] = {
        {"a name", DER_EC, SPAN("\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"), CERTIFICATE_FINE},
        {"a name that nobody knows", DER_EC, SPAN("\x06\x03\x2a\x03\x04"), CERTIFICATE_UNKNOWN_KEY},
        {"P-224, which is dear", DER_EC, SPAN("\x06\x05\x2b\x81\x04\x00\x21"), CERTIFICATE_UNKNOWN_KEY},
        {"a binary field", DER_EC, SPAN("\x06\x05\x2b\x81\x04\x00\x27"), CERTIFICATE_UNKNOWN_KEY},
        {"implicit", DER_EC, SPAN("\x05\x00"), CERTIFICATE_OWN_CURVE},
        {"none", DER_EC, SPAN(""), CERTIFICATE_OWN_CURVE},
        {"a name and more", DER_EC, SPAN("\x06\x03\x2a\x03\x04\x30\x00"), CERTIFICATE_OWN_CURVE},
        {"a sequence", DER_EC, SPAN("\x30\x00"), CERTIFICATE_OWN_CURVE},
        {"a name in parts", DER_EC, SPAN("\x26\x05\x06\x03\x2a\x03\x04"), CERTIFICATE_OWN_CURVE},
        {"half a name", DER_EC, SPAN("\x06\x08\x2a"), CERTIFICATE_OWN_CURVE},
        {"SM2, which is another word for a curve", DER_SM2, SPAN("\x30\x00"), CERTIFICATE_UNKNOWN_KEY},
        {"SM2 with a name", DER_SM2, SPAN("\x06\x08\x2a\x81\x1c\xcf\x55\x01\x82\x2d"), CERTIFICATE_UNKNOWN_KEY},
        {"X25519", SPAN("\x2b\x65\x6e"), SPAN(""), CERTIFICATE_UNKNOWN_KEY},
        {"Diffie-Hellman", SPAN("\x2a\x86\x48\x86\xf7\x0d\x01\x03\x01"), SPAN("\x30\x00"), CERTIFICATE_UNKNOWN_KEY},
        {"of no kind", SPAN(""), SPAN(""), CERTIFICATE_UNKNOWN_KEY},
        {"the beginning of a kind", SPAN("\x2a\x86\x48\xce\x3d\x02"), SPAN(""), CERTIFICATE_UNKNOWN_KEY},
        {"more than a kind", SPAN("\x2a\x86\x48\xce\x3d\x02\x01\x01"), SPAN(""), CERTIFICATE_UNKNOWN_KEY},
        {"ML-DSA-65", SPAN("\x60\x86\x48\x01\x65\x03\x04\x03\x12"), SPAN(""), CERTIFICATE_FINE},
    };
    static struct der key;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        key.len = 0;
        der_key(&key, rows[i].kind, rows[i].parameters, SPAN("\x04 here is a key"));
        EXPECT(key_and_certificate(der_span(&key)) == rows[i].fault, rows[i].label);
    }
    key.len = 0;
    der_dear_key(&key, DER_EC);
    assert_int_equal(key_and_certificate(der_span(&key)), CERTIFICATE_OWN_CURVE);
    key.len = 0;
    der_dear_key(&key, DER_SM2);
    assert_int_equal(key_and_certificate(der_span(&key)), CERTIFICATE_UNKNOWN_KEY);
}

static void a_part_of_one_is_not_parsed(void **state)
{
    static struct der key, whole;
    (void)state;
    key.len = whole.len = 0;
    der_key(&key, DER_EC, SPAN("\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"), SPAN("\x04 here is a key"));
    der_certificate(&whole, der_span(&key));
    for (size_t len = 0; len < whole.len; len++)
        assert_int_equal(screened(span_first(der_span(&whole), len), false), CERTIFICATE_MALFORMED);
    for (size_t len = 0; len < key.len; len++)
        assert_int_not_equal(screened(span_first(der_span(&key), len), true), CERTIFICATE_FINE);
    der_add(&key, SPAN("\0"));
    der_add(&whole, SPAN("\0"));
    assert_int_equal(screened(der_span(&key), true), CERTIFICATE_MALFORMED);
    assert_int_equal(screened(der_span(&whole), false), CERTIFICATE_MALFORMED);
}

/* Whatever one octet is changed to: what OpenSSL reads a key from that was not screened as one, is not parsed. */
static void nor_is_one_that_is_read_otherwise_by_others(void **state)
{
    static struct der key, whole;
    (void)state;
    key.len = whole.len = 0;
    der_put(&key, DER_SEQUENCE, SPAN("")); /* shorter than the dear one, and as forbidden */
    struct der parameters = key;
    key.len = 0;
    der_key(&key, DER_EC, der_span(&parameters), SPAN("\x04 here is a key"));
    der_certificate(&whole, der_span(&key));
    for (size_t at = 0; at < whole.len; at++)
        for (unsigned change = 1; change < 256; change++) {
            whole.bytes[at] = (char)((unsigned char)whole.bytes[at] ^ change);
            const unsigned char *from = (const unsigned char *)whole.bytes;
            if (certificate_screen(der_span(&whole)) == CERTIFICATE_FINE) {
                X509 *x = d2i_X509(NULL, &from, (long)whole.len);
                const X509_ALGOR *algorithm = NULL;
                const ASN1_OBJECT *kind = NULL;
                int type = V_ASN1_UNDEF;
                if (x) {
                    X509_PUBKEY_get0_param(NULL, NULL, NULL, (X509_ALGOR **)(uintptr_t)&algorithm, X509_get_X509_PUBKEY(x));
                    X509_ALGOR_get0(&kind, &type, NULL, algorithm);
                }
                assert_false(x && OBJ_obj2nid(kind) == NID_X9_62_id_ecPublicKey && type == V_ASN1_SEQUENCE);
                X509_free(x);
            }
            whole.bytes[at] = (char)((unsigned char)whole.bytes[at] ^ change);
        }
}

/* BER that is not DER: OpenSSL takes it. */
static void an_indefinite_length_is_not_walked(void **state)
{
    static struct der key, whole;
    (void)state;
    key.len = whole.len = 0;
    der_key(&key, DER_EC, SPAN("\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"), SPAN("\x04 here is a key"));
    struct span inside = span_from(der_span(&key), 2);
    der_add(&whole, SPAN("\x30\x80"));
    der_add(&whole, inside);
    der_add(&whole, SPAN("\0\0"));
    assert_int_equal(key_and_certificate(der_span(&whole)), CERTIFICATE_MALFORMED);
    whole.len = 0;
    der_add(&whole, SPAN("\x3f\x10"));
    der_add(&whole, inside);
    assert_int_equal(screened(der_span(&whole), true), CERTIFICATE_MALFORMED);
    whole.len = 0;
    der_add(&whole, SPAN("\x30\x84\0\0\0"));
    der_add(&whole, span_from(der_span(&key), 1));
    assert_int_equal(screened(der_span(&whole), true), CERTIFICATE_MALFORMED);
    whole.len = 0;
    der_add(&whole, SPAN("\x30\x83\xff\xff\xff"));
    der_add(&whole, inside);
    assert_int_equal(screened(der_span(&whole), true), CERTIFICATE_MALFORMED);
}

/* ---- extensions ---- */

#define POINTS(length, points) "\x06\x03\x55\x1d\x1f\x04" length points
#define RELATIVE "\x30\x04\xa0\x02\xa1\x00" /* a point whose name is relative, and empty */
#define ALONE "\xa3\x13\x30\x11\x30\x0f" POINTS("\x08", "\x30\x06" RELATIVE)

/* The kind: what is small as it comes and not when OpenSSL has verified it, which keeps a name of 16 KB for each of 2,700 such points. */
static void names_relative_to_an_issuer_are_not_taken(void **state)
{
    const struct {
        const char *label;
        struct span behind;
        enum certificate_fault fault;
    } rows[] = {
        {"nothing", SPAN(""), CERTIFICATE_FINE},
        {"identifiers of issuer and subject", SPAN("\x81\x02\x00x\x82\x02\x00y"), CERTIFICATE_FINE},
        {"no extension", SPAN("\xa3\x02\x30\x00"), CERTIFICATE_FINE},
        {"another extension", SPAN("\xa3\x0e\x30\x0c\x30\x0a\x06\x03\x55\x1d\x0e\x04\x03\x04\x01x"), CERTIFICATE_FINE},
        {"a critical one", SPAN("\xa3\x11\x30\x0f\x30\x0d\x06\x03\x55\x1d\x13\x01\x01\xff\x04\x03\x30\x01x"), CERTIFICATE_FINE},
        {"a whole name", SPAN("\xa3\x17\x30\x15\x30\x13" POINTS("\x0c", "\x30\x0a\x30\x08\xa0\x06\xa0\x04\x86\x02o:")), CERTIFICATE_FINE},
        {"no name", SPAN("\xa3\x0f\x30\x0d\x30\x0b" POINTS("\x04", "\x30\x02\x30\x00")), CERTIFICATE_FINE},
        {"no point", SPAN("\xa3\x0d\x30\x0b\x30\x09" POINTS("\x02", "\x30\x00")), CERTIFICATE_FINE},
        {"a relative name", SPAN(ALONE), CERTIFICATE_RELATIVE_NAME},
        {"the same, critical", SPAN("\xa3\x16\x30\x14\x30\x12\x06\x03\x55\x1d\x1f\x01\x01\xff\x04\x08\x30\x06" RELATIVE),
         CERTIFICATE_RELATIVE_NAME},
        {"behind others", SPAN("\xa3\x27\x30\x25\x30\x0a\x06\x03\x55\x1d\x0e\x04\x03\x04\x01x\x30\x17"
                               POINTS("\x10", "\x30\x0e\x30\x00" RELATIVE RELATIVE)), CERTIFICATE_RELATIVE_NAME},
        {"a relative name as of a primitive", SPAN("\xa3\x13\x30\x11\x30\x0f" POINTS("\x08", "\x30\x06\x30\x04\xa0\x02\x81\x00")),
         CERTIFICATE_RELATIVE_NAME},
        {"a name and reasons", SPAN("\xa3\x1c\x30\x1a\x30\x18" POINTS("\x11", "\x30\x0f\x30\x0d\xa0\x06\xa0\x04\x86\x02o:\x81\x00\xa2\x01x")),
         CERTIFICATE_FINE},
        {"a name of another tag", SPAN("\xa3\x13\x30\x11\x30\x0f" POINTS("\x08", "\x30\x06\x30\x04\x80\x02\xa1\x00")), CERTIFICATE_MALFORMED},
        {"of no length", SPAN("\xa3\x80\x30\x80\x00\x00\x00\x00"), CERTIFICATE_MALFORMED},
        {"points that are none", SPAN("\xa3\x0d\x30\x0b\x30\x09" POINTS("\x02", "\x04\x00")), CERTIFICATE_MALFORMED},
        {"a point of no length", SPAN("\xa3\x13\x30\x11\x30\x0f" POINTS("\x08", "\x30\x06\x30\x80\xa0\x00\x00\x00")), CERTIFICATE_MALFORMED},
        {"text in parts", SPAN("\xa3\x0f\x30\x0d\x30\x0b\x06\x03\x55\x1d\x1f\x24\x04\x04\x02\x30\x00"), CERTIFICATE_MALFORMED},
        {"something else", SPAN("\xa4\x00"), CERTIFICATE_MALFORMED},
        {"twice", SPAN("\xa3\x02\x30\x00\xa3\x02\x30\x00"), CERTIFICATE_MALFORMED},
    };
    static struct der key, whole;
    (void)state;
    key.len = 0;
    der_key(&key, DER_EC, SPAN("\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"), SPAN("\x04 here is a key"));
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        whole.len = 0;
        der_certificate_with(&whole, der_span(&key), rows[i].behind);
        EXPECT(screened(der_span(&whole), false) == rows[i].fault, rows[i].label);
    }
}

/* Whatever one octet is changed to: where OpenSSL reads such a name, it is seen. */
static void nor_are_those_that_only_others_read(void **state)
{
    static struct der key, whole;
    size_t found = 0;
    (void)state;
    key.len = whole.len = 0;
    der_key(&key, DER_EC, SPAN("\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"), SPAN("\x04 here is a key"));
    der_certificate_with(&whole, der_span(&key), SPAN(ALONE));
    for (size_t at = 0; at < whole.len; at++)
        for (unsigned change = 0; change < 256; change++) {
            whole.bytes[at] = (char)((unsigned char)whole.bytes[at] ^ change);
            const unsigned char *from = (const unsigned char *)whole.bytes;
            X509 *x = d2i_X509(NULL, &from, (long)whole.len);
            bool relative = x && has_relative_name(x);
            assert_false(relative && certificate_screen(der_span(&whole)) == CERTIFICATE_FINE);
            found += relative;
            X509_free(x);
            whole.bytes[at] = (char)((unsigned char)whole.bytes[at] ^ change);
        }
    assert_true(found > whole.len);
}

/* ---- messages ---- */

static void put_length(struct der *d, size_t octets, size_t len)
{
    while (octets-- > 0)
        der_add(d, (struct span){&(char){(char)(len >> 8 * octets)}, 1});
}

/* `count` usual certificates, and one more unless it is empty. */
static void make_message(struct der *message, bool tls13, size_t count, struct span last)
{
    static struct der key, usual, list;
    key.len = usual.len = list.len = message->len = 0;
    der_key(&key, DER_EC, SPAN("\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"), SPAN("\x04 here is a key"));
    der_certificate(&usual, der_span(&key));
    for (size_t i = 0; i < count + (last.len > 0); i++) {
        struct span one = i < count ? der_span(&usual) : last;
        put_length(&list, 3, one.len);
        der_add(&list, one);
        if (tls13)
            der_add(&list, i % 2 ? SPAN("\0\0") : SPAN("\0\3abc"));
    }
    put_length(message, 1, 11);
    put_length(message, 3, list.len + 3 + tls13);
    if (tls13)
        put_length(message, 1, 0);
    put_length(message, 3, list.len);
    der_add(message, der_span(&list));
}

static enum certificate_fault screened_message(const struct der *message, size_t len, bool tls13)
{
    unsigned char *copy = malloc(len + (len == 0));
    memcpy(copy, message->bytes, len);
    enum certificate_fault fault = certificate_screen_message(copy, len, tls13);
    bool changed = memcmp(copy, message->bytes, len) != 0;
    assert_true(changed == (fault != CERTIFICATE_FINE && len > 4));
    assert_true(len < 4 || memcmp(copy, message->bytes, 4) == 0);
    if (changed && len >= 8)
        assert_memory_equal(copy + 4, "\xff\xff\xff\xff", 4);
    free(copy);
    return fault;
}

static void each_certificate_of_a_message_is_screened(void **state)
{
    static struct der message, key, dear;
    (void)state;
    key.len = dear.len = 0;
    der_dear_key(&key, DER_EC);
    der_certificate(&dear, der_span(&key));
    for (int tls13 = TLS12; tls13 <= TLS13; tls13++) {
        static const struct {
            size_t count;
            enum certificate_fault fault;
        } rows[] = {{0, CERTIFICATE_FINE}, {1, CERTIFICATE_FINE}, {CERTIFICATES_MAX, CERTIFICATE_FINE}, {CERTIFICATES_MAX + 1, CERTIFICATE_TOO_MANY}};
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
            make_message(&message, tls13, rows[i].count, SPAN_NONE);
            assert_int_equal(screened_message(&message, message.len, tls13), rows[i].fault);
        }
        for (size_t before = 0; before < CERTIFICATES_MAX; before++) {
            make_message(&message, tls13, before, der_span(&dear));
            assert_int_equal(screened_message(&message, message.len, tls13), CERTIFICATE_OWN_CURVE);
        }
        make_message(&message, tls13, 3, SPAN_NONE);
        for (size_t len = 1; len < message.len; len++)
            assert_int_equal(screened_message(&message, len, tls13), CERTIFICATE_MALFORMED);
        assert_int_equal(screened_message(&message, message.len, !tls13), CERTIFICATE_MALFORMED);
        message.bytes[0] = 25;
        assert_int_equal(screened_message(&message, message.len, tls13), CERTIFICATE_COMPRESSED);
        for (int other = 0; other < 256; other++) {
            message.bytes[0] = (char)other;
            if (other != 11 && other != 25)
                assert_int_equal(screened_message(&message, message.len, tls13), CERTIFICATE_FINE);
        }
        assert_int_equal(screened_message(&message, 0, tls13), CERTIFICATE_FINE);
    }
}

static void each_fault_has_a_text(void **state)
{
    (void)state;
    for (int fault = CERTIFICATE_FINE; fault <= CERTIFICATE_COMPRESSED; fault++)
        assert_true(strlen(certificate_fault_text((enum certificate_fault)fault)) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(usual_keys_are_parsed),
                                       cmocka_unit_test(a_curve_that_is_written_out_is_not),
                                       cmocka_unit_test(what_names_no_curve_or_is_of_another_kind_is_not),
                                       cmocka_unit_test(a_part_of_one_is_not_parsed),
                                       cmocka_unit_test(nor_is_one_that_is_read_otherwise_by_others),
                                       cmocka_unit_test(an_indefinite_length_is_not_walked),
                                       cmocka_unit_test(names_relative_to_an_issuer_are_not_taken),
                                       cmocka_unit_test(nor_are_those_that_only_others_read),
                                       cmocka_unit_test(each_certificate_of_a_message_is_screened),
                                       cmocka_unit_test(each_fault_has_a_text)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
