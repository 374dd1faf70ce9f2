// SPDX-License-Identifier: BSD-2-Clause
/* address_book.c - Claims, rests and waiters by address.
 *
 * Invariants:
 *   1. in_use <= the limit of whoever took the last place; plain <= limit less the reserve.
 *   2. An address is known while it is held, waited for, or known to fail (`kept`).
 *   3. One at most goes on by itself (`detached`), and counts like any other.
 *   4. A waiter is in one list at most: its address's (LISTED) or the book's (CALLED), or, when it
 *      has its turn, in none.
 */
#include "address_book.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum {
    REST_FIRST_MS = 5 * 1000,
    REST_MAX_MS = 10 * 60 * 1000,
    FORGET_MS = 60 * 60 * 1000,
    KEPT_MAX = 4096,
    AGAIN_MS = 1000
};

struct address {
    struct address *next, *prev; /* kept */
    struct queue_address key;
    unsigned in_use, plain, working, probing, failures;
    int64_t rest_until_ms;
    struct address_waiter *waiters[2]; /* [1]: those with urgent mail */
    struct address_waiter *turn;       /* called, and not yet here */
    struct address_hold detached;
    bool kept;
};

static uint64_t hash_address(const void *item)
{
    const struct address *a = item;
    uint64_t high;
    uint64_t low;
    memcpy(&high, a->key.ip, sizeof(high));
    memcpy(&low, a->key.ip + sizeof(high), sizeof(low));
    return pointer_table_mix(high * 31 + pointer_table_mix(low + a->key.port));
}

static bool equals(const struct queue_address *a, const struct queue_address *b)
{
    return a->port == b->port && memcmp(a->ip, b->ip, sizeof(a->ip)) == 0;
}

static bool same_address(const void *a, const void *b)
{
    return equals(&((const struct address *)a)->key, &((const struct address *)b)->key);
}

void address_book_init(struct address_book *book)
{
    *book = (struct address_book){0};
    pointer_table_init(&book->all, hash_address, same_address);
}

void address_book_fini(struct address_book *book)
{
    size_t at = 0;
    for (void *a = pointer_table_next(&book->all, &at); a; a = pointer_table_next(&book->all, &at))
        free(a);
    pointer_table_fini(&book->all);
}

static struct address *find(const struct address_book *book, const struct queue_address *key)
{
    struct address probe = {.key = *key};
    return pointer_table_find(&book->all, &probe);
}

/* The same, without a failure that is too old to say anything. */
static struct address *look_up(const struct address_book *book, const struct queue_address *key,
                               int64_t now_ms)
{
    struct address *a = find(book, key);
    if (a && a->failures > 0 && a->rest_until_ms + FORGET_MS <= now_ms)
        a->failures = 0;
    return a;
}

static void unkeep(struct address_book *book, struct address *a)
{
    if (!a->kept)
        return;
    DL_DELETE(book->kept, a);
    book->kept_count--;
    a->kept = false;
}

static void drop(struct address_book *book, struct address *a)
{
    unkeep(book, a);
    pointer_table_drop(&book->all, a);
    free(a);
}

/* Nobody uses it: forget it, or keep it for a while when it is known to fail. */
static void settle(struct address_book *book, struct address *a, int64_t now_ms)
{
    if (a->in_use > 0 || a->waiters[0] || a->waiters[1] || a->turn)
        return;
    if (a->failures == 0) {
        drop(book, a);
        return;
    }
    if (!a->kept) {
        DL_APPEND(book->kept, a);
        book->kept_count++;
        a->kept = true;
    }
    while (book->kept &&
           (book->kept_count > KEPT_MAX || book->kept->rest_until_ms + FORGET_MS < now_ms))
        drop(book, book->kept);
}

static bool has_room(const struct address *a, unsigned limit, bool urgent)
{
    return !a || (a->in_use < limit && (urgent || a->plain + reserve_of(limit) < limit));
}

/* Its rest is over, or it never failed; but one that failed is tried by one only. */
static bool may_try(const struct address *a, int64_t now_ms)
{
    return !a || a->failures == 0 || (a->rest_until_ms <= now_ms && a->probing == 0);
}

/* ---- who waits ---- */

/* The first goes first, also when there is room for a later one only. */
static void call_next(struct address_book *book, struct address *a)
{
    struct address_waiter **list = a->waiters[1] ? &a->waiters[1] : &a->waiters[0];
    struct address_waiter *w = *list;
    if (a->turn || !w || a->failures > 0 || !has_room(a, w->limit, w->urgent))
        return;
    DL_DELETE(*list, w);
    DL_APPEND(book->called, w);
    w->state = ADDRESS_WAIT_CALLED;
    a->turn = w;
}

static void unlist(struct address_book *book, struct address_waiter *w)
{
    struct address *a = w->address;
    if (w->state == ADDRESS_WAIT_LISTED)
        DL_DELETE(a->waiters[w->urgent], w);
    else if (w->state == ADDRESS_WAIT_CALLED)
        DL_DELETE(book->called, w);
    if (a->turn == w)
        a->turn = NULL;
    w->state = ADDRESS_WAIT_NONE;
    w->address = NULL;
}

void address_book_leave(struct address_book *book, struct address_waiter *w)
{
    struct address *a = w->address;
    if (w->state == ADDRESS_WAIT_NONE)
        return;
    bool had_turn = a->turn == w;
    unlist(book, w);
    if (had_turn)
        call_next(book, a);
    settle(book, a, 0);
}

struct address_waiter *address_book_next_called(struct address_book *book)
{
    struct address_waiter *w = book->called;
    if (!w)
        return NULL;
    DL_DELETE(book->called, w);
    w->state = ADDRESS_WAIT_HAS_TURN;
    return w;
}

static void wait_for(struct address_book *book, struct address *a, struct address_waiter *w,
                     const struct address_question *ask)
{
    bool keeps_place =
        w->state == ADDRESS_WAIT_LISTED && w->address == a && w->urgent == ask->urgent;
    if (!keeps_place) {
        address_book_leave(book, w);
        *w = (struct address_waiter){
            .state = ADDRESS_WAIT_LISTED, .address = a, .urgent = ask->urgent};
        DL_APPEND(a->waiters[ask->urgent], w);
    }
    w->limit = ask->limit;
}

/* ---- taking ---- */

static bool others_go_first(const struct address *a, const struct address_question *ask,
                            const struct address_waiter *waiter)
{
    if (!a || a->turn == waiter)
        return false;
    if (ask->urgent)
        return (a->turn && a->turn->urgent) || a->waiters[1];
    return a->turn || a->waiters[0] || a->waiters[1];
}

static void take(struct address_book *book, const struct queue_address *key, bool urgent,
                 struct address_hold *hold, struct address_waiter *waiter)
{
    struct address *a = find(book, key);
    if (!a) {
        a = xcalloc(1, sizeof(*a));
        a->key = *key;
        pointer_table_add(&book->all, a);
    }
    unkeep(book, a);
    *hold = (struct address_hold){.address = a, .urgent = urgent, .probes = a->failures > 0};
    a->in_use++;
    a->plain += !urgent;
    a->probing += hold->probes;
    if (waiter->state != ADDRESS_WAIT_NONE)
        address_book_leave(book, waiter);
}

struct address_hold *address_book_held(struct address_hold *holds, const struct queue_address *a)
{
    for (size_t i = 0; i < ADDRESS_HOLDS_MAX; i++)
        if (holds[i].address && equals(&holds[i].address->key, a))
            return &holds[i];
    return NULL;
}

static struct address_hold *free_hold(struct address_hold *holds)
{
    for (size_t i = 0; i < ADDRESS_HOLDS_MAX; i++)
        if (!holds[i].address)
            return &holds[i];
    return NULL;
}

/* All that might be tried rest: the one that rests the shortest, unless it is being probed. */
static bool find_probe(const struct address_book *book, const struct address_question *ask,
                       struct address_hold *holds, size_t *index_r)
{
    int64_t best_ms = INT64_MAX;
    for (size_t i = 0; i < ask->count; i++) {
        const struct address *a = find(book, &ask->candidates[i]);
        if (!a || address_book_held(holds, &ask->candidates[i]) || a->probing > 0 ||
            !has_room(a, ask->limit, ask->urgent) || a->rest_until_ms >= best_ms)
            continue;
        best_ms = a->rest_until_ms;
        *index_r = i;
    }
    return best_ms < INT64_MAX;
}

bool address_book_take(struct address_book *book, const struct address_question *ask,
                       struct address_hold *holds, struct address_waiter *waiter, size_t *index_r,
                       int64_t *again_ms_r, int64_t now_ms)
{
    struct address_hold *hold = free_hold(holds);
    struct address *full = NULL;
    *again_ms_r = now_ms + AGAIN_MS;
    for (size_t n = ask->urgent ? 0 : ask->count; hold && n < 2 * ask->count; n++) {
        size_t i = n % ask->count;
        struct address *a = look_up(book, &ask->candidates[i], now_ms);
        bool failed = a && a->failures > 0;
        if (!may_try(a, now_ms) || address_book_held(holds, &ask->candidates[i]))
            continue;
        if (failed && n < ask->count) /* first without those that urgent mail would have to probe */
            continue;
        if (has_room(a, ask->limit, ask->urgent) && !others_go_first(a, ask, waiter)) {
            take(book, &ask->candidates[i], ask->urgent, hold, waiter);
            *index_r = i;
            return true;
        }
        if (has_room(a, ask->limit, ask->urgent))
            call_next(book, a);
        full = full ? full : a;
    }
    if (full) {
        wait_for(book, full, waiter, ask);
        return false;
    }
    address_book_leave(book, waiter);
    if (!hold || !find_probe(book, ask, holds, index_r))
        return false;
    take(book, &ask->candidates[*index_r], ask->urgent, hold, waiter);
    return true;
}

/* ---- what becomes of it ---- */

void address_book_release(struct address_book *book, struct address_hold *hold, int64_t now_ms)
{
    struct address *a = hold->address;
    if (!a)
        return;
    CHECK(a->in_use > 0 && a->plain >= !hold->urgent);
    a->in_use--;
    a->plain -= !hold->urgent;
    a->probing -= hold->probes;
    a->working -= hold->works;
    *hold = (struct address_hold){0};
    call_next(book, a);
    settle(book, a, now_ms);
}

void address_book_failed(struct address_book *book, struct address_hold *hold, int64_t now_ms)
{
    struct address *a = hold->address;
    a->working -= hold->works;
    hold->works = false;
    if (a->working == 0 && (a->rest_until_ms <= now_ms || hold->probes)) {
        int64_t rest_ms = REST_FIRST_MS;
        for (unsigned i = 0; i < a->failures && rest_ms < REST_MAX_MS; i++)
            rest_ms *= 2;
        a->failures++;
        a->rest_until_ms = now_ms + (rest_ms < REST_MAX_MS ? rest_ms : REST_MAX_MS);
    }
    address_book_release(book, hold, now_ms);
}

void address_book_works(struct address_hold *hold)
{
    struct address *a = hold->address;
    a->working += !hold->works;
    a->probing -= hold->probes;
    hold->works = true;
    hold->probes = false;
    a->failures = 0;
    a->rest_until_ms = 0;
}

bool address_book_detach(struct address_hold *hold)
{
    struct address *a = hold->address;
    if (!a || !hold->probes || a->detached.address)
        return false;
    a->detached = *hold;
    *hold = (struct address_hold){0};
    return true;
}

struct address_hold *address_book_detached(struct address_book *book,
                                           const struct queue_address *key)
{
    struct address *a = find(book, key);
    return a && a->detached.address ? &a->detached : NULL;
}

bool address_book_may_carry(const struct address_hold *hold, unsigned limit)
{
    const struct address *a = hold->address;
    return !a || !hold->urgent || a->plain + reserve_of(limit) < limit;
}

void address_book_carries(struct address_hold *hold, bool urgent)
{
    if (hold->address && hold->urgent != urgent) {
        hold->address->plain = urgent ? hold->address->plain - 1 : hold->address->plain + 1;
        hold->urgent = urgent;
    }
}

bool address_book_is_wanted(const struct address_hold *hold, bool by_urgent)
{
    const struct address *a = hold->address;
    if (!a)
        return false;
    return a->waiters[1] || (a->turn && a->turn->urgent) ||
           (!by_urgent && (a->waiters[0] || a->turn));
}

/* A probe that is under way is not waited for: somebody knows better. */
static void end_rest(struct address_book *book, struct address *a)
{
    if (a->kept) {
        drop(book, a);
        return;
    }
    a->rest_until_ms = 0;
    a->failures = 0;
    call_next(book, a);
}

void address_book_forget(struct address_book *book)
{
    while (book->kept)
        end_rest(book, book->kept);
    size_t at = 0;
    for (struct address *a = pointer_table_next(&book->all, &at); a;
         a = pointer_table_next(&book->all, &at))
        end_rest(book, a);
}

void address_book_resume(struct address_book *book, const struct queue_address *key)
{
    struct address *a = find(book, key);
    if (a)
        end_rest(book, a);
}
