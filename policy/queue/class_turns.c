// SPDX-License-Identifier: BSD-2-Clause
/* class_turns.c - A party for each tenant, with a heap of its items of each class; and heaps of
 * parties: by what they have had of a class, and by what they have had of all. */
#include "class_turns.h"

#include <assert.h>
#include <stdlib.h>
#include <utlist.h>

enum { LAST = STREAM_CLASSES - 1 };

/* ---- parties ---- */

static uint64_t hash_party(const void *item)
{
    const struct turn_party *p = item;
    return pointer_table_mix((uint64_t)(uintptr_t)p->turns * 31 + p->who);
}

static bool same_party(const void *a, const void *b)
{
    const struct turn_party *p = a;
    const struct turn_party *q = b;
    return p->turns == q->turns && p->who == q->who;
}

static bool is_forgotten_before(const void *a, const void *b)
{
    return ((const struct turn_party *)a)->until_ms < ((const struct turn_party *)b)->until_ms;
}

void turn_table_init(struct turn_table *t)
{
    *t = (struct turn_table){0};
    pointer_table_init(&t->parties, hash_party, same_party);
    heap_init(&t->gone, is_forgotten_before, offsetof(struct turn_party, place_of_gone));
}

static void free_party(struct turn_party *p)
{
    for (size_t i = 0; i < STREAM_CLASSES; i++)
        heap_fini(&p->items[i]);
    free(p);
}

void turn_table_fini(struct turn_table *t)
{
    size_t at = 0;
    for (struct turn_party *p = pointer_table_next(&t->parties, &at); p;
         p = pointer_table_next(&t->parties, &at))
        free_party(p);
    pointer_table_fini(&t->parties);
    heap_fini(&t->gone);
}

static void comes_back(struct turn_party *p)
{
    if (p->place_of_gone == 0)
        return;
    heap_take(&p->turns->table->gone, p);
    DL_DELETE(p->turns->gone, p);
    p->prev = NULL;
}

static void drop_party(struct turn_party *p)
{
    comes_back(p);
    pointer_table_drop(&p->turns->table->parties, p);
    free_party(p);
}

void turn_table_sweep(struct turn_table *t, int64_t now_ms)
{
    t->now_ms = now_ms;
    while (t->gone.count > 0 && ((struct turn_party *)heap_first(&t->gone))->until_ms <= now_ms)
        drop_party(heap_first(&t->gone));
}

/* It is not there any more: it is remembered for what it has had more than the others. */
static void goes(struct turn_party *p)
{
    struct turn_table *table = p->turns->table;
    uint64_t owes = 0;
    for (size_t i = 0; i < STREAM_CLASSES; i++)
        if (p->used[i] > p->turns->floor + owes)
            owes = p->used[i] - p->turns->floor;
    comes_back(p);
    if (owes == 0) {
        drop_party(p);
        return;
    }
    int64_t for_ms = (int64_t)owes * TURN_OWED_MS;
    p->until_ms = table->now_ms + (for_ms < TURNS_DEBT_MS ? for_ms : TURNS_DEBT_MS);
    heap_push(&table->gone, p);
    DL_APPEND(p->turns->gone, p);
}

/* By what they have had of one class and those before it; then by their first items of it. */
static bool goes_before(const struct turn_party *p, const struct turn_party *q, size_t class)
{
    if (p->used[class] != q->used[class])
        return p->used[class] < q->used[class];
    return p->turns->before(heap_first(&p->items[class]), heap_first(&q->items[class]));
}

static bool before_of_0(const void *a, const void *b)
{
    return goes_before(a, b, 0);
}

static bool before_of_1(const void *a, const void *b)
{
    return goes_before(a, b, 1);
}

static bool before_of_2(const void *a, const void *b)
{
    return goes_before(a, b, 2);
}

static bool before_of_3(const void *a, const void *b)
{
    return goes_before(a, b, 3);
}

static bool before_of_4(const void *a, const void *b)
{
    return goes_before(a, b, 4);
}

static bool has_had_less(const void *a, const void *b)
{
    return ((const struct turn_party *)a)->used[LAST] < ((const struct turn_party *)b)->used[LAST];
}

void class_turns_init(struct class_turns *t, struct turn_table *table, heap_before *before)
{
    static heap_before *const orders[] = {before_of_0, before_of_1, before_of_2, before_of_3,
                                          before_of_4};
    static_assert(COUNT_OF(orders) == STREAM_CLASSES, "one for each");
    *t = (struct class_turns){.table = table, .before = before};
    for (size_t i = 0; i < STREAM_CLASSES; i++)
        heap_init(&t->parties[i], orders[i],
                  offsetof(struct turn_party, place) + i * sizeof(uint32_t));
    heap_init(&t->all, has_had_less, offsetof(struct turn_party, place_of_all));
}

void class_turns_fini(struct class_turns *t)
{
    CHECK(t->all.count == 0);
    while (t->gone)
        drop_party(t->gone);
    for (size_t i = 0; i < STREAM_CLASSES; i++)
        heap_fini(&t->parties[i]);
    heap_fini(&t->all);
}

static struct turn_party *find_party(const struct class_turns *t, uint64_t who)
{
    /* The key is only compared. */
    struct turn_party key = {.turns = (struct class_turns *)(uintptr_t)t, .who = who};
    return pointer_table_find(&t->table->parties, &key);
}

static struct turn_party *need_party(struct class_turns *t, uint64_t who)
{
    struct turn_party *p = find_party(t, who);
    if (!p) {
        p = xcalloc(1, sizeof(*p));
        p->turns = t;
        p->who = who;
        for (size_t i = 0; i < STREAM_CLASSES; i++)
            heap_init(&p->items[i], t->before, offsetof(struct turn_item, place));
        pointer_table_add(&t->table->parties, p);
    }
    for (size_t i = 0; p->place_of_all == 0 && i < STREAM_CLASSES; i++)
        if (p->used[i] < t->floor) /* what it has missed */
            p->used[i] = t->floor;
    return p;
}

/* ---- items ---- */

void class_turns_put(struct class_turns *t, uint64_t who, enum stream_class class,
                     struct turn_item *item)
{
    CHECK(!item->party);
    struct turn_party *p = need_party(t, who);
    comes_back(p);
    item->party = p;
    item->class = class;
    heap_push(&p->items[class], item);
    t->count[class]++;
    if (p->place[class] == 0)
        heap_push(&t->parties[class], p);
    else
        heap_moved(&t->parties[class], p);
    if (p->place_of_all == 0)
        heap_push(&t->all, p);
}

static bool is_there(const struct turn_party *p)
{
    for (size_t i = 0; i < STREAM_CLASSES; i++)
        if (p->items[i].count > 0)
            return true;
    return p->stays > 0;
}

static void goes_unless_there(struct turn_party *p)
{
    if (is_there(p))
        return;
    heap_take(&p->turns->all, p);
    goes(p);
}

void class_turns_take(struct turn_item *item)
{
    struct turn_party *p = item->party;
    if (!p)
        return;
    struct class_turns *t = p->turns;
    item->party = NULL;
    t->count[item->class]--;
    if (p->items[item->class].count == 1)
        heap_take(&t->parties[item->class], p);
    heap_take(&p->items[item->class], item);
    if (p->place[item->class] != 0) {
        heap_moved(&t->parties[item->class], p);
    } else {
        goes_unless_there(p);
    }
}

void class_turns_moved(struct turn_item *item)
{
    struct turn_party *p = item->party;
    heap_moved(&p->items[item->class], item);
    heap_moved(&p->turns->parties[item->class], p);
}

void class_turns_stay(struct class_turns *t, uint64_t who)
{
    struct turn_party *p = need_party(t, who);
    comes_back(p);
    p->stays++;
    if (p->place_of_all == 0)
        heap_push(&t->all, p);
}

void class_turns_leave(struct class_turns *t, uint64_t who)
{
    struct turn_party *p = find_party(t, who);
    CHECK(p && p->stays > 0);
    p->stays--;
    goes_unless_there(p);
}

/* ---- what they have had ---- */

static void has_had(struct turn_party *p, size_t class, uint64_t used)
{
    p->used[class] = used;
    if (p->place[class] != 0)
        heap_moved(&p->turns->parties[class], p);
}

/* Who cannot go does not keep it down for ever. */
static void raise_floor(struct class_turns *t, const struct turn_party *served)
{
    const struct turn_party *least = heap_first(&t->all);
    uint64_t floor = least ? least->used[LAST] : served->used[LAST];
    if (served->used[LAST] > floor + TURNS_SPREAD)
        floor = served->used[LAST] - TURNS_SPREAD;
    if (floor > t->floor)
        t->floor = floor;
}

void class_turns_charge(struct class_turns *t, uint64_t who, enum stream_class class,
                        uint64_t turns)
{
    struct turn_party *p = need_party(t, who);
    raise_floor(t, p);
    for (size_t i = class; i < STREAM_CLASSES; i++)
        has_had(p, i, (p->used[i] > t->floor ? p->used[i] : t->floor) + turns);
    if (p->place_of_all != 0)
        heap_moved(&t->all, p);
    else
        goes(p);
}

void class_turns_refund(struct class_turns *t, uint64_t who, enum stream_class class,
                        uint64_t turns)
{
    struct turn_party *p = find_party(t, who);
    for (size_t i = class; p && i < STREAM_CLASSES; i++)
        has_had(p, i, p->used[i] > turns ? p->used[i] - turns : 0);
    if (p && p->place_of_all != 0)
        heap_moved(&t->all, p);
}

/* ---- who is next ---- */

static bool is_within(const struct turn_party *p, size_t class)
{
    return class < LAST && p->used[class] <= p->turns->floor + TURNS_AHEAD;
}

bool class_turns_is_within(const struct turn_item *item)
{
    return is_within(item->party, item->class);
}

bool class_turns_who_is_within(const struct class_turns *t, uint64_t who, enum stream_class class)
{
    const struct turn_party *p = find_party(t, who);
    return !p || is_within(p, class);
}

bool class_turns_is_after(const struct turn_item *beyond, const struct turn_item *other)
{
    return class_turns_is_within(other) || other->party->used[LAST] < beyond->party->used[LAST];
}

struct turn_item *class_turns_first(const struct class_turns *t, size_t from, size_t end)
{
    const struct turn_party *best = NULL;
    size_t class = 0;
    for (size_t i = from; i < end; i++) {
        const struct turn_party *p = heap_first(&t->parties[i]);
        if (p && is_within(p, i))
            return heap_first(&p->items[i]);
        if (p && (!best || has_had_less(p, best))) {
            best = p;
            class = i;
        }
    }
    return best ? heap_first(&best->items[class]) : NULL;
}

struct question {
    turn_test *test;
    const void *context;
    size_t class;
    bool within; /* only who is within its part */
    bool deep;
    struct heap_search *search;
};

static bool item_fits(const void *item, const void *context)
{
    const struct question *ask = context;
    return ask->test(item, ask->context);
}

/* The one that goes, of a party's items; NULL: none of those that are looked at. */
static struct turn_item *item_of(const struct turn_party *p, const struct question *ask)
{
    const struct heap *items = &p->items[ask->class];
    if (ask->deep)
        return heap_first_of(items, item_fits, ask, ask->search);
    return ask->test(heap_first(items), ask->context) ? heap_first(items) : NULL;
}

static bool fits(const void *party, const void *context)
{
    const struct turn_party *p = party;
    const struct question *ask = context;
    return (!ask->within || is_within(p, ask->class)) && item_of(p, ask);
}

static const struct turn_party *first_of_class(const struct class_turns *t,
                                               const struct question *ask,
                                               struct heap_search *search)
{
    const struct turn_party *first = heap_first(&t->parties[ask->class]);
    if (!first || (ask->within && !is_within(first, ask->class)))
        return NULL;
    return heap_first_of(&t->parties[ask->class], fits, ask, search);
}

static struct turn_item *first_of(const struct class_turns *t, size_t from, size_t end,
                                  struct question *ask, struct heap_search *search)
{
    const struct turn_party *best = NULL;
    size_t class = 0;
    for (ask->within = true, ask->class = from; ask->class < end; ask->class ++) {
        const struct turn_party *p = first_of_class(t, ask, search);
        if (p)
            return item_of(p, ask);
    }
    for (ask->within = false, ask->class = from; ask->class < end; ask->class ++) {
        const struct turn_party *p = first_of_class(t, ask, search);
        if (p && (!best || has_had_less(p, best))) {
            best = p;
            class = ask->class;
        }
    }
    ask->class = class;
    return best ? item_of(best, ask) : NULL;
}

struct turn_item *class_turns_first_of(const struct class_turns *t, size_t from, size_t end,
                                       turn_test *test, const void *context, struct wide_look *look,
                                       int64_t now_ms)
{
    struct heap_search search = wide_look_begin(look, now_ms);
    struct question ask = {.test = test, .context = context, .deep = t->deep, .search = &search};
    struct turn_item *item = first_of(t, from, end, &ask, &search);
    wide_look_end(look, &search, item != NULL, now_ms);
    return item;
}
