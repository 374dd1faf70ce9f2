// SPDX-License-Identifier: BSD-2-Clause
/* login_queue.c - Two lists in order of turns, under one lock. An entry's turn is one after the
 * last of its address and of its name, or after the current one: who comes with one check goes
 * before the second one of all others.
 */
#include "login_queue.h"

#include "buf.h"
#include "check.h"
#include "login_limit.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <uthash.h>
#include <utlist.h>

enum { AT_ONCE_MAX = 2, WAITING_MAX = 256, OWNERS_IN_A_ROW = 3, LINES = 2 };

struct login_queue_key {
    char text[LOGIN_LIMIT_TEXT + 8];
    unsigned waiting;
    uint64_t last; /* turn */
    UT_hash_handle hh;
};

struct line {
    struct login_queue_entry *first;
    unsigned waiting;
    uint64_t turn; /* of the one that has run last */
};

struct login_queue {
    pthread_mutex_t mutex;
    unsigned at_once, running, owners_in_a_row;
    struct line lines[LINES]; /* those of owners are the second one */
    struct login_queue_key *keys;
};

unsigned login_queue_at_once(void)
{
    long half = sysconf(_SC_NPROCESSORS_ONLN) / 2;
    return half < 1 ? 1 : half < AT_ONCE_MAX ? (unsigned)half : AT_ONCE_MAX;
}

struct login_queue *login_queue_new(unsigned at_once)
{
    struct login_queue *q = xcalloc(1, sizeof(*q));
    pthread_mutex_init(&q->mutex, NULL);
    q->at_once = at_once;
    return q;
}

void login_queue_free(struct login_queue *q)
{
    if (!q)
        return;
    CHECK(!q->keys && q->running == 0);
    pthread_mutex_destroy(&q->mutex);
    free(q);
}

static struct login_queue_key *hold_key(struct login_queue *q, const char *kind, bool owner,
                                        struct span value)
{
    char text[LOGIN_LIMIT_TEXT + 8];
    struct login_queue_key *k = NULL;
    snprintf(text, sizeof(text), "%s %d %.*s", kind, owner,
             SPAN_ARG(span_first(value, LOGIN_LIMIT_TEXT - 1)));
    HASH_FIND_STR(q->keys, text, k);
    if (!k) {
        k = xcalloc(1, sizeof(*k));
        memcpy(k->text, text, sizeof(k->text));
        HASH_ADD_STR(q->keys, text, k);
    }
    k->waiting++;
    return k;
}

static void drop_key(struct login_queue *q, struct login_queue_key *k)
{
    if (--k->waiting > 0)
        return;
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): it is in the table */
    HASH_DEL(q->keys, k);
    free(k);
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Behind all whose turn is not later. */
static void insert(struct line *line, struct login_queue_entry *e)
{
    struct login_queue_entry *before = line->first ? line->first->prev : NULL;
    line->waiting++;
    while (before && before->turn > e->turn)
        before = before == line->first ? NULL : before->prev;
    if (before)
        DL_APPEND_ELEM(line->first, before, e);
    else
        DL_PREPEND(line->first, e);
}

static void take_out(struct login_queue *q, struct login_queue_entry *e)
{
    struct line *line = &q->lines[e->owner];
    DL_DELETE(line->first, e);
    line->waiting--;
    drop_key(q, e->address);
    drop_key(q, e->name);
    e->address = e->name = NULL;
}

bool login_queue_enter(struct login_queue *q, struct login_queue_entry *e, const char *address,
                       struct span name, bool owner, struct login_queue_entry **displaced_r)
{
    char network[LOGIN_LIMIT_TEXT];
    login_limit_network(address, LOGIN_LIMIT_ADDRESS, network);
    *displaced_r = NULL;
    pthread_mutex_lock(&q->mutex);
    bool runs = q->running < q->at_once;
    if (runs) {
        q->running++;
    } else {
        struct line *line = &q->lines[owner];
        e->owner = owner;
        e->address = hold_key(q, "address", owner, span_of(network));
        e->name = hold_key(q, "name", owner, name);
        e->turn = later(line->turn, later(e->address->last, e->name->last)) + 1;
        e->address->last = e->name->last = e->turn;
        insert(line, e);
        if (line->waiting > WAITING_MAX) {
            *displaced_r = line->first->prev;
            take_out(q, *displaced_r);
        }
    }
    pthread_mutex_unlock(&q->mutex);
    return runs;
}

static struct login_queue_entry *choose(struct login_queue *q)
{
    struct line *others = &q->lines[false];
    struct line *owners = &q->lines[true];
    bool owner = owners->first && (q->owners_in_a_row < OWNERS_IN_A_ROW || !others->first);
    struct line *line = owner ? owners : others;
    struct login_queue_entry *e = line->first;
    q->owners_in_a_row = owner ? q->owners_in_a_row + 1 : 0;
    if (!e)
        return NULL;
    line->turn = later(line->turn, e->turn);
    take_out(q, e);
    return e;
}

struct login_queue_entry *login_queue_leave(struct login_queue *q)
{
    pthread_mutex_lock(&q->mutex);
    CHECK(q->running > 0);
    struct login_queue_entry *next = choose(q);
    if (!next)
        q->running--;
    pthread_mutex_unlock(&q->mutex);
    return next;
}

bool login_queue_give_up(struct login_queue *q, struct login_queue_entry *e)
{
    pthread_mutex_lock(&q->mutex);
    bool waits = e->address != NULL;
    if (waits)
        take_out(q, e);
    pthread_mutex_unlock(&q->mutex);
    return waits;
}
