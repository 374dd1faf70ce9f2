// SPDX-License-Identifier: BSD-2-Clause
/* class_turns.h - Items of several classes and many tenants at one place, and whose turn is next.
 *
 * A more urgent class goes before the others, but for each tenant only within its fair part: while
 * what it has had of that class, and of those before it, is not TURNS_AHEAD beyond what everybody
 * who waits has had of all. What is beyond that goes in its tenant's turn: who has had least is
 * next, with the most urgent that it has.
 *
 * What a tenant has had is charged when it is served, and only grows (start-time fair queueing).
 * One that comes begins where those who are there stand. One that goes with more than they have had
 * is remembered for TURN_OWED_MS for each turn of that, TURNS_DEBT_MS at most: at the place itself,
 * so that nothing which is remembered elsewhere, or of others, is in its way. Nobody is counted as
 * more than TURNS_SPREAD behind the others.
 *
 * Inside a tenant's class the order is that of the items. Each step costs the logarithm of what is
 * in there.
 */
#ifndef CLASS_TURNS_H
#define CLASS_TURNS_H

#include "heap.h"
#include "pointer_table.h"
#include "stream.h"

enum { TURNS_AHEAD = 100, TURNS_SPREAD = 300 };
enum { TURN_OWED_MS = 1000, TURNS_DEBT_MS = 5 * 60 * 1000 };

struct class_turns;

struct turn_party {
    struct class_turns *turns;
    uint64_t who;                  /* a tenant's id */
    uint64_t used[STREAM_CLASSES]; /* turns, of that class and those before it */
    struct heap items[STREAM_CLASSES];
    unsigned stays;
    uint32_t place[STREAM_CLASSES]; /* turns->parties[], while it has items of that class */
    uint32_t place_of_all;          /* turns->all, while it has any, or stays */
    uint32_t place_of_gone;         /* turn_table.gone: it has none */
    struct turn_party *next, *prev; /* the same: turns->gone */
    int64_t until_ms;
};

/* In the thing that waits. */
struct turn_item {
    struct turn_party *party; /* NULL: in none */
    uint32_t place;
    enum stream_class class;
};

/* Shared by any number of places. */
struct turn_table {
    struct pointer_table parties;
    struct heap gone; /* who is not there, and is remembered: for the shortest time first */
    int64_t now_ms;
};

struct class_turns {
    struct turn_table *table;
    struct heap parties[STREAM_CLASSES], all;
    size_t count[STREAM_CLASSES]; /* items */
    uint64_t floor;               /* what everybody who is there has had */
    struct turn_party *gone;
    heap_before *before; /* of items, as pointers to struct turn_item */
    bool deep;           /* tests may be false of some of a tenant's items only */
};

void turn_table_init(struct turn_table *t);
void turn_table_fini(struct turn_table *t);
/* Who has been gone for long enough is forgotten. */
void turn_table_sweep(struct turn_table *t, int64_t now_ms);

void class_turns_init(struct class_turns *t, struct turn_table *table, heap_before *before);
void class_turns_fini(struct class_turns *t); /* it must be empty of items */

void class_turns_put(struct class_turns *t, uint64_t who, enum stream_class class,
                     struct turn_item *item);
void class_turns_take(struct turn_item *item);  /* nothing happens when it is in none */
void class_turns_moved(struct turn_item *item); /* its key has changed */
/* `who` is there without an item, once more; once less. */
void class_turns_stay(struct class_turns *t, uint64_t who);
void class_turns_leave(struct class_turns *t, uint64_t who);

/* `who` has had so many turns of that class; or not, after all. */
void class_turns_charge(struct class_turns *t, uint64_t who, enum stream_class class,
                        uint64_t turns);
void class_turns_refund(struct class_turns *t, uint64_t who, enum stream_class class,
                        uint64_t turns);

/* Is it within its tenant's fair part of its class? And what one brings who is there? */
bool class_turns_is_within(const struct turn_item *item);
bool class_turns_who_is_within(const struct class_turns *t, uint64_t who, enum stream_class class);
/* Does one that is beyond that go after the other? */
bool class_turns_is_after(const struct turn_item *beyond, const struct turn_item *other);

/* The next one of these classes; NULL: none. */
struct turn_item *class_turns_first(const struct class_turns *t, size_t from, size_t end);
/* The same of the tenants of whose first item of a class the test is true; `deep`: of one of their
 * first. */
typedef bool turn_test(const struct turn_item *item, const void *context);
struct turn_item *class_turns_first_of(const struct class_turns *t, size_t from, size_t end,
                                       turn_test *test, const void *context, struct wide_look *look,
                                       int64_t now_ms);

#endif
