// SPDX-License-Identifier: BSD-2-Clause
/* pointer_table.h - A hash table of pointers, 8 bytes a slot: the items hold their own keys. */
#ifndef POINTER_TABLE_H
#define POINTER_TABLE_H

#include "check.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pointer_table {
    void **slots;
    size_t count, size; /* size: a power of two, or 0 */
    uint64_t (*hash)(const void *item);
    bool (*equal)(const void *a, const void *b);
};

void pointer_table_init(struct pointer_table *t, uint64_t (*hash)(const void *item),
                        bool (*equal)(const void *a, const void *b));
void pointer_table_fini(struct pointer_table *t); /* the items are not touched */

/* The item that is equal to `key`, which may be an item of which only the key is set; or NULL. */
void *pointer_table_find(const struct pointer_table *t, const void *key);
void pointer_table_add(struct pointer_table *t, void *item);  /* none that is equal is in there */
void pointer_table_drop(struct pointer_table *t, void *item); /* it must be in there */
/* Every item, in no order: start with *at_r = 0; NULL when there is no more. */
void *pointer_table_next(const struct pointer_table *t, size_t *at_r);

uint64_t pointer_table_mix(uint64_t number);
uint64_t pointer_table_text(const char *text);

#endif
