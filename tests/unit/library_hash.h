// SPDX-License-Identifier: BSD-2-Clause
/* library_hash.h - The hash of a body as libopendkim makes it without our help: the bh= of a signature that is made by the library
 * alone, beside what body_hash.c makes of the same chunks. */
#ifndef LIBRARY_HASH_H
#define LIBRARY_HASH_H

#include "base64.h"
#include "body_hash.h"
#include "buf.h"
#include "key.h"

#include <dkim.h>
#include <stdlib.h>
#include <string.h>

/* The next chunk of a body: its length is at least 1, and at most what is left. */
typedef size_t chunk_length(void *context, size_t left);

static inline struct key *library_key(void)
{
    static struct key *key;
    struct buf pem;
    struct err err = {0};
    if (key)
        return key;
    buf_init(&pem, 8192);
    CHECK(key_generate(KEY_RSA, 1024, &pem, &err) && key_read(buf_span(&pem), &key, &err));
    buf_fini(&pem);
    return key;
}

/* False when it has none. */
static inline bool library_hash(enum body_canon canon, struct span body, chunk_length *next,
                                void *context, unsigned char hash_r[BODY_HASH])
{
    static DKIM_LIB *library;
    DKIM_STAT status = DKIM_STAT_OK;
    u_char *value = NULL;
    size_t len = 0;
    u_char from[] = "From: <a@club.test>";
    u_char lent[] = "-----BEGIN LENT KEY-----";
    library = library ? library : dkim_init(NULL, NULL);
    DKIM *handle = dkim_sign(library, (const u_char *)"body", NULL, lent, (const u_char *)"s",
                             (const u_char *)"club.test", DKIM_CANON_RELAXED,
                             canon == BODY_SIMPLE ? DKIM_CANON_SIMPLE : DKIM_CANON_RELAXED,
                             DKIM_SIGN_RSASHA256, -1, &status);
    CHECK(handle && dkim_header(handle, from, sizeof(from) - 1) == DKIM_STAT_OK &&
          dkim_eoh(handle) == DKIM_STAT_OK);
    while (body.len > 0) {
        size_t chunk = next(context, body.len);
        CHECK(dkim_body(handle, (u_char *)(uintptr_t)body.ptr, chunk) == DKIM_STAT_OK);
        body = span_from(body, chunk);
    }
    key_lend(library_key());
    status = dkim_eom(handle, NULL);
    key_take_back(false);
    CHECK(status == DKIM_STAT_OK || status == DKIM_STAT_SYNTAX);
    if (status == DKIM_STAT_OK) {
        struct buf text, hash;
        CHECK(dkim_getsighdr_d(handle, 0, &value, &len) == DKIM_STAT_OK);
        buf_init(&text, 100);
        buf_init(&hash, 100);
        for (const char *c = strstr((const char *)value, "bh=") + 3; *c != ';' && *c != '\0'; c++)
            if (!strchr(" \t\r\n", *c))
                buf_add_char(&text, *c);
        CHECK(base64_decode(buf_span(&text), &hash) && hash.len == BODY_HASH);
        memcpy(hash_r, hash.ptr, BODY_HASH);
        buf_fini(&text);
        buf_fini(&hash);
    }
    dkim_free(handle);
    return status == DKIM_STAT_OK;
}

/* The body that is most like it and may be signed: bare CRs and LFs are text, and what is not empty ends with a CRLF. `to` has
 * room for as many bytes. */
static inline struct span signable(struct span body, char *to)
{
    if (body.len < 2)
        return SPAN_NONE;
    memcpy(to, body.ptr, body.len);
    memcpy(to + body.len - 2, "\r\n", 2);
    for (size_t i = 0; i < body.len; i++) {
        bool pair = to[i] == '\r' && i + 1 < body.len && to[i + 1] == '\n';
        if (!pair && (to[i] == '\r' || to[i] == '\n'))
            to[i] = 'x';
        i += pair;
    }
    return (struct span){to, body.len};
}

/* The same by our own routine. */
static inline bool our_hash(enum body_canon canon, struct span body, chunk_length *next,
                            void *context, unsigned char hash_r[BODY_HASH])
{
    struct body_hash *h = body_hash_begin(canon);
    while (body.len > 0) {
        size_t chunk = next(context, body.len);
        char *copy = xcalloc(1, chunk); /* of its own, so that a read over its edges is seen */
        memcpy(copy, body.ptr, chunk);
        body_hash_add(h, (struct span){copy, chunk});
        free(copy);
        body = span_from(body, chunk);
    }
    bool ok = body_hash_end(h, hash_r);
    body_hash_free(h);
    return ok;
}

#endif
