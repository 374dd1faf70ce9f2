// SPDX-License-Identifier: BSD-2-Clause
/* scram.c - SCRAM-SHA-256, the server's side (RFC 5802 section 5, RFC 7677).
 *
 *   ClientKey = HMAC(SaltedPassword, "Client Key"), StoredKey = H(ClientKey)
 *   ServerKey = HMAC(SaltedPassword, "Server Key")
 *   proof = ClientKey XOR HMAC(StoredKey, AuthMessage)
 *
 * SASLprep is not applied: passwords that are not ASCII are refused when they are set, and SASLprep
 * does not change ASCII.
 */
#include "scram.h"

#include "base64.h"
#include "secret.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

enum { HASH = SHA256_DIGEST_LENGTH, SALT = 16, MESSAGE_MAX = 4096 };

static const char prefix[] = "SCRAM-SHA-256$";

static void hmac(const unsigned char *key, size_t key_len, struct span text, unsigned char *mac_r)
{
    unsigned len = 0;
    CHECK(HMAC(EVP_sha256(), key, (int)key_len, (const unsigned char *)text.ptr, text.len, mac_r,
               &len) &&
          len == HASH);
}

static void add_base64(struct buf *out, const unsigned char *bytes, size_t len)
{
    CHECK(base64_encode((struct span){(const char *)bytes, len}, out));
}

/* ---- what is stored ---- */

static void print_keys(const unsigned char *salt, const unsigned char *stored,
                       const unsigned char *server, char *text_r)
{
    struct buf text;
    buf_init(&text, SCRAM_KEYS_TEXT);
    buf_addf(&text, "%s%d:", prefix, SCRAM_ITERATIONS);
    add_base64(&text, salt, SALT);
    buf_add_char(&text, '$');
    add_base64(&text, stored, HASH);
    buf_add_char(&text, ':');
    add_base64(&text, server, HASH);
    CHECK(span_copy(buf_span(&text), text_r, SCRAM_KEYS_TEXT));
    buf_fini(&text);
}

void scram_keys_make(struct span password, char *text_r)
{
    unsigned char salt[SALT];
    unsigned char salted[HASH];
    unsigned char client[HASH];
    unsigned char stored[HASH];
    unsigned char server[HASH];
    secret_random(salt, sizeof(salt));
    CHECK(PKCS5_PBKDF2_HMAC(password.ptr, (int)password.len, salt, SALT, SCRAM_ITERATIONS,
                            EVP_sha256(), HASH, salted) == 1);
    hmac(salted, HASH, SPAN("Client Key"), client);
    hmac(salted, HASH, SPAN("Server Key"), server);
    SHA256(client, HASH, stored);
    print_keys(salt, stored, server, text_r);
    secret_clear(salted, sizeof(salted));
    secret_clear(client, sizeof(client));
    secret_clear(server, sizeof(server));
}

void scram_keys_nobody(struct span seed, char *text_r)
{
    unsigned char salt[SALT];
    unsigned char noise[2 * HASH];
    secret_digest(seed, salt);
    secret_random(noise, sizeof(noise));
    print_keys(salt, noise, noise + HASH, text_r);
}

static bool take_bytes(struct span text, unsigned char *bytes_r, size_t len)
{
    struct buf bytes;
    buf_init(&bytes, MESSAGE_MAX);
    bool ok = base64_decode(text, &bytes) && bytes.len == len;
    if (ok)
        memcpy(bytes_r, bytes.ptr, len);
    buf_fini(&bytes);
    return ok;
}

/* Salt, as base64, and iterations. */
static bool read_keys(struct scram *s, const char *keys, struct span *salt_r,
                      uint64_t *iterations_r)
{
    struct span text = span_of(keys);
    if (!span_starts_nocase(text, SPAN("SCRAM-SHA-256$")))
        return false;
    text = span_from(text, sizeof(prefix) - 1);
    struct span iterations = span_take(&text, ':');
    *salt_r = span_take(&text, '$');
    struct span stored = span_take(&text, ':');
    return span_number(iterations, iterations_r) && salt_r->len > 0 &&
           take_bytes(stored, s->stored_key, HASH) && take_bytes(text, s->server_key, HASH);
}

/* ---- the exchange ---- */

void scram_init(struct scram *s, bool plus, const unsigned char *binding)
{
    *s = (struct scram){.plus = plus, .offered = binding != NULL};
    if (binding)
        memcpy(s->binding, binding, SCRAM_BINDING);
    buf_init(&s->gs2, MESSAGE_MAX);
    buf_init(&s->first_bare, MESSAGE_MAX);
    buf_init(&s->server_first, MESSAGE_MAX);
}

void scram_fini(struct scram *s)
{
    buf_fini(&s->gs2);
    buf_fini(&s->first_bare);
    buf_fini(&s->server_first);
    secret_clear(s, sizeof(*s));
}

/* saslname: "=2C" is a comma, "=3D" an equals sign, and no other "=" stands there. */
static bool add_name(struct span text, struct buf *name)
{
    for (size_t i = 0; i < text.len; i++) {
        struct span rest = span_from(text, i);
        unsigned char c = (unsigned char)text.ptr[i];
        if (c < ' ' || c == 0x7f)
            return false;
        if (c == '=' && !span_starts_nocase(rest, SPAN("=2C")) &&
            !span_starts_nocase(rest, SPAN("=3D")))
            return false;
        if (c == '=')
            c = rest.ptr[1] == '2' ? ',' : '=';
        if (!buf_add_char(name, (char)c))
            return false;
        i += text.ptr[i] == '=' ? 2 : 0;
    }
    return text.len > 0 && span_is_utf8(text);
}

/* An attribute "x=value". */
static bool take_attribute(struct span *message, char letter, struct span *value_r)
{
    struct span attribute = span_take(message, ',');
    if (attribute.len < 2 || attribute.ptr[0] != letter || attribute.ptr[1] != '=')
        return false;
    *value_r = span_from(attribute, 2);
    return true;
}

/* RFC 5802 section 6: "y" says that the client could bind and believes that we cannot. */
static enum scram_fault judge_binding(const struct scram *s, struct span flag)
{
    if (s->plus)
        return span_equal(flag, SPAN("p=tls-exporter"))                      ? SCRAM_OK
               : flag.len > 2 && span_equal(span_first(flag, 2), SPAN("p=")) ? SCRAM_REFUSED
                                                                             : SCRAM_MALFORMED;
    if (span_equal(flag, SPAN("y")))
        return s->offered ? SCRAM_REFUSED : SCRAM_OK;
    return span_equal(flag, SPAN("n")) ? SCRAM_OK : SCRAM_MALFORMED;
}

static bool is_nonce(struct span nonce)
{
    for (size_t i = 0; i < nonce.len; i++)
        if (nonce.ptr[i] <= ' ' || nonce.ptr[i] > '~')
            return false;
    return nonce.len > 0;
}

/* What stands before the bare message: the flag and perhaps an identity. */
static enum scram_fault take_header(struct scram *s, struct span *message, struct span *identity_r)
{
    struct span whole = *message;
    enum scram_fault fault = judge_binding(s, span_take(message, ','));
    *identity_r = span_take(message, ',');
    size_t len = whole.len - message->len;
    if (fault != SCRAM_OK)
        return fault;
    if (len == 0 || whole.ptr[len - 1] != ',' || !buf_add(&s->gs2, span_first(whole, len)))
        return SCRAM_MALFORMED;
    return SCRAM_OK;
}

static enum scram_fault judge_identity(struct span identity, const struct buf *name)
{
    struct buf own;
    if (identity.len == 0)
        return SCRAM_OK;
    buf_init(&own, name->limit);
    bool read = identity.len > 2 && span_equal(span_first(identity, 2), SPAN("a=")) &&
                add_name(span_from(identity, 2), &own);
    bool same = read && span_equal(buf_span(&own), buf_span(name));
    buf_fini(&own);
    return !read ? SCRAM_MALFORMED : same ? SCRAM_OK : SCRAM_IDENTITY;
}

enum scram_fault scram_first(struct scram *s, struct span message, struct buf *name)
{
    struct span identity;
    struct span user;
    struct span nonce;
    enum scram_fault fault = take_header(s, &message, &identity);
    if (fault != SCRAM_OK)
        return fault;
    if (!buf_add(&s->first_bare, message) || !take_attribute(&message, 'n', &user) ||
        !add_name(user, name) || !take_attribute(&message, 'r', &nonce) || !is_nonce(nonce) ||
        !span_copy(nonce, s->nonce, sizeof(s->nonce) - SCRAM_NONCE))
        return SCRAM_MALFORMED;
    return judge_identity(identity, name);
}

void scram_challenge(struct scram *s, const char *keys, struct span nonce, struct buf *out)
{
    struct span salt = SPAN_NONE;
    uint64_t iterations = 0;
    char nobody[SCRAM_KEYS_TEXT];
    if (!read_keys(s, keys, &salt, &iterations)) {
        scram_keys_nobody(buf_span(&s->first_bare), nobody);
        CHECK(read_keys(s, nobody, &salt, &iterations));
    }
    size_t used = strlen(s->nonce);
    CHECK(span_copy(nonce, s->nonce + used, sizeof(s->nonce) - used));
    buf_addf(&s->server_first, "r=%s,s=%.*s,i=%llu", s->nonce, SPAN_ARG(salt),
             (unsigned long long)iterations);
    buf_add(out, buf_span(&s->server_first));
}

/* c= is the header as it came, and behind it what binds. */
static bool is_bound(const struct scram *s, struct span c)
{
    struct buf expected;
    struct buf text;
    buf_init(&expected, MESSAGE_MAX);
    buf_init(&text, 2 * MESSAGE_MAX);
    buf_add(&expected, buf_span(&s->gs2));
    if (s->plus)
        buf_add(&expected, (struct span){(const char *)s->binding, SCRAM_BINDING});
    bool ok = base64_encode(buf_span(&expected), &text) && span_equal(buf_span(&text), c);
    buf_fini(&expected);
    buf_fini(&text);
    return ok;
}

static bool is_proven(const struct scram *s, struct span auth, const unsigned char *proof)
{
    unsigned char key[HASH];
    unsigned char hash[HASH];
    hmac(s->stored_key, HASH, auth, key);
    for (size_t i = 0; i < HASH; i++)
        key[i] ^= proof[i];
    SHA256(key, HASH, hash);
    secret_clear(key, sizeof(key));
    return CRYPTO_memcmp(hash, s->stored_key, HASH) == 0;
}

enum scram_fault scram_final(struct scram *s, struct span message, struct buf *out)
{
    struct span rest = message;
    struct span c;
    struct span nonce;
    unsigned char proof[HASH];
    unsigned char signature[HASH];
    size_t before = span_search(message, SPAN(",p="));
    if (!take_attribute(&rest, 'c', &c) || !take_attribute(&rest, 'r', &nonce) ||
        before == message.len || !take_bytes(span_from(message, before + 3), proof, HASH))
        return SCRAM_MALFORMED;
    if (!span_equal(nonce, span_of(s->nonce)) || !is_bound(s, c))
        return SCRAM_REFUSED;
    struct buf auth;
    buf_init(&auth, 3 * (size_t)MESSAGE_MAX + 8);
    buf_addf(&auth, "%.*s,%.*s,%.*s", SPAN_ARG(buf_span(&s->first_bare)),
             SPAN_ARG(buf_span(&s->server_first)), SPAN_ARG(span_first(message, before)));
    bool ok = !auth.overflow && is_proven(s, buf_span(&auth), proof);
    hmac(s->server_key, HASH, buf_span(&auth), signature);
    buf_fini(&auth);
    if (!ok)
        return SCRAM_REFUSED;
    buf_add(out, SPAN("v="));
    add_base64(out, signature, HASH);
    return SCRAM_OK;
}
