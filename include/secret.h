// SPDX-License-Identifier: BSD-2-Clause
/* secret.h - Passwords: generation, hashing, comparison; digests and seals.
 *
 * A generated secret has 160 random bits, so one SHA-256 protects it. A chosen password is hashed
 * with yescrypt, which is intentionally slow (16 ms): never call secret_verify() with such a hash
 * on an event loop.
 */
#ifndef SECRET_H
#define SECRET_H

#include "buf.h"
#include "err.h"

enum { SECRET_TEXT = 33, SECRET_HASH = 384, SECRET_SEAL_KEY = 64, SECRET_SEAL_TAG = 16 };

/* A new secret of 32 lower-case letters and digits; `text_r` holds SECRET_TEXT bytes. */
void secret_generate(char *text_r);

/* Fill with random bytes; aborts when the system has none. */
void secret_random(void *bytes, size_t len);

/* The stored form; `hash_r` holds SECRET_HASH bytes. */
void secret_hash_generated(struct span secret, char *hash_r);
MUST_CHECK bool secret_hash_chosen(struct span secret, char *hash_r, struct err *err);

/* Is the hash one that takes long to verify? */
bool secret_is_slow(const char *hash);

/* Constant-time. An unreadable hash matches nothing. */
bool secret_verify(const char *hash, struct span given);

/* A hash that nothing matches and that costs as much as a slow one. */
extern const char secret_nobody[];

/* In constant time. */
bool secret_same(const void *a, const void *b, size_t len);

/* HMAC-SHA-256 (RFC 2104), its first 16 octets: a name for `text` that nobody without the key can
 * make. */
void secret_mac(struct span key, struct span text, unsigned char mac_r[16]);
/* All of its 32 octets. */
void secret_mac_whole(struct span key, struct span text, unsigned char mac_r[32]);

/* The same for many texts with one key, which is prepared once; for one thread at a time. */
struct secret_keyed;
struct secret_keyed *secret_keyed_new(struct span key);
void secret_keyed_mac(struct secret_keyed *k, struct span text, unsigned char mac_r[16]);
void secret_keyed_free(struct secret_keyed *k);

/* SHA-256, its first 16 octets: what two equal texts share and no two others. */
void secret_digest(struct span text, unsigned char digest_r[16]);

/* SHA-256 in hexadecimal; `hex_r` holds 65 bytes. */
void secret_sha256(struct span text, char *hex_r);

/* secret_digest(), piece by piece. secret_hash_end() frees it, and so does secret_hash_end_whole(),
 * which gives all 32 octets. */
struct secret_hash;
struct secret_hash *secret_hash_begin(void);
void secret_hash_add(struct secret_hash *h, struct span text);
void secret_hash_end(struct secret_hash *h, unsigned char digest_r[16]);
void secret_hash_end_whole(struct secret_hash *h, unsigned char digest_r[32]);

/* GMAC with AES-256 and always the same nonce (NIST SP 800-38D), piece by piece: several times as
 * fast as a digest. Without the key nobody can make two texts with one tag, as long as no tag
 * leaves the process and its store. secret_gmac_end() frees it. */
struct secret_gmac;
enum { SECRET_GMAC_KEY = 32 };
struct secret_gmac *secret_gmac_begin(const unsigned char key[SECRET_GMAC_KEY]);
void secret_gmac_add(struct secret_gmac *g, struct span text);
void secret_gmac_end(struct secret_gmac *g, unsigned char tag_r[16]);

/* A key for one purpose from a secret that serves several (HKDF-SHA-256, RFC 5869). */
void secret_derive(struct span secret, const char *purpose, unsigned char *key_r, size_t len);

/* Append tag and ciphertext of `text` (AES-256-SIV, RFC 5297); `about` is authenticated
 * along. The same in gives the same out. */
MUST_CHECK bool secret_seal(const unsigned char key[SECRET_SEAL_KEY], struct span about,
                            struct span text, struct buf *out);
/* Append what was sealed; false when any of it was made or changed by somebody else. */
MUST_CHECK bool secret_unseal(const unsigned char key[SECRET_SEAL_KEY], struct span about,
                              struct span sealed, struct buf *out);

/* Overwrite with zeros, which the compiler does not leave out; NULL with 0 does nothing. */
void secret_clear(void *bytes, size_t len);

#endif
