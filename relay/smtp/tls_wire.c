// SPDX-License-Identifier: BSD-2-Clause
/* tls_wire.c - Where OpenSSL reads and writes: out of what is being fed, and into what is to be
 * sent. Its own memory buffers would copy each byte twice more, and keep room on idle connections.
 */
#include "tls_parts.h"

#include <openssl/bio.h>
#include <string.h>

/* OpenSSL takes what has come in pieces of its own; when there is no more it comes back. */
static int on_read(BIO *bio, char *to, int size)
{
    struct tls *t = BIO_get_data(bio);
    struct span part = span_first(t->wire, size > 0 ? (size_t)size : 0);
    BIO_clear_retry_flags(bio);
    if (part.len == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    memcpy(to, part.ptr, part.len);
    t->wire = span_from(t->wire, part.len);
    return (int)part.len;
}

static int on_write(BIO *bio, const char *from, int len)
{
    struct tls *t = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (len < 0 || !buf_add(&t->cipher, (struct span){from, (size_t)len}))
        return -1; /* the buf says why */
    return len;
}

static long on_control(BIO *bio, int what, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return what == BIO_CTRL_FLUSH; /* all else is not for us */
}

static int on_create(BIO *bio)
{
    BIO_set_init(bio, 1);
    return 1;
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static BIO_METHOD *method;

static void make_method(void)
{
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "wire");
    CHECK(method && BIO_meth_set_read(method, on_read) && BIO_meth_set_write(method, on_write) &&
          BIO_meth_set_ctrl(method, on_control) && BIO_meth_set_create(method, on_create));
}

void tls_wire(struct tls *t, SSL *ssl)
{
    pthread_once(&once, make_method);
    BIO *bio = BIO_new(method);
    CHECK(bio != NULL);
    BIO_set_data(bio, t);
    SSL_set_bio(ssl, bio, bio);
}
