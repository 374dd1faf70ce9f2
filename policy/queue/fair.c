// SPDX-License-Identifier: BSD-2-Clause
/* fair.c - A heap of parties by what they have used, and in each a heap of its items.
 *
 * A party is there while it has items or, FAIR_HELD, holds something. FAIR_TURNS forgets one that
 * has no items: when it comes back it stands at the floor, which is at most one service in its
 * favour.
 */
#include "fair.h"

#include <stdlib.h>

static uint64_t hash_party(const void *item)
{
    const struct fair_party *p = item;
    return pointer_table_mix((uint64_t)(uintptr_t)p->fair * 31 + (uint64_t)(uintptr_t)p->who);
}

static bool same_party(const void *a, const void *b)
{
    const struct fair_party *p = a;
    const struct fair_party *q = b;
    return p->fair == q->fair && p->who == q->who;
}

void fair_table_init(struct pointer_table *by_who)
{
    pointer_table_init(by_who, hash_party, same_party);
}

void fair_table_fini(struct pointer_table *by_who)
{
    size_t at = 0;
    for (struct fair_party *p = pointer_table_next(by_who, &at); p;
         p = pointer_table_next(by_who, &at)) {
        heap_fini(&p->items);
        free(p);
    }
    pointer_table_fini(by_who);
}

static bool party_before(const void *a, const void *b)
{
    const struct fair_party *p = a;
    const struct fair_party *q = b;
    if (p->used != q->used)
        return p->used < q->used;
    if (p->served != q->served)
        return p->served < q->served;
    return p->fair->before(heap_first(&p->items), heap_first(&q->items));
}

void fair_init(struct fair *f, enum fair_kind kind, struct pointer_table *by_who,
               heap_before *before)
{
    *f = (struct fair){.by_who = by_who, .kind = kind, .before = before};
    heap_init(&f->parties, party_before, offsetof(struct fair_party, place));
}

static void drop_party(struct fair_party *p)
{
    pointer_table_drop(p->fair->by_who, p);
    heap_fini(&p->items);
    free(p);
}

void fair_fini(struct fair *f)
{
    CHECK(f->count == 0);
    heap_fini(&f->parties);
}

static struct fair_party *find_party(const struct fair *f, const void *who)
{
    /* The key is only compared. */
    struct fair_party key = {.fair = (struct fair *)(uintptr_t)f, .who = who};
    return pointer_table_find(f->by_who, &key);
}

static struct fair_party *need_party(struct fair *f, const void *who)
{
    struct fair_party *p = find_party(f, who);
    if (p)
        return p;
    p = xcalloc(1, sizeof(*p));
    p->fair = f;
    p->who = who;
    p->used = f->kind == FAIR_TURNS ? f->floor : 0;
    heap_init(&p->items, f->before, offsetof(struct fair_item, place));
    pointer_table_add(f->by_who, p);
    return p;
}

static bool is_over(const struct fair_party *p)
{
    return p->items.count == 0 && (p->fair->kind == FAIR_TURNS || p->used == 0);
}

void fair_put(struct fair *f, const void *who, struct fair_item *item)
{
    CHECK(!item->party);
    struct fair_party *p = need_party(f, who);
    item->party = p;
    heap_push(&p->items, item);
    f->count++;
    if (p->place == 0)
        heap_push(&f->parties, p);
    else
        heap_moved(&f->parties, p);
}

void fair_take(struct fair_item *item)
{
    struct fair_party *p = item->party;
    if (!p)
        return;
    item->party = NULL;
    p->fair->count--;
    if (p->items.count == 1)
        heap_take(&p->fair->parties, p);
    heap_take(&p->items, item);
    if (p->place != 0)
        heap_moved(&p->fair->parties, p);
    if (is_over(p))
        drop_party(p);
}

void fair_moved(struct fair_item *item)
{
    heap_moved(&item->party->items, item);
    heap_moved(&item->party->fair->parties, item->party);
}

struct fair_item *fair_first(const struct fair *f)
{
    const struct fair_party *p = heap_first(&f->parties);
    return p ? heap_first(&p->items) : NULL;
}

struct question {
    fair_test *test;
    const void *context;
};

static bool fits(const void *party, const void *context)
{
    const struct question *ask = context;
    return ask->test(heap_first(&((const struct fair_party *)party)->items), ask->context);
}

struct fair_item *fair_first_of(const struct fair *f, fair_test *test, const void *context,
                                struct wide_look *look, int64_t now_ms)
{
    const struct question ask = {test, context};
    struct heap_search search = wide_look_begin(look, now_ms);
    const struct fair_party *p = heap_first_of(&f->parties, fits, &ask, &search);
    wide_look_end(look, &search, p != NULL, now_ms);
    return p ? heap_first(&p->items) : NULL;
}

struct fair_item *fair_first_by(const struct fair *f, const void *who)
{
    const struct fair_party *p = find_party(f, who);
    return p ? heap_first(&p->items) : NULL;
}

uint64_t fair_first_used(const struct fair *f)
{
    const struct fair_party *p = heap_first(&f->parties);
    return p ? p->used : 0;
}

void fair_charge(struct fair *f, const void *who, uint64_t cost)
{
    struct fair_party *p = f->kind == FAIR_HELD ? need_party(f, who) : find_party(f, who);
    if (!p)
        return;
    if (f->kind == FAIR_TURNS && p->used > f->floor)
        f->floor = p->used;
    p->used += cost;
    if (f->kind == FAIR_HELD)
        p->served = ++f->floor;
    if (p->place != 0)
        heap_moved(&f->parties, p);
}

void fair_refund(struct fair *f, const void *who, uint64_t cost)
{
    struct fair_party *p = find_party(f, who);
    CHECK(p || f->kind == FAIR_TURNS);
    if (!p)
        return;
    CHECK(p->used >= cost || f->kind == FAIR_TURNS);
    p->used = p->used > cost ? p->used - cost : 0;
    if (p->place != 0)
        heap_moved(&f->parties, p);
    if (is_over(p))
        drop_party(p);
}

uint64_t fair_used(const struct fair *f, const void *who)
{
    const struct fair_party *p = find_party(f, who);
    return p ? p->used : 0;
}

size_t fair_waiting(const struct fair *f, const void *who)
{
    const struct fair_party *p = find_party(f, who);
    return p ? p->items.count : 0;
}
