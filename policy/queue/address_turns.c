// SPDX-License-Identifier: BSD-2-Clause
/* address_turns.c - Room at an address, and who has it next: urgent mail, unless it has gone before
 * others too often, or its tenant has had its part of the turns there; then the tenant that holds
 * least there, then who came first. */
#include "address_parts.h"

#include <utlist.h>

enum { KEPT_PART = 5 };

/* Of what may be there, what it bears, as far as it has shown. */
static bool bears_less(const struct address *a, unsigned limit)
{
    return window_is_capped(&a->bears, a->now_ms) && a->bears.ceiling < limit;
}

/* A part is kept for what is urgent; of the few that it has shown to bear, a fifth or none. */
bool address_has_room_for_plain(const struct address *a, unsigned limit)
{
    bool less = bears_less(a, limit);
    unsigned most = less ? a->bears.ceiling : limit;
    unsigned kept = reserve_at(most, a->urgent_ms, a->now_ms);
    if (less && kept > most / KEPT_PART)
        kept = most / KEPT_PART;
    return a->plain + kept < most;
}

bool address_has_room(const struct address *a, unsigned limit, bool urgent)
{
    if (!a)
        return true;
    unsigned most = bears_less(a, limit) ? a->bears.ceiling : limit;
    return a->in_use < most && (urgent || address_has_room_for_plain(a, limit));
}

/* ---- who waits ---- */

static struct address_waiter *waiter_of(const struct fair_item *item)
{
    return OWNER_OF(item, struct address_waiter, item);
}

static bool goes_first(const struct address *a, bool urgent, uint64_t tenant)
{
    return urgent && class_turns_who_is_within(&a->turns, tenant, STREAM_SECURITY);
}

static bool item_goes_first(const struct fair_item *item, const void *context)
{
    return goes_first(context, true, waiter_of(item)->tenant);
}

/* With urgent mail that goes first. */
static struct address_waiter *first_urgent(struct address *a)
{
    const struct fair_item *item =
        fair_first_of(&a->waiters[1], item_goes_first, a, &a->look, a->now_ms);
    return item ? waiter_of(item) : NULL;
}

static bool holds_less(const struct fair_item *a, const struct fair_item *b)
{
    if (a->party->used != b->party->used)
        return a->party->used < b->party->used;
    if (a->party->served != b->party->served)
        return a->party->served < b->party->served;
    return waiter_of(a)->since < waiter_of(b)->since;
}

/* Of both kinds, where only urgent mail has the reserve. */
static struct address_waiter *first_in_turn(const struct address *a)
{
    const struct fair_item *plain = fair_first(&a->waiters[0]);
    const struct fair_item *urgent = fair_first(&a->waiters[1]);
    bool has_room = plain && address_has_room(a, waiter_of(plain)->limit, false);
    const struct fair_item *item = plain;
    if (urgent && (!has_room || holds_less(urgent, plain)))
        item = urgent;
    return item ? waiter_of(item) : NULL;
}

static struct address_waiter *first_waiter(struct address *a)
{
    const struct fair_item *plain = fair_first(&a->waiters[0]);
    if (plain && a->passed >= PASSED_MAX && address_has_room(a, waiter_of(plain)->limit, false))
        return waiter_of(plain);
    struct address_waiter *urgent = first_urgent(a);
    return urgent ? urgent : first_in_turn(a);
}

static bool turn_goes_first(const struct address *a)
{
    return a->turn && goes_first(a, a->turn->urgent, a->turn->tenant);
}

bool address_has_urgent(struct address *a)
{
    return turn_goes_first(a) || first_urgent(a);
}

void address_serves(struct address *a, bool urgent, int64_t now_ms)
{
    a->now_ms = now_ms > a->now_ms ? now_ms : a->now_ms;
    if (urgent)
        a->urgent_ms = a->now_ms;
    a->passed =
        urgent && a->waiters[0].count + (a->turn && !a->turn->urgent) > 0 ? a->passed + 1 : 0;
}

/* The first goes first, also when there is room for a later one only. */
void address_call_next(struct address_book *book, struct address *a)
{
    struct address_waiter *w = first_waiter(a);
    a->giving_way = false;
    if (a->turn || !w || a->failures > 0 || !address_has_room(a, w->limit, w->urgent))
        return;
    fair_take(&w->item);
    book->waiting--;
    DL_APPEND(book->called, w);
    w->state = ADDRESS_WAIT_CALLED;
    a->turn = w;
    a->turn_is_due = !w->urgent && a->passed >= PASSED_MAX;
}

bool address_unlist(struct address_book *book, struct address_waiter *w)
{
    struct address *a = w->address;
    if (w->tenant != 0)
        class_turns_leave(&a->turns, w->tenant);
    book->waiting -= w->state == ADDRESS_WAIT_LISTED;
    if (w->state == ADDRESS_WAIT_LISTED)
        fair_take(&w->item);
    else if (w->state == ADDRESS_WAIT_CALLED)
        DL_DELETE(book->called, w);
    bool had_turn = a->turn == w;
    if (had_turn)
        a->turn = NULL;
    w->state = ADDRESS_WAIT_NONE;
    w->address = NULL;
    return had_turn;
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

/* Its tenant goes there no sooner than the one that waits. */
static bool stands_no_better(const struct address *a, const struct address_waiter *w,
                             uint64_t tenant)
{
    const struct fair *f = &a->waiters[w->urgent];
    return fair_used(f, address_who(tenant)) >= fair_used(f, address_who(w->tenant)) &&
           goes_first(a, w->urgent, tenant) <= goes_first(a, w->urgent, w->tenant);
}

bool address_keeps_place(const struct address *a, const struct address_waiter *w,
                         const struct address_question *ask)
{
    return w->state == ADDRESS_WAIT_LISTED && w->address == a && w->urgent == ask->urgent &&
           (w->tenant == ask->tenant || stands_no_better(a, w, ask->tenant));
}

void address_wait(struct address_book *book, struct address *a, struct address_waiter *w,
                  const struct address_question *ask)
{
    CHECK(w->state == ADDRESS_WAIT_NONE);
    if (ask->urgent)
        a->urgent_ms = a->now_ms;
    *w = (struct address_waiter){.state = ADDRESS_WAIT_LISTED,
                                 .address = a,
                                 .tenant = ask->tenant,
                                 .since = ++book->serial,
                                 .urgent = ask->urgent};
    fair_put(&a->waiters[ask->urgent], address_who(w->tenant), &w->item);
    if (w->tenant != 0)
        class_turns_stay(&a->turns, w->tenant);
    book->waiting++;
}

bool address_waiter_came_before(const void *a, const void *b)
{
    const struct fair_item *i = a;
    const struct fair_item *k = b;
    return waiter_of(i)->since < waiter_of(k)->since;
}

bool address_others_go_first(struct address *a, const struct address_question *ask,
                             const struct address_waiter *waiter)
{
    if (!a || a->turn == waiter)
        return false;
    bool is_first = waiter->state == ADDRESS_WAIT_LISTED && first_waiter(a) == waiter;
    if (goes_first(a, ask->urgent, ask->tenant))
        return turn_goes_first(a) || (a->turn && a->turn_is_due) || (first_urgent(a) && !is_first);
    return a->turn || (a->waiters[0].count + a->waiters[1].count > 0 && !is_first);
}

/* ---- who goes on there ---- */

bool address_book_is_wanted(const struct address_hold *hold, bool by_urgent)
{
    struct address *a = hold->address;
    if (!a)
        return false;
    if (by_urgent)
        return address_has_urgent(a);
    return a->waiters[0].count + a->waiters[1].count > 0 || a->turn;
}

bool address_book_puts_first(const struct address_hold *hold, uint64_t tenant)
{
    const struct address *a = hold->address;
    return !a || class_turns_who_is_within(&a->turns, tenant, STREAM_SECURITY);
}

bool address_book_is_wanted_by_other(const struct address_hold *hold, uint64_t tenant)
{
    const struct address *a = hold->address;
    for (size_t i = 0; a && i < COUNT_OF(a->waiters); i++) {
        const struct fair *f = &a->waiters[i];
        const struct fair_item *item = fair_first(f);
        const void *who = address_who(tenant);
        if (item && item->party->who != who && item->party->used <= fair_used(f, who))
            return true;
    }
    return false;
}

bool address_book_gives_way(const struct address_hold *hold)
{
    struct address *a = hold->address;
    if (!a || a->giving_way || a->passed < PASSED_MAX || a->waiters[0].count == 0)
        return false;
    a->giving_way = true;
    return true;
}

bool address_book_is_wanted_by_less(const struct address_hold *hold, uint64_t tenant, unsigned more)
{
    const struct address *a = hold->address;
    return a && a->waiters[1].count > 0 &&
           fair_first_used(&a->waiters[1]) + more < fair_used(&a->waiters[1], address_who(tenant));
}
