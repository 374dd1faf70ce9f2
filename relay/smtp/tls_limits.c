// SPDX-License-Identifier: BSD-2-Clause
/* tls_limits.c - What the other side may make a handshake cost.
 *
 * A handshake is computed on the loop that serves all connections, and the peer chooses much of it.
 * Elliptic curves and RSA verification cost some milliseconds at most, whatever is chosen; modular
 * Diffie-Hellman grows with the third power of its size: 10,000 bits, which OpenSSL accepts of a
 * server, cost close to a second, and a group of 8192 bits an eighth of one. Who has TLS 1.2 has
 * elliptic curves, too: so there is no modular Diffie-Hellman, neither by a cipher of TLS 1.2 nor
 * by a group of TLS 1.3.
 */
#include "tls_parts.h"

enum { CERTIFICATES_MAX = 64 * 1024 };
enum { FFDHE_FIRST = 0x0100, FFDHE_LAST = 0x01ff }; /* groups, RFC 7919 section 2 */

typedef int security_callback(const SSL *ssl, const SSL_CTX *ctx, int op, int bits, int nid,
                              void *other, void *data);

static pthread_once_t once = PTHREAD_ONCE_INIT;
static security_callback *usual; /* what OpenSSL asks otherwise */

static void find_usual(void)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_method());
    CHECK(ctx != NULL);
    usual = SSL_CTX_get_security_callback(ctx);
    SSL_CTX_free(ctx);
}

static bool is_modular(const unsigned char *wire)
{
    unsigned group = (unsigned)(wire[0] << 8 | wire[1]);
    return group >= FFDHE_FIRST && group <= FFDHE_LAST;
}

static int on_security(const SSL *ssl, const SSL_CTX *ctx, int op, int bits, int nid, void *other,
                       void *data)
{
    if (((unsigned)op & SSL_SECOP_OTHER_TYPE) == SSL_SECOP_OTHER_CURVE && other &&
        is_modular(other))
        return 0;
    return usual(ssl, ctx, op, bits, nid, other, data);
}

void tls_limit(SSL_CTX *ctx)
{
    CHECK(pthread_once(&once, find_usual) == 0);
    CHECK(SSL_CTX_set_cipher_list(ctx, "DEFAULT:!kDHE") == 1);
    SSL_CTX_set_security_callback(ctx, on_security);
    SSL_CTX_set_max_cert_list(ctx, CERTIFICATES_MAX); /* each of them is parsed */
}
