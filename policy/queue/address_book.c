// SPDX-License-Identifier: BSD-2-Clause
/* address_book.c - Claims, rests and waiters by address.
 *
 * Invariants:
 *   1. in_use <= the limit of whoever took the last place; plain <= limit less the reserve.
 *   2. An address is known while it is held, waited for, or known to fail or refuse (`kept`).
 *   3. One at most goes on by itself (`detached`), and counts like any other.
 *   4. A waiter is in one list at most: its address's (LISTED) or the book's (CALLED), or, when it
 *      has its turn, in none.
 */
#include "address_parts.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum {
    REST_FIRST_MS = 5 * 1000,
    REST_MAX_MS = 10 * 60 * 1000,
    STALL_FIRST_MS = 60 * 1000,
    FORGET_MS = 60 * 60 * 1000,
    KEPT_MAX = 4096,
    AGAIN_MS = 1000,
    LATELY_MS = 10 * 1000
};

static uint64_t hash_address(const void *item)
{
    const struct address *a = item;
    uint64_t high;
    uint64_t low;
    memcpy(&high, a->key.ip, sizeof(high));
    memcpy(&low, a->key.ip + sizeof(high), sizeof(low));
    return pointer_table_mix(high * 31 + pointer_table_mix(low + a->key.port) + a->key.from);
}

static bool equals(const struct queue_address *a, const struct queue_address *b)
{
    return a->port == b->port && a->from == b->from && memcmp(a->ip, b->ip, sizeof(a->ip)) == 0;
}

static bool same_address(const void *a, const void *b)
{
    return equals(&((const struct address *)a)->key, &((const struct address *)b)->key);
}

void address_book_init(struct address_book *book)
{
    *book = (struct address_book){0};
    pointer_table_init(&book->all, hash_address, same_address);
    fair_table_init(&book->parties);
    turn_table_init(&book->turns);
    kept_init(&book->kept);
}

static void free_address(struct address *a)
{
    class_turns_fini(&a->turns);
    for (size_t i = 0; i < COUNT_OF(a->waiters); i++)
        fair_fini(&a->waiters[i]);
    free(a);
}

void address_book_fini(struct address_book *book)
{
    size_t at = 0;
    for (struct address *a = pointer_table_next(&book->all, &at); a;
         a = pointer_table_next(&book->all, &at))
        free_address(a);
    pointer_table_fini(&book->all);
    fair_table_fini(&book->parties);
    turn_table_fini(&book->turns);
    kept_fini(&book->kept);
}

static struct address *find(const struct address_book *book, const struct queue_address *key)
{
    struct address probe = {.key = *key};
    return pointer_table_find(&book->all, &probe);
}

static void drop(struct address_book *book, struct address *a)
{
    kept_take(&book->kept, &a->kept);
    pointer_table_drop(&book->all, a);
    free_address(a);
}

static bool knows_something(const struct address *a)
{
    return a->failures > 0 || a->bears.ceiling > 0;
}

static void forget_failures(struct address *a)
{
    a->failures = a->stalls = 0;
    a->must_serve = false;
}

/* The same, without what is too old to say anything; one that was kept for nothing else is gone. */
static struct address *look_up(struct address_book *book, const struct queue_address *key,
                               int64_t now_ms)
{
    struct address *a = find(book, key);
    if (a && a->failures > 0 && a->rest_until_ms + FORGET_MS <= now_ms)
        forget_failures(a);
    if (a && a->bears.ceiling > 0 && a->bears.ceiling_until_ms + FORGET_MS <= now_ms)
        window_forget(&a->bears);
    if (a && a->kept.of && !knows_something(a)) {
        drop(book, a);
        return NULL;
    }
    if (a)
        a->now_ms = now_ms;
    return a;
}

static int64_t known_until_ms(const struct address *a)
{
    int64_t until_ms = a->rest_until_ms;
    if (a->bears.ceiling_until_ms > until_ms)
        until_ms = a->bears.ceiling_until_ms;
    return until_ms + FORGET_MS;
}

static struct address *first_kept(struct address_book *book)
{
    struct kept_item *item = kept_first(&book->kept);
    return item ? OWNER_OF(item, struct address, kept) : NULL;
}

/* Nobody uses it: forget it, or keep it for a while when something was learned. */
static void settle(struct address_book *book, struct address *a, int64_t now_ms)
{
    if (a->in_use > 0 || a->waiters[0].count > 0 || a->waiters[1].count > 0 || a->turn)
        return;
    if (!knows_something(a)) {
        drop(book, a);
        return;
    }
    if (!a->kept.of)
        kept_put(&book->kept, &a->users, &a->kept);
    while ((a = first_kept(book)) && (book->kept.count > KEPT_MAX || known_until_ms(a) < now_ms))
        drop(book, a);
}

void address_book_leave(struct address_book *book, struct address_waiter *w)
{
    struct address *a = w->address;
    if (w->state == ADDRESS_WAIT_NONE)
        return;
    if (address_unlist(book, w))
        address_call_next(book, a);
    settle(book, a, 0);
}

/* Its rest is over, or it never failed; but one that failed is tried by one only. */
static bool may_try(const struct address *a, int64_t now_ms)
{
    return !a || a->failures == 0 || (a->rest_until_ms <= now_ms && a->probing == 0);
}

/* ---- taking ---- */

static struct address *need(struct address_book *book, const struct queue_address *key)
{
    struct address *a = find(book, key);
    if (a)
        return a;
    a = xcalloc(1, sizeof(*a));
    a->key = *key;
    a->urgent_ms = a->served_ms = NEVER_MS;
    a->now_ms = book->now_ms;
    window_init(&a->bears, UINT16_MAX);
    for (size_t i = 0; i < COUNT_OF(a->waiters); i++)
        fair_init(&a->waiters[i], FAIR_HELD, &book->parties, address_waiter_came_before);
    class_turns_init(&a->turns, &book->turns, address_waiter_came_before);
    pointer_table_add(&book->all, a);
    return a;
}

/* Whose mail it is there for counts as holding it. */
static void charge(struct address_hold *hold, uint64_t tenant)
{
    struct address *a = hold->address;
    if (!a || hold->tenant == tenant)
        return;
    for (size_t i = 0; i < COUNT_OF(a->waiters); i++) {
        if (tenant != 0)
            fair_charge(&a->waiters[i], address_who(tenant), 1);
        if (hold->tenant != 0)
            fair_refund(&a->waiters[i], address_who(hold->tenant), 1);
    }
    if (tenant != 0)
        class_turns_stay(&a->turns, tenant);
    if (hold->tenant != 0)
        class_turns_leave(&a->turns, hold->tenant);
    users_note(&a->users, tenant);
    hold->tenant = tenant;
}

static void take(struct address_book *book, size_t index, const struct address_question *ask,
                 struct address_hold *hold, struct address_waiter *waiter)
{
    struct address *a = need(book, &ask->candidates[index]);
    kept_take(&book->kept, &a->kept);
    *hold = (struct address_hold){.address = a,
                                  .since_ms = book->now_ms,
                                  .host = ask->candidates[index].host,
                                  .urgent = ask->urgent,
                                  .probes = a->failures > 0};
    charge(hold, ask->tenant);
    a->in_use++;
    a->plain += !ask->urgent;
    address_serves(a, ask->urgent, a->now_ms);
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
            !address_has_room(a, ask->limit, ask->urgent) || a->rest_until_ms >= best_ms)
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
    book->now_ms = now_ms;
    turn_table_sweep(&book->turns, now_ms);
    for (size_t n = ask->urgent ? 0 : ask->count; hold && n < 2 * ask->count; n++) {
        size_t i = n % ask->count;
        struct address *a = look_up(book, &ask->candidates[i], now_ms);
        bool failed = a && a->failures > 0;
        if (!may_try(a, now_ms) || address_book_held(holds, &ask->candidates[i]))
            continue;
        if (failed && n < ask->count) /* first without those that urgent mail would have to probe */
            continue;
        if (address_has_room(a, ask->limit, ask->urgent) &&
            !address_others_go_first(a, ask, waiter)) {
            take(book, i, ask, hold, waiter);
            *index_r = i;
            return true;
        }
        if (address_has_room(a, ask->limit, ask->urgent))
            address_call_next(book, a);
        full = full ? full : a;
    }
    if (full) {
        if (!address_keeps_place(full, waiter, ask)) {
            address_book_leave(book, waiter);
            address_wait(book, full, waiter, ask);
        }
        waiter->limit = ask->limit;
        return false;
    }
    address_book_leave(book, waiter);
    if (!hold || !find_probe(book, ask, holds, index_r))
        return false;
    take(book, *index_r, ask, hold, waiter);
    return true;
}

/* ---- what becomes of it ---- */

void address_book_release(struct address_book *book, struct address_hold *hold, int64_t now_ms)
{
    struct address *a = hold->address;
    if (!a)
        return;
    CHECK(a->in_use > 0 && a->plain >= !hold->urgent);
    a->now_ms = now_ms > a->now_ms ? now_ms : a->now_ms;
    charge(hold, 0);
    a->in_use--;
    a->plain -= !hold->urgent;
    a->probing -= hold->probes;
    a->working -= hold->works;
    a->open -= hold->open;
    a->serving -= hold->serves;
    *hold = (struct address_hold){0};
    address_call_next(book, a);
    settle(book, a, now_ms);
}

/* After so many failures before. */
static int64_t rest_ms(int64_t first_ms, unsigned before)
{
    for (unsigned i = 0; i < before && first_ms < REST_MAX_MS; i++)
        first_ms *= 2;
    return first_ms < REST_MAX_MS ? first_ms : REST_MAX_MS;
}

void address_book_failed(struct address_book *book, struct address_hold *hold, int64_t now_ms)
{
    struct address *a = hold->address;
    a->working -= hold->works;
    a->open -= hold->open;
    hold->works = hold->open = false;
    if (a->working == 0 && (a->rest_until_ms <= now_ms || hold->probes)) {
        a->rest_until_ms = now_ms + rest_ms(REST_FIRST_MS, a->failures);
        a->failures++;
    }
    address_book_release(book, hold, now_ms);
}

void address_book_stalled(struct address_book *book, struct address_hold *hold, int64_t now_ms)
{
    struct address *a = hold->address;
    if (a->serving == hold->serves) {
        a->rest_until_ms = now_ms + rest_ms(STALL_FIRST_MS, a->stalls);
        a->stalls++;
        a->failures++;
        a->must_serve = true;
    }
    address_book_release(book, hold, now_ms);
}

unsigned address_book_refused(struct address_book *book, struct address_hold *hold, int64_t now_ms)
{
    struct address *a = hold->address;
    unsigned others = a->open - hold->open;
    if (others == 0 && a->in_use > 1 && a->open_ms > 0 && a->open_ms + LATELY_MS > now_ms)
        others = 1;
    if (others > 0)
        window_refused(&a->bears, others, now_ms);
    if (others > 0 || a->serving > 0) {
        address_book_release(book, hold, now_ms);
        return others;
    }
    a->must_serve = a->must_serve || hold->works;
    address_book_failed(book, hold, now_ms);
    return others;
}

void address_book_opened(struct address_hold *hold, int64_t now_ms)
{
    struct address *a = hold->address;
    address_book_works(hold);
    a->open += !hold->open;
    a->open_ms = now_ms;
    hold->open = true;
    if (a->bears.ceiling > 0 && a->open > a->bears.ceiling)
        a->bears.ceiling = a->open;
}

void address_book_works(struct address_hold *hold)
{
    struct address *a = hold->address;
    a->working += !hold->works;
    hold->works = true;
    if (a->must_serve)
        return;
    a->probing -= hold->probes;
    hold->probes = false;
    a->failures = 0;
    a->rest_until_ms = 0;
}

bool address_book_served_since(const struct address_hold *hold, int64_t since_ms)
{
    return hold->address->served_ms >= since_ms;
}

void address_book_serves(struct address_hold *hold, int64_t now_ms)
{
    if (!hold->address)
        return;
    hold->address->served_ms = now_ms;
    hold->address->serving += !hold->serves;
    hold->serves = true;
    hold->address->stalls = 0;
    hold->address->must_serve = false;
    address_book_works(hold);
}

bool address_book_detach(struct address_hold *hold)
{
    struct address *a = hold->address;
    if (!a || !hold->probes || a->detached.address)
        return false;
    charge(hold, 0);
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
    return !a || !hold->urgent || address_has_room_for_plain(a, limit);
}

void address_book_pays(struct address_hold *hold, uint64_t tenant)
{
    charge(hold, tenant);
}

void address_book_had(struct address_hold *hold, uint64_t turns)
{
    enum stream_class class = hold->urgent ? STREAM_SECURITY : STREAM_CLASSES - 1;
    if (hold->address && hold->tenant != 0)
        class_turns_charge(&hold->address->turns, hold->tenant, class, turns);
}

void address_book_carries(struct address_hold *hold, bool urgent, uint64_t tenant, int64_t now_ms)
{
    charge(hold, tenant);
    if (hold->address)
        address_serves(hold->address, urgent, now_ms);
    if (hold->address && hold->urgent != urgent) {
        hold->address->plain = urgent ? hold->address->plain - 1 : hold->address->plain + 1;
        hold->urgent = urgent;
    }
}

/* A probe that is under way is not waited for: somebody knows better. */
static void end_rest(struct address_book *book, struct address *a)
{
    if (a->kept.of) {
        drop(book, a);
        return;
    }
    a->rest_until_ms = 0;
    forget_failures(a);
    window_forget(&a->bears);
    address_call_next(book, a);
}

void address_book_forget(struct address_book *book)
{
    struct address *a = NULL;
    while ((a = first_kept(book)))
        end_rest(book, a);
    size_t at = 0;
    for (a = pointer_table_next(&book->all, &at); a; a = pointer_table_next(&book->all, &at))
        end_rest(book, a);
}

void address_book_resume(struct address_book *book, const struct queue_address *key)
{
    struct address *a = find(book, key);
    if (a)
        end_rest(book, a);
}

int64_t address_book_rest(const struct address_book *book, const struct queue_address *key,
                          unsigned *failures_r)
{
    const struct address *a = find(book, key);
    *failures_r = a ? a->failures : 0;
    return a ? a->rest_until_ms : 0;
}
