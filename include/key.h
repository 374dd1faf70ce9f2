// SPDX-License-Identifier: BSD-2-Clause
/* key.h - Key pairs: made, read, their public half for DNS; and a self-signed certificate to start
 * with. */
#ifndef KEY_H
#define KEY_H

#include "buf.h"
#include "err.h"

/* Stored in the database: never renumber. */
enum key_algorithm { KEY_RSA = 0, KEY_ED25519 = 1 };

struct key;

const char *key_algorithm_name(
    enum key_algorithm algorithm); /* "rsa", "ed25519": the k= of DNS (RFC 8463) */
/* From that name. False when it is none of them. */
MUST_CHECK bool key_algorithm_parse(struct span name, enum key_algorithm *algorithm_r);

/* Make a key and append it as PEM (PKCS #8). `rsa_bits`: 2048 to 4096, of RSA. */
MUST_CHECK bool key_generate(enum key_algorithm algorithm, unsigned rsa_bits, struct buf *pem,
                             struct err *err);

/* Read a private key from PEM; RSA of fewer than 1024 bits is refused (RFC 8301 section 3.2), and
 * so is one that needs a passphrase: nobody is asked for it. Free with key_free(). */
MUST_CHECK bool key_read(struct span pem, struct key **key_r, struct err *err);
void key_free(struct key *key);

/* Does it look like such a key, without a passphrase? Its form is looked at (RFC 7468, and the
 * length of its outermost ASN.1 object), and no number in it: a fiftieth of key_read()'s time. */
bool key_looks_right(struct span pem);

/* Of which kind it is. */
enum key_algorithm key_algorithm(const struct key *key);

/* Append base64 of the public half as DKIM records carry it: SubjectPublicKeyInfo for RSA, 32 raw
 * bytes for Ed25519. */
MUST_CHECK bool key_public(const struct key *key, struct buf *base64, struct err *err);

/* Lend a parsed key to the signing library on this thread until key_take_back(). The library asks
 * for a private key by PEM_read_bio_PrivateKey(), which is wrapped at link time: parsing anew for
 * every message would cost 3.5 times the signature itself. `leaked` says that the borrower forgets
 * to free its reference (libopendkim does, for Ed25519).
 */
void key_lend(const struct key *key);
void key_take_back(bool leaked);

/* Append a self-signed ECDSA P-256 certificate for `hostname`, valid for ten years, and its private
 * key, as PEM. */
MUST_CHECK bool key_self_signed(const char *hostname, struct buf *certificate,
                                struct buf *private_key, struct err *err);

/* The work of an RSA-2048 signature, with numbers that are nobody's key: to measure it. */
void key_exercise(void);

#endif
