// SPDX-License-Identifier: BSD-2-Clause
/* fuzz_dane.c - TLSA records before a handshake: each with its length before it. Whatever they hold, they can be used or not. */
#include "tls_dane.h"
#include "tls_parts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct tls_context *context;
    struct dane_record records[DANE_RECORDS_MAX];
    struct dane dane = {.names = {"mx.test", "d.test"}, .name_count = 2, .records = records};
    struct tls_names names = {0};
    struct err err = {0};
    if (!context)
        CHECK(tls_client_context(NULL, &context, &err));
    for (size_t at = 0; at + 5 <= size && dane.count < COUNT_OF(records);) {
        struct span rest = {(const char *)data + at + 5, size - at - 5};
        struct span held = span_first(rest, (size_t)data[at] << 8 | data[at + 1]);
        records[dane.count++] = (struct dane_record){data[at + 2], data[at + 3], data[at + 4], held};
        at += 5 + held.len;
    }
    SSL_CTX *ctx = tls_context_hold(context);
    SSL *ssl = SSL_new(ctx);
    CHECK(ssl != NULL);
    CHECK(tls_dane_set(ssl, &dane, &names, &err) != TLS_DANE_FAILED);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    return 0;
}
