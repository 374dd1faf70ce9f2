// SPDX-License-Identifier: BSD-2-Clause
/* kept.c - A list for each tenant, and a heap of these: who has most is first. */
#include "kept.h"

#include <stdlib.h>
#include <utlist.h>

static uint64_t hash_of(const void *item)
{
    return pointer_table_mix(((const struct kept_of *)item)->who);
}

static bool same_of(const void *a, const void *b)
{
    return ((const struct kept_of *)a)->who == ((const struct kept_of *)b)->who;
}

static bool has_more(const void *a, const void *b)
{
    return ((const struct kept_of *)a)->count > ((const struct kept_of *)b)->count;
}

void users_note(struct users *users, uint64_t who)
{
    if (who == 0 || who == users->last)
        return;
    users->before = users->last;
    users->last = who;
}

void kept_init(struct kept *k)
{
    *k = (struct kept){0};
    pointer_table_init(&k->all, hash_of, same_of);
    heap_init(&k->most, has_more, offsetof(struct kept_of, place));
}

void kept_fini(struct kept *k)
{
    while (k->most.count > 0)
        free(heap_pop(&k->most));
    heap_fini(&k->most);
    pointer_table_fini(&k->all);
}

static struct kept_of *find(const struct kept *k, uint64_t who)
{
    struct kept_of key = {.who = who};
    return pointer_table_find(&k->all, &key);
}

static size_t count_of(const struct kept *k, uint64_t who)
{
    const struct kept_of *of = find(k, who);
    return of ? of->count : 0;
}

static struct kept_of *need(struct kept *k, uint64_t who)
{
    struct kept_of *of = find(k, who);
    if (of)
        return of;
    of = xcalloc(1, sizeof(*of));
    of->who = who;
    pointer_table_add(&k->all, of);
    heap_push(&k->most, of);
    return of;
}

static void put(struct kept *k, uint64_t who, struct kept_item *item)
{
    struct kept_of *of = need(k, who);
    item->of = of;
    DL_APPEND(of->items, item);
    of->count++;
    k->count++;
    heap_moved(&k->most, of);
}

void kept_put(struct kept *k, const struct users *users, struct kept_item *item)
{
    CHECK(!item->of);
    item->users = users;
    put(k, users->last, item);
}

void kept_take(struct kept *k, struct kept_item *item)
{
    struct kept_of *of = item->of;
    if (!of)
        return;
    item->of = NULL;
    DL_DELETE(of->items, item);
    of->count--;
    k->count--;
    heap_moved(&k->most, of);
    if (of->count > 0)
        return;
    heap_take(&k->most, of);
    pointer_table_drop(&k->all, of);
    free(of);
}

/* True: it is another one's, which has fewer, from now on. */
static bool goes_over(struct kept *k, struct kept_item *item)
{
    const struct users *users = item->users;
    uint64_t other = item->of->who == users->last ? users->before : users->last;
    if (other == 0 || count_of(k, other) + 1 >= item->of->count)
        return false;
    kept_take(k, item);
    put(k, other, item);
    return true;
}

struct kept_item *kept_first(struct kept *k)
{
    const struct kept_of *of = heap_first(&k->most);
    while (of && goes_over(k, of->items))
        of = heap_first(&k->most);
    return of ? of->items : NULL;
}
