// SPDX-License-Identifier: BSD-2-Clause
/* fuzz_body_hash.c - A body, cut by its first bytes: its hash is libopendkim's, and does not depend on the cuts. The simple one is
 * that of the body made into one that may be signed. */
#include "library_hash.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The pieces' lengths, in turn. */
struct cuts {
    const uint8_t *lengths;
    size_t at;
};

enum { CUTS = 3 };

static size_t next_chunk(void *context, size_t left)
{
    struct cuts *c = context;
    size_t len = c->lengths ? 1 + (size_t)c->lengths[c->at++ % CUTS] : left;
    return len < left ? len : left;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < CUTS)
        return 0;
    struct span given = {(const char *)data + CUTS, size - CUTS};
    char *text = xcalloc(1, size);
    unsigned char whole[BODY_HASH];
    for (enum body_canon canon = BODY_SIMPLE; canon <= BODY_RELAXED; canon++) {
        struct span body = canon == BODY_SIMPLE ? signable(given, text) : given;
        unsigned char ours[BODY_HASH];
        unsigned char theirs[BODY_HASH];
        struct cuts cuts = {.lengths = data};
        struct cuts again = {.lengths = data};
        bool has_one = our_hash(canon, body, next_chunk, &cuts, ours);
        CHECK(library_hash(canon, body, next_chunk, &again, theirs) == has_one);
        CHECK(!has_one || memcmp(ours, theirs, BODY_HASH) == 0);
        struct cuts none = {0};
        CHECK(our_hash(canon, body, next_chunk, &none, whole) == has_one &&
              memcmp(whole, ours, BODY_HASH) == 0);
    }
    free(text);
    return 0;
}
