// SPDX-License-Identifier: BSD-2-Clause
/* secret.c - Random secrets, digests, and password hashes: "sha256$<hex>" for generated secrets,
 * crypt(5) "$y$…" for chosen passwords. */
#include "secret.h"

#include <crypt.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char generated_prefix[] = "sha256$";
/* The last of the 22 characters of a salt has four bits: with another one nothing is hashed. */
const char secret_nobody[] =
    "$y$j9T$0123456789abcdefghijk/$...........................................";

static pthread_once_t sha256_once = PTHREAD_ONCE_INIT;
static EVP_MD *sha256;

/* Once: looking it up each time costs more than a short text's digest. */
static void fetch_sha256(void)
{
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    CHECK(sha256 != NULL);
}

static void digest(struct span text, unsigned char digest_r[SHA256_DIGEST_LENGTH])
{
    pthread_once(&sha256_once, fetch_sha256);
    CHECK(EVP_Digest(text.ptr, text.len, digest_r, NULL, sha256, NULL) == 1);
}

void secret_random(void *bytes, size_t len)
{
    CHECK(RAND_bytes(bytes, (int)len) == 1);
}

void secret_generate(char *text_r)
{
    static const char alphabet[33] = "abcdefghijkmnpqrstuvwxyz23456789";
    unsigned char random[SECRET_TEXT - 1];
    secret_random(random, sizeof(random));
    for (size_t i = 0; i < sizeof(random); i++)
        text_r[i] = alphabet[random[i] % 32];
    text_r[sizeof(random)] = '\0';
    secret_clear(random, sizeof(random));
}

static void print_hex(const unsigned char *bytes, size_t len, char *text_r)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        text_r[2 * i] = digits[bytes[i] >> 4];
        text_r[2 * i + 1] = digits[bytes[i] & 15];
    }
    text_r[2 * len] = '\0';
}

void secret_hash_generated(struct span secret, char *hash_r)
{
    unsigned char whole[SHA256_DIGEST_LENGTH];
    digest(secret, whole);
    memcpy(hash_r, generated_prefix, sizeof(generated_prefix) - 1);
    print_hex(whole, sizeof(whole), hash_r + sizeof(generated_prefix) - 1);
}

/* crypt(5) of `secret` with `setting`, which may be a whole hash. */
static bool crypt_text(struct span secret, const char *setting, char *hash_r)
{
    struct crypt_data *data = xcalloc(1, sizeof(*data));
    char phrase[CRYPT_MAX_PASSPHRASE_SIZE];
    bool ok = span_copy(secret, phrase, sizeof(phrase));
    const char *hash = ok ? crypt_r(phrase, setting, data) : NULL;
    ok = hash && hash[0] != '*' && strlen(hash) < SECRET_HASH;
    if (ok)
        memcpy(hash_r, hash, strlen(hash) + 1);
    OPENSSL_cleanse(phrase, sizeof(phrase));
    OPENSSL_cleanse(data, sizeof(*data));
    free(data);
    return ok;
}

bool secret_hash_chosen(struct span secret, char *hash_r, struct err *err)
{
    char random[16];
    char setting[CRYPT_GENSALT_OUTPUT_SIZE];
    secret_random(random, sizeof(random));
    if (secret.len < 12)
        return err_set(err, ERR_USAGE, "password is too short: at least 12 characters");
    for (size_t i = 0; i < secret.len; i++)
        if (secret.ptr[i] < ' ' || secret.ptr[i] > '~')
            return err_set(err, ERR_USAGE,
                           "password may hold ASCII letters, digits and signs only: programs "
                           "disagree on how to send others");
    if (!crypt_gensalt_rn("$y$", 5, random, sizeof(random), setting, sizeof(setting)) ||
        !crypt_text(secret, setting, hash_r))
        return err_set(err, ERR_SYSTEM,
                       "hashing the password failed: it must be under 512 bytes, without NUL");
    return true;
}

bool secret_is_slow(const char *hash)
{
    return strncmp(hash, generated_prefix, sizeof(generated_prefix) - 1) != 0;
}

bool secret_verify(const char *hash, struct span given)
{
    char computed[SECRET_HASH] = "";
    if (!secret_is_slow(hash))
        secret_hash_generated(given, computed);
    else if (!crypt_text(given, hash, computed))
        return false;
    size_t len = strlen(hash);
    return strlen(computed) == len && CRYPTO_memcmp(computed, hash, len) == 0;
}

bool secret_same(const void *a, const void *b, size_t len)
{
    return CRYPTO_memcmp(a, b, len) == 0;
}

void secret_mac_whole(struct span key, struct span text, unsigned char mac_r[32])
{
    unsigned len = 0;
    CHECK(HMAC(EVP_sha256(), key.ptr, (int)key.len, (const unsigned char *)text.ptr, text.len,
               mac_r, &len) &&
          len == 32);
}

void secret_mac(struct span key, struct span text, unsigned char mac_r[16])
{
    unsigned char whole[32];
    secret_mac_whole(key, text, whole);
    memcpy(mac_r, whole, 16);
}

struct secret_keyed {
    EVP_MAC_CTX *context;
};

struct secret_keyed *secret_keyed_new(struct span key)
{
    char digest[] = "SHA256";
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end()};
    struct secret_keyed *k = xcalloc(1, sizeof(*k));
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    k->context = EVP_MAC_CTX_new(hmac);
    CHECK(k->context &&
          EVP_MAC_init(k->context, (const unsigned char *)key.ptr, key.len, parameters));
    EVP_MAC_free(hmac);
    return k;
}

void secret_keyed_mac(struct secret_keyed *k, struct span text, unsigned char mac_r[16])
{
    unsigned char whole[EVP_MAX_MD_SIZE];
    size_t len = 0;
    CHECK(EVP_MAC_init(k->context, NULL, 0, NULL) && /* from the beginning, with its key */
          EVP_MAC_update(k->context, (const unsigned char *)text.ptr, text.len) &&
          EVP_MAC_final(k->context, whole, &len, sizeof(whole)) && len >= 16);
    memcpy(mac_r, whole, 16);
}

void secret_keyed_free(struct secret_keyed *k)
{
    if (!k)
        return;
    EVP_MAC_CTX_free(k->context);
    free(k);
}

void secret_digest(struct span text, unsigned char digest_r[16])
{
    unsigned char whole[SHA256_DIGEST_LENGTH];
    digest(text, whole);
    memcpy(digest_r, whole, 16);
}

void secret_sha256(struct span text, char *hex_r)
{
    unsigned char whole[SHA256_DIGEST_LENGTH];
    digest(text, whole);
    print_hex(whole, sizeof(whole), hex_r);
}

/* The context under another name, so that nobody else sees OpenSSL. */
static EVP_MD_CTX *context_of(struct secret_hash *h)
{
    return (EVP_MD_CTX *)(void *)h;
}

struct secret_hash *secret_hash_begin(void)
{
    pthread_once(&sha256_once, fetch_sha256);
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    CHECK(c && EVP_DigestInit_ex(c, sha256, NULL) == 1);
    return (struct secret_hash *)(void *)c;
}

void secret_hash_add(struct secret_hash *h, struct span text)
{
    CHECK(EVP_DigestUpdate(context_of(h), text.ptr, text.len) == 1);
}

void secret_hash_end_whole(struct secret_hash *h, unsigned char digest_r[32])
{
    unsigned len = 0;
    CHECK(EVP_DigestFinal_ex(context_of(h), digest_r, &len) == 1 && len == 32);
    EVP_MD_CTX_free(context_of(h));
}

void secret_hash_end(struct secret_hash *h, unsigned char digest_r[16])
{
    unsigned char whole[SHA256_DIGEST_LENGTH];
    secret_hash_end_whole(h, whole);
    memcpy(digest_r, whole, 16);
}

static pthread_once_t gcm_once = PTHREAD_ONCE_INIT;
static EVP_CIPHER *gcm;

static void fetch_gcm(void)
{
    gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    CHECK(gcm != NULL);
}

static EVP_CIPHER_CTX *gmac_context(struct secret_gmac *g)
{
    return (EVP_CIPHER_CTX *)(void *)g;
}

struct secret_gmac *secret_gmac_begin(const unsigned char key[SECRET_GMAC_KEY])
{
    static const unsigned char nonce[12];
    pthread_once(&gcm_once, fetch_gcm);
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    CHECK(c && EVP_EncryptInit_ex(c, gcm, NULL, key, nonce) == 1);
    return (struct secret_gmac *)(void *)c;
}

/* All of the text is what GCM calls additional data: authenticated, not encrypted. */
void secret_gmac_add(struct secret_gmac *g, struct span text)
{
    enum { PIECE = 1 << 30 };
    int ignored = 0;
    while (text.len > 0) {
        struct span piece = span_first(text, PIECE);
        CHECK(EVP_EncryptUpdate(gmac_context(g), NULL, &ignored, (const unsigned char *)piece.ptr,
                                (int)piece.len) == 1);
        text = span_from(text, piece.len);
    }
}

void secret_gmac_end(struct secret_gmac *g, unsigned char tag_r[16])
{
    unsigned char nothing[16];
    int ignored = 0;
    CHECK(EVP_EncryptFinal_ex(gmac_context(g), nothing, &ignored) == 1 &&
          EVP_CIPHER_CTX_ctrl(gmac_context(g), EVP_CTRL_AEAD_GET_TAG, 16, tag_r) == 1);
    EVP_CIPHER_CTX_free(gmac_context(g));
}

void secret_derive(struct span secret, const char *purpose, unsigned char *key_r, size_t len)
{
    EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, NULL);
    CHECK(c && EVP_PKEY_derive_init(c) > 0 && EVP_PKEY_CTX_set_hkdf_md(c, EVP_sha256()) > 0 &&
          EVP_PKEY_CTX_set1_hkdf_key(c, (const unsigned char *)secret.ptr, (int)secret.len) > 0 &&
          EVP_PKEY_CTX_add1_hkdf_info(c, (const unsigned char *)purpose, (int)strlen(purpose)) >
              0 &&
          EVP_PKEY_derive(c, key_r, &len) > 0);
    EVP_PKEY_CTX_free(c);
}

static pthread_once_t siv_once = PTHREAD_ONCE_INIT;
static EVP_CIPHER *siv;

static void fetch_siv(void)
{
    siv = EVP_CIPHER_fetch(NULL, "AES-256-SIV", NULL);
    CHECK(siv != NULL);
}

static EVP_CIPHER_CTX *siv_begin(const unsigned char *key, bool seal)
{
    pthread_once(&siv_once, fetch_siv);
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    CHECK(c && EVP_CipherInit_ex(c, siv, NULL, key, NULL, seal) == 1);
    return c;
}

bool secret_seal(const unsigned char key[SECRET_SEAL_KEY], struct span about, struct span text,
                 struct buf *out)
{
    int len = 0;
    char *room = buf_reserve(out, SECRET_SEAL_TAG + text.len);
    if (!room || text.len > INT32_MAX / 2)
        return false;
    unsigned char *to = (unsigned char *)room;
    EVP_CIPHER_CTX *c = siv_begin(key, true);
    bool ok =
        EVP_CipherUpdate(c, NULL, &len, (const unsigned char *)about.ptr, (int)about.len) == 1 &&
        EVP_CipherUpdate(c, to + SECRET_SEAL_TAG, &len, (const unsigned char *)text.ptr,
                         (int)text.len) == 1 &&
        EVP_CipherFinal_ex(c, to + SECRET_SEAL_TAG + len, &len) == 1 &&
        EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, SECRET_SEAL_TAG, to) == 1;
    EVP_CIPHER_CTX_free(c);
    if (ok)
        buf_commit(out, SECRET_SEAL_TAG + text.len);
    return ok;
}

bool secret_unseal(const unsigned char key[SECRET_SEAL_KEY], struct span about, struct span sealed,
                   struct buf *out)
{
    int len = 0;
    if (sealed.len <= SECRET_SEAL_TAG || sealed.len > INT32_MAX / 2)
        return false;
    size_t text_len = sealed.len - SECRET_SEAL_TAG;
    char *room = buf_reserve(out, text_len);
    if (!room)
        return false;
    unsigned char tag[SECRET_SEAL_TAG];
    memcpy(tag, sealed.ptr, sizeof(tag));
    EVP_CIPHER_CTX *c = siv_begin(key, false);
    bool ok =
        EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, SECRET_SEAL_TAG, tag) == 1 &&
        EVP_CipherUpdate(c, NULL, &len, (const unsigned char *)about.ptr, (int)about.len) == 1 &&
        EVP_CipherUpdate(c, (unsigned char *)room, &len,
                         (const unsigned char *)sealed.ptr + SECRET_SEAL_TAG, (int)text_len) == 1 &&
        EVP_CipherFinal_ex(c, (unsigned char *)room + text_len, &len) == 1;
    EVP_CIPHER_CTX_free(c);
    if (ok)
        buf_commit(out, text_len);
    return ok;
}

void secret_clear(void *bytes, size_t len)
{
    OPENSSL_cleanse(bytes, len);
}
