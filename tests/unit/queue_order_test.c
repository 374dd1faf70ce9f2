// SPDX-License-Identifier: BSD-2-Clause
/* queue_order_test.c - Heap, table and turns against models that are slow and plain. */
#include "table.h"

#include "fair.h"

#include <stdlib.h>

static uint32_t next(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*state >> 33);
}

struct thing {
    uint32_t key, place;
    struct fair_item item;
    bool in;
};

static bool by_key(const void *a, const void *b)
{
    return ((const struct thing *)a)->key < ((const struct thing *)b)->key;
}

static void a_heap_gives_the_least_whatever_is_moved(void **state)
{
    enum { THINGS = 300 };
    static struct thing things[THINGS];
    uint64_t random = 7;
    struct heap h;
    (void)state;
    memset(things, 0, sizeof(things));
    heap_init(&h, by_key, offsetof(struct thing, place));
    for (size_t step = 0; step < 60000; step++) {
        struct thing *t = &things[next(&random) % THINGS];
        if (!t->in) {
            t->key = next(&random) % 1000;
            heap_push(&h, t);
        } else if (next(&random) % 3 == 0) {
            t->key = next(&random) % 1000;
            heap_moved(&h, t);
            continue;
        } else {
            heap_take(&h, t);
        }
        t->in = !t->in;
        const struct thing *first = heap_first(&h);
        size_t count = 0;
        for (size_t i = 0; i < THINGS; i++) {
            count += things[i].in;
            assert_true(!things[i].in || (first && first->key <= things[i].key));
        }
        assert_int_equal(h.count, count);
    }
    for (uint32_t last = 0; h.count > 0;) {
        const struct thing *t = heap_pop(&h);
        assert_true(t->key >= last);
        last = t->key;
    }
    heap_fini(&h);
}

static uint64_t bad_hash(const void *item)
{
    return ((const struct thing *)item)->key % 16; /* everything collides */
}

static bool same_key(const void *a, const void *b)
{
    return ((const struct thing *)a)->key == ((const struct thing *)b)->key;
}

static void a_table_finds_what_is_in_it_and_nothing_else(void **state)
{
    enum { THINGS = 500 };
    static struct thing things[THINGS];
    uint64_t random = 3;
    struct pointer_table t;
    (void)state;
    pointer_table_init(&t, bad_hash, same_key);
    for (uint32_t i = 0; i < THINGS; i++)
        things[i] = (struct thing){.key = i * 5};
    for (size_t step = 0; step < 20000; step++) {
        struct thing *thing = &things[next(&random) % THINGS];
        if (thing->in)
            pointer_table_drop(&t, thing);
        else
            pointer_table_add(&t, thing);
        thing->in = !thing->in;
        const struct thing *other = &things[next(&random) % THINGS];
        assert_ptr_equal(pointer_table_find(&t, other), other->in ? other : NULL);
    }
    size_t count = 0;
    size_t at = 0;
    while (pointer_table_next(&t, &at))
        count++;
    assert_int_equal(count, t.count);
    pointer_table_fini(&t);
}

static bool item_by_key(const void *a, const void *b)
{
    const struct thing *s = (const struct thing *)((uintptr_t)a - offsetof(struct thing, item));
    const struct thing *t = (const struct thing *)((uintptr_t)b - offsetof(struct thing, item));
    return s->key < t->key;
}

static struct thing *thing_of(struct fair_item *item)
{
    return (struct thing *)((uintptr_t)item - offsetof(struct thing, item));
}

/* Three tenants with as much as they like, and services of different cost: each gets a third. */
static void turns_share_by_cost(void **state)
{
    static struct thing things[3000];
    static const uint64_t cost[3] = {1, 7, 100};
    uint64_t served[3] = {0};
    struct pointer_table table;
    struct fair f;
    (void)state;
    fair_table_init(&table);
    fair_init(&f, FAIR_TURNS, &table, item_by_key);
    for (uint32_t i = 0; i < COUNT_OF(things); i++) {
        things[i] = (struct thing){.key = i};
        fair_put(&f, &cost[i / 1000], &things[i].item);
    }
    for (size_t i = 0; i < 900; i++) {
        struct fair_item *item = fair_first(&f);
        size_t who = thing_of(item)->key / 1000;
        fair_charge(&f, &cost[who], cost[who]);
        served[who] += cost[who];
        fair_take(item);
    }
    for (size_t i = 0; i < 3; i++)
        assert_true(served[i] + 100 >= served[(i + 1) % 3] && served[i] <= served[(i + 1) % 3] + 100);
    while (fair_first(&f))
        fair_take(fair_first(&f));
    fair_fini(&f);
    fair_table_fini(&table);
}

/* One that comes late gets its share from then on, and not what it missed. */
static void who_comes_late_has_missed_it(void **state)
{
    static struct thing things[400];
    int old;
    int late;
    size_t of_late = 0;
    struct pointer_table table;
    struct fair f;
    (void)state;
    fair_table_init(&table);
    fair_init(&f, FAIR_TURNS, &table, item_by_key);
    for (uint32_t i = 0; i < COUNT_OF(things); i++)
        things[i] = (struct thing){.key = i};
    for (size_t i = 0; i < 200; i++)
        fair_put(&f, &old, &things[i].item);
    for (size_t i = 0; i < 140; i++) {
        if (i == 100)
            for (size_t k = 200; k < 400; k++)
                fair_put(&f, &late, &things[k].item);
        struct fair_item *item = fair_first(&f);
        bool is_late = thing_of(item)->key >= 200;
        of_late += is_late;
        fair_charge(&f, is_late ? &late : &old, 1);
        fair_take(item);
    }
    assert_in_range(of_late, 19, 21);
    while (fair_first(&f))
        fair_take(fair_first(&f));
    fair_fini(&f);
    fair_table_fini(&table);
}

static void who_holds_least_goes_next(void **state)
{
    struct thing things[3] = {{.key = 1}, {.key = 2}, {.key = 3}};
    int who[3];
    struct pointer_table table;
    struct fair f;
    (void)state;
    fair_table_init(&table);
    fair_init(&f, FAIR_HELD, &table, item_by_key);
    for (size_t i = 0; i < 3; i++)
        fair_put(&f, &who[i], &things[i].item);
    assert_ptr_equal(fair_first(&f), &things[0].item);
    fair_charge(&f, &who[0], 2);
    fair_charge(&f, &who[1], 1);
    assert_ptr_equal(fair_first(&f), &things[2].item);
    fair_charge(&f, &who[2], 5);
    assert_ptr_equal(fair_first(&f), &things[1].item);
    assert_int_equal(fair_first_used(&f), 1);
    fair_refund(&f, &who[0], 2);
    assert_ptr_equal(fair_first(&f), &things[0].item);
    fair_take(&things[1].item); /* what it holds is remembered without items, too */
    assert_int_equal(fair_used(&f, &who[1]), 1);
    assert_int_equal(fair_waiting(&f, &who[1]), 0);
    things[2].key = 0;
    fair_moved(&things[2].item);
    fair_refund(&f, &who[2], 5);
    assert_ptr_equal(fair_first(&f), &things[0].item); /* the same: who was served longest ago */
    fair_take(&things[0].item);
    fair_take(&things[2].item);
    fair_refund(&f, &who[1], 1);
    assert_int_equal(table.count, 0);
    fair_fini(&f);
    fair_table_fini(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_heap_gives_the_least_whatever_is_moved),
        cmocka_unit_test(a_table_finds_what_is_in_it_and_nothing_else),
        cmocka_unit_test(turns_share_by_cost),
        cmocka_unit_test(who_comes_late_has_missed_it),
        cmocka_unit_test(who_holds_least_goes_next),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
