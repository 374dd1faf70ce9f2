// SPDX-License-Identifier: BSD-2-Clause
/* tls_parts.h - What the files of TLS share. */
#ifndef TLS_PARTS_H
#define TLS_PARTS_H

#include "tls.h"

#include <openssl/ssl.h>
#include <pthread.h>

struct tls_context {
    pthread_mutex_t mutex; /* over what follows: certificates are renewed while they serve */
    struct served {
        SSL_CTX *ctx;
        struct named {
            char server[256];
            SSL_CTX *ctx;
        } * named; /* for who asks for these names */
        size_t named_count;
        struct tls_expiry expiry; /* of the first that does */
    } now;
};

/* For TLS 1.2: forward secrecy and authenticated encryption (RFC 9325 section 4.2). */
extern const char tls_strong_ciphers[];

/* What a new connection begins with; the caller ends it with SSL_CTX_free(). */
SSL_CTX *tls_context_hold(struct tls_context *context);

/* Let `ssl` read from t->wire and write to t->cipher. */
void tls_wire(struct tls *t, SSL *ssl);

/* Bound what a handshake may cost, whatever the other side chooses. Sets the ciphers of TLS 1.2: a
 * stricter choice of them comes later. */
void tls_limit(SSL_CTX *ctx);

/* Called with each handshake message before OpenSSL parses it. If that would cost too much
 * t->unread says why, and the handshake fails. */
void tls_screen(struct tls *t, const void *message, size_t len);

/* Does it take some milliseconds at most to verify a signature with this key? NULL: no. */
bool tls_is_cheap(const EVP_PKEY *key);

/* Add what a certificate holds to `names`. */
void tls_count_names(const X509 *x, struct tls_names *names);

/* Is the server's certificate, as far as it was seen, what is demanded? By DANE: by which record;
 * else `match_r` is zero. */
bool tls_met(const struct tls *t, struct tls_match *match_r);

/* SHA-256 of its key as TLSA x 1 1 has it, in hexadecimal; `hex_r` holds 65 bytes. */
MUST_CHECK bool tls_key_digest(const X509 *x, char *hex_r);

/* OpenSSL's own reason, and its error queue emptied. */
bool tls_failed(struct err *err, const char *doing);

#endif
