// SPDX-License-Identifier: BSD-2-Clause
/* address_stage.h - One book of addresses, which each test has for itself, and three of them. */
#ifndef ADDRESS_STAGE_H
#define ADDRESS_STAGE_H

#include "table.h"

#include "address_book.h"

struct party {
    struct address_hold holds[ADDRESS_HOLDS_MAX];
    struct address_waiter waiter;
};

extern const struct queue_address stage_all[3];
extern struct address_book stage_book;

/* Which of the first `count` it gets; -1: none. */
int stage_take(struct party *p, size_t count, unsigned limit, bool urgent, int64_t now_ms);
struct address_hold *stage_held(struct party *p, uint8_t last);
int stage_start(void **state);
int stage_end(void **state);

#endif
