// SPDX-License-Identifier: BSD-2-Clause
/* secret_memory.h - Memory for many small secrets: part of no core dump, wiped when it is given
 * back. For one thread at a time.
 */
#ifndef SECRET_MEMORY_H
#define SECRET_MEMORY_H

#include <stddef.h>

enum { SECRET_MEMORY_STEP = 64, SECRET_MEMORY_MAX = 1024 };

struct secret_block;
struct secret_free;

struct secret_memory {
    struct secret_block *blocks;
    char *room; /* of the newest block: what has never been given out */
    size_t room_size;
    struct secret_free *given_back[SECRET_MEMORY_MAX / SECRET_MEMORY_STEP + 1]; /* by steps */
    size_t bytes;                                                               /* of all blocks */
};

/* SECRET_MEMORY_MAX bytes at most; begins as zeroes. Aborts without memory. */
void *secret_memory_take(struct secret_memory *m, size_t size);
/* `size`: as it was taken. */
void secret_memory_give(struct secret_memory *m, void *bytes, size_t size);
/* With all that was taken. */
void secret_memory_fini(struct secret_memory *m);

#endif
