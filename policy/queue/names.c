// SPDX-License-Identifier: BSD-2-Clause
/* names.c - Blocks of some units of 8 bytes, in chunks; a name's number says where its block is: no
 * pointer, no length and no allocator's header. At most two thirds of the table are full, and what
 * is dropped is closed up.
 */
#include "names.h"

#include "pointer_table.h"

#include <stdlib.h>
#include <string.h>

enum { UNIT = 8, CHUNK = 64 * 1024, CHUNK_UNITS = CHUNK / UNIT, FIRST_SIZE = 64 };

struct block {
    uint32_t holders; /* free: the number of the next */
    char text[];
};

static struct block *block_of(const struct names *n, uint32_t name)
{
    char *chunk = n->chunks[name / CHUNK_UNITS];
    return (struct block *)(void *)(chunk + (size_t)(name % CHUNK_UNITS) * UNIT);
}

static size_t units_of(size_t len)
{
    return (sizeof(struct block) + len + 1 + UNIT - 1) / UNIT;
}

/* ---- blocks ---- */

/* What is left of the last chunk is lost: it is little. */
static void give_chunk(struct names *n)
{
    CHECK(n->chunk_count < UINT32_MAX / CHUNK_UNITS);
    n->chunks = xgrow(n->chunks, n->chunk_count + 1, sizeof(*n->chunks));
    n->chunks[n->chunk_count] = xcalloc(1, CHUNK);
    n->chunk_used = n->chunk_count == 0; /* no name is 0 */
    n->chunk_count++;
}

static uint32_t take_block(struct names *n, size_t units)
{
    uint32_t name = n->free[units];
    if (name != 0) {
        n->free[units] = block_of(n, name)->holders;
        return name;
    }
    if (n->chunk_count == 0 || n->chunk_used + units > CHUNK_UNITS)
        give_chunk(n);
    name = (uint32_t)((n->chunk_count - 1) * CHUNK_UNITS + n->chunk_used);
    n->chunk_used += units;
    return name;
}

/* ---- the table ---- */

static size_t home_of(const struct names *n, const char *text)
{
    return (size_t)pointer_table_text(text) & (n->size - 1);
}

/* Where the text is, or would be. */
static size_t find(const struct names *n, const char *text)
{
    size_t at = home_of(n, text);
    while (n->slots[at] != 0 && strcmp(names_text(n, n->slots[at]), text) != 0)
        at = (at + 1) & (n->size - 1);
    return at;
}

static void resize(struct names *n, size_t size)
{
    uint32_t *old = n->slots;
    size_t old_size = n->size;
    n->slots = xcalloc(size, sizeof(*n->slots));
    n->size = size;
    for (size_t i = 0; i < old_size; i++)
        if (old[i] != 0)
            n->slots[find(n, names_text(n, old[i]))] = old[i];
    free(old);
}

static void close_up(struct names *n, size_t hole)
{
    size_t mask = n->size - 1;
    for (size_t at = (hole + 1) & mask; n->slots[at] != 0; at = (at + 1) & mask) {
        size_t home = home_of(n, names_text(n, n->slots[at]));
        if (((at - home) & mask) < ((at - hole) & mask))
            continue; /* it would stand before its home */
        n->slots[hole] = n->slots[at];
        hole = at;
    }
    n->slots[hole] = 0;
}

/* ---- names ---- */

void names_fini(struct names *n)
{
    for (size_t i = 0; i < n->chunk_count; i++)
        free(n->chunks[i]);
    free(n->chunks);
    free(n->slots);
    *n = (struct names){0};
}

const char *names_text(const struct names *n, uint32_t name)
{
    return block_of(n, name)->text;
}

uint32_t names_hold(struct names *n, const char *text)
{
    size_t len = strlen(text);
    CHECK(len <= NAMES_LEN_MAX);
    if ((n->count + 1) * 3 > n->size * 2)
        resize(n, n->size ? n->size * 2 : FIRST_SIZE);
    size_t at = find(n, text);
    if (n->slots[at] == 0) {
        n->slots[at] = take_block(n, units_of(len));
        struct block *fresh = block_of(n, n->slots[at]);
        fresh->holders = 0;
        memcpy(fresh->text, text, len + 1);
        n->count++;
    }
    block_of(n, n->slots[at])->holders++;
    return n->slots[at];
}

void names_drop(struct names *n, uint32_t name)
{
    struct block *b = block_of(n, name);
    CHECK(b->holders > 0);
    if (--b->holders > 0)
        return;
    size_t units = units_of(strlen(b->text));
    close_up(n, find(n, b->text));
    b->holders = n->free[units];
    n->free[units] = name;
    if (--n->count == 0)
        names_fini(n);
    else if (n->size > FIRST_SIZE && n->count * 8 < n->size)
        resize(n, n->size / 2);
}

void *names_struct(size_t size, const char *name, const char **name_r)
{
    size_t len = strlen(name) + 1;
    char *item = xcalloc(1, size + len);
    memcpy(item + size, name, len);
    *name_r = item + size;
    return item;
}
