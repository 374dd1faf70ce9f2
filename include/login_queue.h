// SPDX-License-Identifier: BSD-2-Clause
/* login_queue.h - Whose chosen password is checked next. Such a check is slow on purpose, and runs
 * on libuv's pool, which message bodies and others need as well: few run at a time, and those that
 * wait are taken in turn by address and by name.
 *
 * Who has logged in from there before waits in a line of its own, which goes first three times of
 * four: guesses from elsewhere do not hold it up. A line has a limit; who is over it, is the one
 * with most before it. From any thread.
 */
#ifndef LOGIN_QUEUE_H
#define LOGIN_QUEUE_H

#include "span.h"

#include <stdint.h>

struct login_queue;
struct login_queue_key;

/* The caller's, until it has run, was displaced or has given up. */
struct login_queue_entry {
    struct login_queue_entry *prev, *next;
    struct login_queue_key *address, *name; /* NULL: it does not wait */
    bool owner;
    uint64_t turn;
};

/* How many checks should run at a time: half of the cores, and at most half of the four threads of
 * libuv's pool. */
unsigned login_queue_at_once(void);
/* `at_once`: checks that may run at a time. Free with login_queue_free(), when nobody waits. */
struct login_queue *login_queue_new(unsigned at_once);
void login_queue_free(struct login_queue *q);

/* True: it runs now. Else it waits, unless it is `displaced_r` itself: one that has to give up for
 * it; NULL: none. */
bool login_queue_enter(struct login_queue *q, struct login_queue_entry *e, const char *address,
                       struct span name, bool owner, struct login_queue_entry **displaced_r);
/* One that ran has ended. Returns the one that runs now; NULL: none waits. */
struct login_queue_entry *login_queue_leave(struct login_queue *q);
/* It has waited long enough. False: its turn has come, or it was displaced. */
bool login_queue_give_up(struct login_queue *q, struct login_queue_entry *e);

#endif
