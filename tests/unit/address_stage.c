// SPDX-License-Identifier: BSD-2-Clause
/* address_stage.c - Places at them, taken and held. */
#include "address_stage.h"

static struct queue_address address(uint8_t last)
{
    return (struct queue_address){.ip = {[10] = 0xff, [11] = 0xff, 192, 0, 2, last}, .port = 25};
}

const struct queue_address stage_all[3] = {
    {.ip = {[10] = 0xff, [11] = 0xff, 192, 0, 2, 1}, .port = 25},
    {.ip = {[10] = 0xff, [11] = 0xff, 192, 0, 2, 2}, .port = 25},
    {.ip = {[10] = 0xff, [11] = 0xff, 192, 0, 2, 3}, .port = 25},
};

struct address_book stage_book;

int stage_take(struct party *p, size_t count, unsigned limit, bool urgent, int64_t now_ms)
{
    struct address_question ask = {
        .candidates = stage_all, .count = count, .limit = limit, .urgent = urgent};
    size_t index = 99;
    int64_t again_ms = 0;
    bool ok = address_book_take(&stage_book, &ask, p->holds, &p->waiter, &index, &again_ms, now_ms);
    assert_true(ok || again_ms > now_ms);
    return ok ? (int)index : -1;
}

struct address_hold *stage_held(struct party *p, uint8_t last)
{
    struct queue_address a = address(last);
    struct address_hold *hold = address_book_held(p->holds, &a);
    assert_non_null(hold);
    return hold;
}

int stage_start(void **state)
{
    (void)state;
    address_book_init(&stage_book);
    return 0;
}

int stage_end(void **state)
{
    (void)state;
    address_book_fini(&stage_book);
    return 0;
}
