// SPDX-License-Identifier: BSD-2-Clause
/* pointer_table.c - Open addressing, linear probing; what is dropped is closed up, so that there
 * are no marks of the dead. At most two thirds full. */
#include "pointer_table.h"

#include <stdlib.h>

enum { FIRST_SIZE = 64 };

void pointer_table_init(struct pointer_table *t, uint64_t (*hash)(const void *item),
                        bool (*equal)(const void *a, const void *b))
{
    *t = (struct pointer_table){.hash = hash, .equal = equal};
}

void pointer_table_fini(struct pointer_table *t)
{
    free(t->slots);
    t->slots = NULL;
    t->count = t->size = 0;
}

/* The finalizer of splitmix64. */
uint64_t pointer_table_mix(uint64_t number)
{
    number = (number ^ (number >> 30)) * 0xbf58476d1ce4e5b9;
    number = (number ^ (number >> 27)) * 0x94d049bb133111eb;
    return number ^ (number >> 31);
}

/* FNV-1a, and mixed. */
uint64_t pointer_table_text(const char *text)
{
    uint64_t hash = 0xcbf29ce484222325;
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3;
    return pointer_table_mix(hash);
}

static size_t home_of(const struct pointer_table *t, const void *item)
{
    return (size_t)t->hash(item) & (t->size - 1);
}

static void place(struct pointer_table *t, void *item)
{
    size_t at = home_of(t, item);
    while (t->slots[at])
        at = (at + 1) & (t->size - 1);
    t->slots[at] = item;
}

static void resize(struct pointer_table *t, size_t size)
{
    void **old = t->slots;
    size_t old_size = t->size;
    t->slots = xcalloc(size, sizeof(*t->slots));
    t->size = size;
    for (size_t i = 0; i < old_size; i++)
        if (old[i])
            place(t, old[i]);
    free(old);
}

void *pointer_table_find(const struct pointer_table *t, const void *key)
{
    if (t->count == 0)
        return NULL;
    for (size_t at = home_of(t, key); t->slots[at]; at = (at + 1) & (t->size - 1))
        if (t->equal(t->slots[at], key))
            return t->slots[at];
    return NULL;
}

void pointer_table_add(struct pointer_table *t, void *item)
{
    if (t->size == 0 || (t->count + 1) * 3 > t->size * 2)
        resize(t, t->size ? t->size * 2 : FIRST_SIZE);
    place(t, item);
    t->count++;
}

void pointer_table_drop(struct pointer_table *t, void *item)
{
    CHECK(t->count > 0);
    size_t mask = t->size - 1;
    size_t hole = home_of(t, item);
    while (t->slots[hole] != item) {
        CHECK(t->slots[hole] != NULL);
        hole = (hole + 1) & mask;
    }
    for (size_t at = (hole + 1) & mask; t->slots[at]; at = (at + 1) & mask) {
        size_t home = home_of(t, t->slots[at]);
        if (((at - home) & mask) < ((at - hole) & mask))
            continue; /* it would stand before its home */
        t->slots[hole] = t->slots[at];
        hole = at;
    }
    t->slots[hole] = NULL;
    t->count--;
    if (t->size > FIRST_SIZE && t->count * 8 < t->size)
        resize(t, t->size / 2);
}

void *pointer_table_next(const struct pointer_table *t, size_t *at_r)
{
    while (*at_r < t->size) {
        void *item = t->slots[(*at_r)++];
        if (item)
            return item;
    }
    return NULL;
}
