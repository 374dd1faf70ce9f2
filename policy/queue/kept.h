// SPDX-License-Identifier: BSD-2-Clause
/* kept.h - What nobody uses just now and is kept for a while, as it may be of use again, or as
 * something was learned about it: each for the sake of one tenant. When there is too much, the
 * tenant that has most of it loses its oldest. So nobody's entries push out those of a tenant that
 * has fewer.
 *
 * Of the two tenants that used it last it is the one's, when it comes to that, which has fewer:
 * whoever uses another's thing once does not make it his own.
 */
#ifndef KEPT_H
#define KEPT_H

#include "heap.h"
#include "pointer_table.h"

/* Ids of tenants; 0: none. In the thing that is used. */
struct users {
    uint64_t last, before; /* before: another one */
};

struct kept_of {
    uint64_t who;
    struct kept_item *items; /* the oldest first */
    size_t count;
    uint32_t place; /* kept.most */
};

/* In the thing that is kept. */
struct kept_item {
    struct kept_item *next, *prev;
    const struct users *users;
    struct kept_of *of; /* NULL: it is not kept */
};

struct kept {
    struct pointer_table all; /* struct kept_of */
    struct heap most;
    size_t count; /* items */
};

void users_note(struct users *users, uint64_t who);

void kept_init(struct kept *k);
void kept_fini(struct kept *k); /* items are not touched */

/* `users` is there as long as the item. */
void kept_put(struct kept *k, const struct users *users, struct kept_item *item);
void kept_take(struct kept *k, struct kept_item *item); /* nothing happens when it is not kept */
/* The one to lose first; NULL: none. */
struct kept_item *kept_first(struct kept *k);

#endif
