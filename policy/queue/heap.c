// SPDX-License-Identifier: BSD-2-Clause
/* heap.c - An item's place is its index and 1, so that zeroed memory means "in none". */
#include "heap.h"

#include <stdlib.h>

enum { FIRST_SIZE = 4, KEEP_SIZE = 64, LOOKS_MAX = 16, LOOK_AGAIN_MS = 100 };

void heap_init(struct heap *h, heap_before *before, size_t place_at)
{
    *h = (struct heap){.before = before, .place_at = (uint32_t)place_at};
}

void heap_fini(struct heap *h)
{
    free(h->items);
    h->items = NULL;
    h->count = h->size = 0;
}

static uint32_t *place_of(const struct heap *h, void *item)
{
    return (uint32_t *)(void *)((char *)item + h->place_at);
}

static void put(struct heap *h, uint32_t at, void *item)
{
    h->items[at] = item;
    *place_of(h, item) = at + 1;
}

static uint32_t rise(struct heap *h, uint32_t at, void *item)
{
    for (; at > 0 && h->before(item, h->items[(at - 1) / 2]); at = (at - 1) / 2)
        put(h, at, h->items[(at - 1) / 2]);
    put(h, at, item);
    return at;
}

static void sink(struct heap *h, uint32_t at, void *item)
{
    for (uint32_t child = 2 * at + 1; child < h->count; child = 2 * at + 1) {
        if (child + 1 < h->count && h->before(h->items[child + 1], h->items[child]))
            child++;
        if (!h->before(h->items[child], item))
            break;
        put(h, at, h->items[child]);
        at = child;
    }
    put(h, at, item);
}

static void resize(struct heap *h, uint32_t size)
{
    h->items = xgrow(h->items, size, sizeof(*h->items));
    h->size = size;
}

void heap_push(struct heap *h, void *item)
{
    CHECK(*place_of(h, item) == 0 && h->count < UINT32_MAX / 2);
    if (h->count == h->size)
        resize(h, h->size < FIRST_SIZE ? FIRST_SIZE : h->size + h->size / 2);
    rise(h, h->count++, item);
}

void heap_moved(struct heap *h, void *item)
{
    uint32_t at = *place_of(h, item) - 1;
    CHECK(at < h->count && h->items[at] == item);
    sink(h, rise(h, at, item), item);
}

void heap_take(struct heap *h, void *item)
{
    uint32_t at = *place_of(h, item) - 1;
    CHECK(at < h->count && h->items[at] == item);
    void *last = h->items[--h->count];
    *place_of(h, item) = 0;
    if (last != item)
        sink(h, rise(h, at, last), last);
    if (h->size > KEEP_SIZE && h->count < h->size / 4)
        resize(h, h->size / 2);
}

void *heap_pop(struct heap *h)
{
    CHECK(h->count > 0);
    void *item = h->items[0];
    heap_take(h, item);
    return item;
}

/* ---- the first that passes a test ---- */

struct heap_search wide_look_begin(const struct wide_look *look, int64_t now_ms)
{
    return (struct heap_search){.wide = look->again_ms <= now_ms};
}

void wide_look_end(struct wide_look *look, const struct heap_search *search, bool found,
                   int64_t now_ms)
{
    look->put_off = search->more && !found && !search->wide;
    if (search->more && !found && search->wide)
        look->again_ms = now_ms + LOOK_AGAIN_MS;
}

int64_t wide_look_again_ms(const struct wide_look *look, int64_t now_ms)
{
    return look->put_off && look->again_ms > now_ms ? look->again_ms : INT64_MAX;
}

/* The first of all of them. */
static void *look_at_all(const struct heap *h, heap_test *test, const void *context)
{
    void *best = NULL;
    for (uint32_t i = 0; i < h->count; i++)
        if ((!best || h->before(h->items[i], best)) && test(h->items[i], context))
            best = h->items[i];
    return best;
}

/* Best first down the heap: `open` are those whose parents have been looked at. */
void *heap_first_of(const struct heap *h, heap_test *test, const void *context,
                    struct heap_search *search)
{
    if (h->count == 0)
        return NULL;
    uint32_t open[LOOKS_MAX + 1] = {0};
    uint32_t count = 1;
    for (size_t looks = 0; count > 0 && looks < LOOKS_MAX; looks++) {
        uint32_t best = 0;
        for (uint32_t i = 1; i < count; i++)
            if (h->before(h->items[open[i]], h->items[open[best]]))
                best = i;
        uint32_t at = open[best];
        if (test(h->items[at], context))
            return h->items[at];
        open[best] = open[--count];
        for (uint32_t child = 2 * at + 1; child <= 2 * at + 2 && child < h->count; child++)
            open[count++] = child;
    }
    search->more = search->more || count > 0;
    return count > 0 && search->wide ? look_at_all(h, test, context) : NULL;
}
