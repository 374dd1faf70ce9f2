// SPDX-License-Identifier: BSD-2-Clause
/* leases.h - Inside the store: counts that are ahead of themselves on the disk, so that not each
 * message writes them. See leases.c. */
#ifndef LEASES_H
#define LEASES_H

#include "check.h"
#include "span.h"

#include <stddef.h>
#include <stdint.h>

enum { LEASE_NAME_MAX = 20 };

/* Of the table `sent`; of a count the two times of its bucket, by a clock that was never set. */
struct sent_row {
    int64_t until, value;
};

struct leases;

struct leases *leases_new(void);
void leases_free(struct leases *l);

/* ---- on the store's thread; NULL for `l`: there are none ---- */

/* The count of that name as it is, and as the disk has it. */
bool leases_find(const struct leases *l, struct span name, struct sent_row *exact_r,
                 struct sent_row *stored_r);

/* It is so now, and the disk has, or gets in the open transaction, `stored`. `now_ms` tells who is
 * in use. False: there is no room for another one, and the disk must have it exactly.
 * When another one gave up its place, `left_r` says which, with its length (else 0), and how it is:
 * it is to be written in the same transaction. */
struct leases_left {
    unsigned char name[LEASE_NAME_MAX];
    size_t len;
    struct sent_row exact;
};
bool leases_set(struct leases *l, struct span name, const struct sent_row *exact,
                const struct sent_row *stored, int64_t now_ms, struct leases_left *left_r);
/* The disk has it exactly, or nothing of it any more. */
void leases_drop(struct leases *l, struct span name);

/* The open transaction is committed: what it has changed stays. */
void leases_keep(struct leases *l);
/* How much the open transaction has changed; and undo what came behind so much. */
size_t leases_changes(const struct leases *l);
void leases_undo(struct leases *l, size_t changes);

/* One that is ahead on the disk, and is forgotten here; false: none is left. There is no savepoint:
 * at the end. */
bool leases_take(struct leases *l, struct leases_left *left_r);

/* ---- from any thread ---- */

/* As it is with the last commit. */
bool leases_look(struct leases *l, struct span name, struct sent_row *exact_r);

#endif
