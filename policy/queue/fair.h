// SPDX-License-Identifier: BSD-2-Clause
/* fair.h - Items of many parties, of which the party that has used least goes next.
 *
 * Two uses. FAIR_TURNS: what a party has used is charged when it is served, and only grows; a party
 * that comes (again) begins where those in service stand (start-time fair queueing, which gives the
 * shares of a deficit round robin). FAIR_HELD: what a party has used is what it holds just now,
 * charged and given back; it goes next when it holds least.
 *
 * Inside a party the order is that of the items. Parties that have used the same: FAIR_HELD, who
 * was served longest ago; then by their first items. Each step costs the logarithm of what is in
 * there.
 */
#ifndef FAIR_H
#define FAIR_H

#include "heap.h"
#include "pointer_table.h"

/* The thing of which `item` is the member. */
#define OWNER_OF(item, type, member) ((type *)((uintptr_t)(item)-offsetof(type, member)))

struct fair;

struct fair_party {
    struct fair *fair;
    const void *who;
    uint64_t used;
    uint64_t served; /* FAIR_HELD: when it last was, as the fair counts */
    struct heap items;
    uint32_t place; /* in the fair's heap, while it has items */
};

/* In the thing that waits; an item is in one fair at most by one of these. */
struct fair_item {
    struct fair_party *party; /* NULL: in none */
    uint32_t place;
};

enum fair_kind { FAIR_TURNS, FAIR_HELD };

struct fair {
    struct heap parties;          /* those that have items */
    struct pointer_table *by_who; /* all parties of all fairs that share it; borrowed */
    enum fair_kind kind;
    uint64_t floor;      /* FAIR_TURNS: where those in service stand; FAIR_HELD: services */
    size_t count;        /* items */
    heap_before *before; /* of items, as pointers to struct fair_item */
};

/* `by_who` is shared by any number of fairs. */
void fair_table_init(struct pointer_table *by_who);
void fair_table_fini(struct pointer_table *by_who); /* parties that hold something go, too */
/* `before` compares two struct fair_item. */
void fair_init(struct fair *f, enum fair_kind kind, struct pointer_table *by_who,
               heap_before *before);
/* It must be empty of items; what parties hold is forgotten. */
void fair_fini(struct fair *f);

void fair_put(struct fair *f, const void *who, struct fair_item *item);
void fair_take(struct fair_item *item);  /* nothing happens when it is in none */
void fair_moved(struct fair_item *item); /* its key has changed */

struct fair_item *fair_first(const struct fair *f); /* NULL: none */
/* The first item of the first party for whose first item this is true. */
typedef bool fair_test(const struct fair_item *item, const void *context);
struct fair_item *fair_first_of(const struct fair *f, fair_test *test, const void *context,
                                struct wide_look *look, int64_t now_ms);
struct fair_item *fair_first_by(const struct fair *f, const void *who); /* of `who`; NULL: none */
/* The first of the party that goes next, and what that has used. */
uint64_t fair_first_used(const struct fair *f);

/* FAIR_TURNS: `who` has been served; FAIR_HELD: it holds so much more. */
void fair_charge(struct fair *f, const void *who, uint64_t cost);
/* FAIR_TURNS: it was not served after all; FAIR_HELD: it holds so much less. */
void fair_refund(struct fair *f, const void *who, uint64_t cost);
uint64_t fair_used(const struct fair *f, const void *who);
/* Items of `who`. */
size_t fair_waiting(const struct fair *f, const void *who);

#endif
