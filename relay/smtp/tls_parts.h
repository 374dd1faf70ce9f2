// SPDX-License-Identifier: BSD-2-Clause
/* tls_parts.h - What the files of TLS share. */
#ifndef TLS_PARTS_H
#define TLS_PARTS_H

#include "tls.h"

#include <openssl/ssl.h>

struct tls_context {
    SSL_CTX *ctx;
    struct named {
        char server[256];
        SSL_CTX *ctx;
    } * named; /* for who asks for these names */
    size_t named_count;
    int64_t expires_s;
};

/* OpenSSL's own reason, and its error queue emptied. */
bool tls_failed(struct err *err, const char *doing);

#endif
