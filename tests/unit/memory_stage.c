// SPDX-License-Identifier: BSD-2-Clause
/* memory_stage.c - The allocators that the linker wraps, and those of OpenSSL, which it does not see. */
#include "memory_stage.h"

#include <openssl/crypto.h>
#include <stdlib.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);

static int fails_at, large_seen;
size_t memory_large = LARGE;
bool memory_only_growing;

static bool fails(size_t size)
{
    if (size < memory_large)
        return false;
    large_seen++;
    return fails_at == ALL || (fails_at > 0 && large_seen == fails_at);
}

void *__wrap_malloc(size_t size)
{
    return !memory_only_growing && fails(size) ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return !memory_only_growing && fails(count * size) ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    return fails(size) ? NULL : __real_realloc(memory, size);
}

void memory_begin_to_fail(int at)
{
    fails_at = at;
    large_seen = 0;
}

bool memory_has_failed(void)
{
    bool failed = fails_at == ALL ? large_seen > 0 : large_seen >= fails_at;
    fails_at = 0;
    return failed;
}

static void *crypto_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return malloc(size);
}

static void *crypto_realloc(void *memory, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return realloc(memory, size);
}

static void crypto_free(void *memory, const char *file, int line)
{
    (void)file;
    (void)line;
    free(memory);
}

struct key *memory_make_key(void)
{
    struct key *key = NULL;
    struct buf pem;
    struct err err = {0};
    buf_init(&pem, 4096);
    assert_true(key_generate(KEY_ED25519, 0, &pem, &err));
    assert_true(key_read(buf_span(&pem), &key, &err));
    buf_fini(&pem);
    return key;
}

void memory_of_openssl(void)
{
    CHECK(CRYPTO_set_mem_functions(crypto_malloc, crypto_realloc, crypto_free) == 1);
}
