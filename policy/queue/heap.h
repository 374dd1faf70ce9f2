// SPDX-License-Identifier: BSD-2-Clause
/* heap.h - A binary heap of pointers whose items know where they stand, so that any of them can be
 * taken out or moved. */
#ifndef HEAP_H
#define HEAP_H

#include "check.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef bool heap_before(const void *a, const void *b);

struct heap {
    void **items;
    uint32_t count, size;
    uint32_t place_at; /* offset in an item of the uint32_t that is its place; 0 there: in none */
    heap_before *before;
};

void heap_init(struct heap *h, heap_before *before, size_t place_at);
void heap_fini(struct heap *h); /* the items are not touched */

void heap_push(struct heap *h, void *item);
void heap_take(struct heap *h, void *item);  /* it must be in there */
void heap_moved(struct heap *h, void *item); /* its key has changed */
void *heap_pop(struct heap *h);              /* there must be one */

static inline void *heap_first(const struct heap *h)
{
    return h->count > 0 ? h->items[0] : NULL;
}

/* ---- the first that passes a test ---- */

/* A few of the first are looked at; all of them, which costs as much as there are, not again for a
 * tenth of a second after that was in vain. */
struct wide_look {
    int64_t again_ms;
    bool put_off; /* one may be there that is found then */
};

struct heap_search {
    bool wide, more; /* more: than the few, and none of those has passed */
};

typedef bool heap_test(const void *item, const void *context);

struct heap_search wide_look_begin(const struct wide_look *look, int64_t now_ms);
void wide_look_end(struct wide_look *look, const struct heap_search *search, bool found,
                   int64_t now_ms);
/* When to look again for what was put off; INT64_MAX: never, or it was long ago. */
int64_t wide_look_again_ms(const struct wide_look *look, int64_t now_ms);
/* NULL: none is found. */
void *heap_first_of(const struct heap *h, heap_test *test, const void *context,
                    struct heap_search *search);

#endif
