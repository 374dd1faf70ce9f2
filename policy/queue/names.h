// SPDX-License-Identifier: BSD-2-Clause
/* names.h - Texts that many share, by numbers of 32 bits: a million recipients that wait, each at a
 * domain of its own, hold a million names.
 *
 * A name is there while it is held; its text does not move. What is free is used for another name
 * of the same length, and all memory goes with the last name.
 */
#ifndef NAMES_H
#define NAMES_H

#include "check.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NAMES_LEN_MAX = 1000, NAMES_SIZES = NAMES_LEN_MAX / 8 + 2 };

/* Zeroed: no names. */
struct names {
    char **chunks;
    size_t chunk_count, chunk_used; /* of the last */
    uint32_t free[NAMES_SIZES];     /* by size in units of 8 bytes; linked */
    uint32_t *slots;                /* a hash table: open addressing, linear probing */
    size_t count, size;             /* size: a power of two, or 0 */
};

void names_fini(struct names *n); /* whoever holds some, holds nothing now */

/* The number of a text of at most NAMES_LEN_MAX bytes, never 0. It is held once more. */
uint32_t names_hold(struct names *n, const char *text);
void names_drop(struct names *n, uint32_t name);
const char *names_text(const struct names *n, uint32_t name);

/* Zeroed memory for a struct of `size` that keeps a name for itself, behind it: *name_r. */
void *names_struct(size_t size, const char *name, const char **name_r);

#endif
