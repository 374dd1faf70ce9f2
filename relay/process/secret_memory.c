// SPDX-License-Identifier: BSD-2-Clause
/* secret_memory.c - Pages of our own, cut into pieces of whole steps; what is given back serves the
 * next that takes as many steps.
 */
#include "secret_memory.h"

#include "check.h"

#include <string.h>
#include <sys/mman.h>

enum { BLOCK = 256 * 1024 };

struct secret_block {
    struct secret_block *next;
};

struct secret_free {
    struct secret_free *next;
};

static size_t steps_of(size_t size)
{
    CHECK(size > 0 && size <= SECRET_MEMORY_MAX);
    return (size + SECRET_MEMORY_STEP - 1) / SECRET_MEMORY_STEP;
}

/* The rest of the last one is left alone: it is less than a piece. */
static void add_block(struct secret_memory *m)
{
    struct secret_block *b =
        mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(b != MAP_FAILED);
    (void)madvise(b, BLOCK, MADV_DONTDUMP); /* a kernel without it writes no less than before */
    b->next = m->blocks;
    m->blocks = b;
    m->room = (char *)b + SECRET_MEMORY_STEP;
    m->room_size = BLOCK - SECRET_MEMORY_STEP;
    m->bytes += BLOCK;
}

void *secret_memory_take(struct secret_memory *m, size_t size)
{
    size_t steps = steps_of(size);
    struct secret_free *piece = m->given_back[steps];
    if (piece) {
        m->given_back[steps] = piece->next;
        piece->next = NULL;
        return piece;
    }
    if (m->room_size < steps * SECRET_MEMORY_STEP)
        add_block(m);
    char *taken = m->room;
    m->room += steps * SECRET_MEMORY_STEP;
    m->room_size -= steps * SECRET_MEMORY_STEP;
    return taken;
}

void secret_memory_give(struct secret_memory *m, void *bytes, size_t size)
{
    size_t steps = steps_of(size);
    struct secret_free *piece = bytes;
    explicit_bzero(bytes, steps * SECRET_MEMORY_STEP);
    piece->next = m->given_back[steps];
    m->given_back[steps] = piece;
}

void secret_memory_fini(struct secret_memory *m)
{
    while (m->blocks) {
        struct secret_block *b = m->blocks;
        m->blocks = b->next;
        explicit_bzero(b, BLOCK);
        munmap(b, BLOCK);
    }
    *m = (struct secret_memory){0};
}
