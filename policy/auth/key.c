// SPDX-License-Identifier: BSD-2-Clause
/* key.c - RSA and Ed25519 keys of DKIM signatures, by OpenSSL.
 *
 * The linker redirects libopendkim's calls of PEM_read_bio_PrivateKey() to
 * __wrap_PEM_read_bio_PrivateKey() (see CMakeLists.txt). On a thread that has been lent a key it
 * returns another reference to that key; otherwise it parses the PEM text.
 */
#include "key.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COMMON_NAME_MAX = 64 };

struct key {
    EVP_PKEY *pkey;
    enum key_algorithm algorithm;
};

static _Thread_local struct {
    const struct key *key;
    unsigned handed_out;
} lent;

static const char *const algorithm_names[] = {[KEY_RSA] = "rsa", [KEY_ED25519] = "ed25519"};

const char *key_algorithm_name(enum key_algorithm algorithm)
{
    CHECK(algorithm < COUNT_OF(algorithm_names));
    return algorithm_names[algorithm];
}

bool key_algorithm_parse(struct span name, enum key_algorithm *algorithm_r)
{
    for (size_t i = 0; i < COUNT_OF(algorithm_names); i++) {
        if (span_equal(name, span_of(algorithm_names[i]))) {
            *algorithm_r = (enum key_algorithm)i;
            return true;
        }
    }
    return false;
}

static bool openssl_failed(struct err *err, const char *doing)
{
    char why[160] = "unknown reason";
    unsigned long code = ERR_peek_last_error();
    if (code)
        ERR_error_string_n(code, why, sizeof(why));
    ERR_clear_error();
    return err_set(err, ERR_TLS, "%s: %s", doing, why);
}

/* Append what a memory BIO holds and free it. */
static bool add_bio(struct buf *out, BIO *bio)
{
    char *data = NULL;
    long len = BIO_get_mem_data(bio, &data);
    bool ok = len > 0 && buf_add(out, (struct span){data, (size_t)len});
    BIO_free(bio);
    return ok;
}

static bool add_private_pem(struct buf *pem, EVP_PKEY *pkey)
{
    BIO *bio = BIO_new(BIO_s_mem());
    CHECK(bio != NULL);
    if (PEM_write_bio_PKCS8PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL) != 1) {
        BIO_free(bio);
        return false;
    }
    return add_bio(pem, bio);
}

bool key_generate(enum key_algorithm algorithm, unsigned rsa_bits, struct buf *pem, struct err *err)
{
    EVP_PKEY *pkey =
        algorithm == KEY_RSA ? EVP_RSA_gen(rsa_bits) : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    if (!pkey)
        return openssl_failed(err, "making a key");
    bool ok = add_private_pem(pem, pkey);
    EVP_PKEY_free(pkey);
    return ok || openssl_failed(err, "writing a key");
}

/* Without this the library asks whoever sits at the terminal, and waits for an answer. */
static int on_passphrase(char *text, int size, int writing, void *asked)
{
    (void)text;
    (void)size;
    (void)writing;
    *(bool *)asked = true;
    return -1;
}

/* One object, as long as it says. */
static bool is_one_object(const unsigned char *der, long size)
{
    const unsigned char *at = der;
    long len = 0;
    int tag = 0, class = 0;
    int form = ASN1_get_object(&at, &len, &tag, &class, size);
    return form == V_ASN1_CONSTRUCTED && tag == V_ASN1_SEQUENCE && at + len == der + size;
}

/* The next one; `is_key_r`: it is a private key's; `right_r`: one that can be read. False: there is
 * none. */
static bool look_at_block(BIO *bio, bool *is_key_r, bool *right_r)
{
    char *name = NULL, *header = NULL;
    unsigned char *der = NULL;
    long size = 0;
    bool found = PEM_read_bio(bio, &name, &header, &der, &size) == 1;
    *is_key_r = found && span_ends_nocase(span_of(name), SPAN("PRIVATE KEY"));
    *right_r = *is_key_r && !span_equal(span_of(name), SPAN("ENCRYPTED PRIVATE KEY")) && !*header &&
               is_one_object(der, size);
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_clear_free(der, size > 0 ? (size_t)size : 0);
    return found;
}

bool key_looks_right(struct span pem)
{
    bool is_key = false, right = false;
    BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
    while (bio && !is_key && look_at_block(bio, &is_key, &right))
        continue; /* as a certificate before the key */
    BIO_free(bio);
    ERR_clear_error();
    return right;
}

bool key_read(struct span pem, struct key **key_r, struct err *err)
{
    bool asked = false;
    ERR_clear_error();
    BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
    EVP_PKEY *pkey = bio ? PEM_read_bio_PrivateKey(bio, NULL, on_passphrase, &asked) : NULL;
    BIO_free(bio);
    if (!pkey && asked) {
        ERR_clear_error();
        return err_set(err, ERR_MALFORMED,
                       "private key is encrypted: give it without a passphrase");
    }
    if (!pkey)
        return openssl_failed(err, "no private key in PEM form");
    int type = EVP_PKEY_get_base_id(pkey);
    bool usable =
        type == EVP_PKEY_ED25519 || (type == EVP_PKEY_RSA && EVP_PKEY_get_bits(pkey) >= 1024);
    if (!usable) {
        EVP_PKEY_free(pkey);
        return err_set(err, ERR_MALFORMED,
                       "not an RSA key of at least 1024 bits and not an Ed25519 key");
    }
    *key_r = xcalloc(1, sizeof(**key_r));
    **key_r = (struct key){pkey, type == EVP_PKEY_RSA ? KEY_RSA : KEY_ED25519};
    return true;
}

void key_free(struct key *key)
{
    if (!key)
        return;
    EVP_PKEY_free(key->pkey);
    free(key);
}

enum key_algorithm key_algorithm(const struct key *key)
{
    return key->algorithm;
}

static bool add_base64(struct buf *out, const unsigned char *bytes, size_t len)
{
    size_t size = (len + 2) / 3 * 4;
    char *to = buf_reserve(out, size + 1);
    if (!to || len > 4096)
        return false;
    EVP_EncodeBlock((unsigned char *)to, bytes, (int)len);
    buf_commit(out, size);
    return true;
}

bool key_public(const struct key *key, struct buf *base64, struct err *err)
{
    unsigned char raw[32];
    size_t raw_len = sizeof(raw);
    if (key->algorithm == KEY_ED25519) {
        if (EVP_PKEY_get_raw_public_key(key->pkey, raw, &raw_len) != 1)
            return openssl_failed(err, "reading a public key");
        return add_base64(base64, raw, raw_len) ||
               err_set(err, ERR_LIMIT, "public key is too long");
    }
    unsigned char *der = NULL;
    int len = i2d_PUBKEY(key->pkey, &der);
    if (len <= 0)
        return openssl_failed(err, "reading a public key");
    bool ok = add_base64(base64, der, (size_t)len);
    OPENSSL_free(der);
    return ok || err_set(err, ERR_LIMIT, "public key is too long");
}

void key_lend(const struct key *key)
{
    CHECK(lent.key == NULL);
    lent.key = key;
    lent.handed_out = 0;
}

void key_take_back(bool leaked)
{
    CHECK(lent.key != NULL);
    for (; leaked && lent.handed_out > 0; lent.handed_out--)
        EVP_PKEY_free(lent.key->pkey);
    lent.key = NULL;
}

EVP_PKEY *__real_PEM_read_bio_PrivateKey(BIO *bio, EVP_PKEY **pkey, pem_password_cb *callback,
                                         void *user);
EVP_PKEY *__wrap_PEM_read_bio_PrivateKey(BIO *bio, EVP_PKEY **pkey, pem_password_cb *callback,
                                         void *user);

EVP_PKEY *__wrap_PEM_read_bio_PrivateKey(BIO *bio, EVP_PKEY **pkey, pem_password_cb *callback,
                                         void *user)
{
    if (!lent.key)
        return __real_PEM_read_bio_PrivateKey(bio, pkey, callback, user);
    EVP_PKEY_up_ref(lent.key->pkey);
    lent.handed_out++;
    return lent.key->pkey;
}

/* ---- the work of a signature ---- */

enum { HALF_BYTES = 128 };

/* A number as long as half of an RSA-2048 key's; odd, as moduli are. */
static BIGNUM *half(unsigned seed)
{
    unsigned char bytes[HALF_BYTES];
    for (unsigned i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)(seed + 151 * i + (i * i >> 3));
    bytes[0] |= 0xc0;
    bytes[sizeof(bytes) - 1] |= 1;
    BIGNUM *number = BN_bin2bn(bytes, sizeof(bytes), NULL);
    CHECK(number != NULL);
    return number;
}

/* RFC 8017 section 5.1.2: with the Chinese remainder theorem, two of half the length. */
void key_exercise(void)
{
    BIGNUM *moduli[] = {half(1), half(2)};
    BIGNUM *exponents[] = {half(3), half(4)};
    BIGNUM *bases[] = {BN_new(), BN_new()};
    BIGNUM *results[] = {BN_new(), BN_new()};
    BN_MONT_CTX *forms[] = {BN_MONT_CTX_new(), BN_MONT_CTX_new()};
    BN_CTX *context = BN_CTX_new();
    CHECK(context != NULL);
    for (size_t i = 0; i < COUNT_OF(moduli); i++)
        CHECK(results[i] && bases[i] && forms[i] && BN_rshift1(bases[i], moduli[i]) == 1 &&
              BN_MONT_CTX_set(forms[i], moduli[i], context) == 1);
    CHECK(BN_mod_exp_mont_consttime_x2(results[0], bases[0], exponents[0], moduli[0], forms[0],
                                       results[1], bases[1], exponents[1], moduli[1], forms[1],
                                       context) == 1);
    for (size_t i = 0; i < COUNT_OF(moduli); i++) {
        BN_free(moduli[i]);
        BN_free(exponents[i]);
        BN_free(bases[i]);
        BN_free(results[i]);
        BN_MONT_CTX_free(forms[i]);
    }
    BN_CTX_free(context);
}

/* ---- certificates ---- */

static bool add_extension(X509 *certificate, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    bool ok = extension && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return ok;
}

static bool add_common_name(X509_NAME *name, const char *hostname)
{
    return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)hostname, -1,
                                      -1, 0) == 1;
}

static bool fill_certificate(X509 *x, EVP_PKEY *pkey, const char *hostname)
{
    char names[300];
    /* RFC 5280 appendix A.1: ub-common-name; section 4.1.2.6: without a subject its alternative
     * names are critical. Nobody but people reads the common name. */
    bool common = strlen(hostname) <= COMMON_NAME_MAX;
    snprintf(names, sizeof(names), "%sDNS:%s", common ? "" : "critical,", hostname);
    X509_NAME *name = X509_get_subject_name(x);
    BIGNUM *number = BN_new();
    bool ok = number && BN_rand(number, 63, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1 &&
              BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x)) && X509_set_version(x, 2) == 1 &&
              X509_gmtime_adj(X509_getm_notBefore(x), -3600) &&
              X509_time_adj_ex(X509_getm_notAfter(x), 3650, 0, NULL) &&
              X509_set_pubkey(x, pkey) == 1 && (!common || add_common_name(name, hostname)) &&
              X509_set_issuer_name(x, name) == 1 && add_extension(x, NID_subject_alt_name, names) &&
              add_extension(x, NID_basic_constraints, "critical,CA:FALSE") &&
              X509_sign(x, pkey, EVP_sha256()) > 0;
    BN_free(number);
    return ok;
}

bool key_self_signed(const char *hostname, struct buf *certificate, struct buf *private_key,
                     struct err *err)
{
    EVP_PKEY *pkey = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    BIO *bio = BIO_new(BIO_s_mem());
    bool ok = pkey && x && bio && fill_certificate(x, pkey, hostname) &&
              PEM_write_bio_X509(bio, x) == 1 && add_private_pem(private_key, pkey);
    if (ok)
        ok = add_bio(certificate, bio);
    else
        BIO_free(bio);
    X509_free(x);
    EVP_PKEY_free(pkey);
    return ok || openssl_failed(err, "making a self-signed certificate");
}
