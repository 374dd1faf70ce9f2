// SPDX-License-Identifier: BSD-2-Clause
/* address_book.h - What is known of each address that is connected to: who uses it, whether it
 * rests, and who waits for room there.
 *
 * Connections of all destinations count together, as many names may lead to one machine. An address
 * that fails rests for five seconds, then twice that, up to ten minutes; then one connection probes
 * it, urgent mail last. One on which others work has merely refused, and does not rest: that many
 * are what it bears, for a minute, then two, up to ten. What was learned is forgotten an hour after
 * that.
 *
 * Who waits for room: urgent mail first, as long as its tenant has not had more than its fair part
 * of the turns there (class_turns.h), and after so many messages of it (shares.h) one that has been
 * passed over; then the tenant that holds least there, then who came first. A tenant is its id.
 */
#ifndef ADDRESS_BOOK_H
#define ADDRESS_BOOK_H

#include "class_turns.h"
#include "fair.h"
#include "kept.h"
#include "pointer_table.h"
#include "queue_connection.h"
#include "shares.h"

struct address;

enum { ADDRESS_HOLDS_MAX = 4 }; /* three at once, and one that takes the oldest's place */

/* A connection's claim on an address; in an array of ADDRESS_HOLDS_MAX. */
struct address_hold {
    struct address *address; /* NULL: none */
    uint64_t tenant;         /* whose mail it is there for; 0: nobody's */
    int64_t since_ms;
    uint32_t host; /* for whose sake it was taken */
    bool urgent, works, probes, open, serves;
};

/* A destination that waits for room at an address. Zeroed at first. */
enum address_wait {
    ADDRESS_WAIT_NONE,
    ADDRESS_WAIT_LISTED,
    ADDRESS_WAIT_CALLED,
    ADDRESS_WAIT_HAS_TURN
};
struct address_waiter {
    struct address_waiter *next, *prev; /* address_book.called */
    struct fair_item item;
    enum address_wait state;
    struct address *address;
    uint64_t tenant, since;
    unsigned limit;
    bool urgent;
};

struct address_book {
    struct pointer_table all, parties;
    struct turn_table turns;
    uint64_t serial;
    int64_t now_ms;                /* when an address was last asked for */
    struct kept kept;              /* not in use, but known to fail or refuse */
    struct address_waiter *called; /* whose turn it is */
    size_t waiting;                /* who stands in the list of an address */
};

void address_book_init(struct address_book *book);
void address_book_fini(struct address_book *book); /* nobody holds or waits any more */

struct address_question {
    const struct queue_address *candidates;
    size_t count;
    unsigned limit; /* connections at one address */
    bool urgent;    /* class security: may use the reserve, and goes first */
    uint64_t tenant;
};

/* The next address to try goes into a free one of `holds`. False: there is none; ask again at
 * *again_ms_r, or when the waiter has been called. */
MUST_CHECK bool address_book_take(struct address_book *book, const struct address_question *ask,
                                  struct address_hold *holds, struct address_waiter *waiter,
                                  size_t *index_r, int64_t *again_ms_r, int64_t now_ms);
struct address_hold *address_book_held(struct address_hold *holds, const struct queue_address *a);

void address_book_failed(struct address_book *book, struct address_hold *hold, int64_t now_ms);
/* The server there refuses this one, by what it says or without a word. Returns how many others are
 * open there, or lately were: as many as it bears; 0: it has but failed, and when it has spoken it
 * is only probed until a message has gone through. */
unsigned address_book_refused(struct address_book *book, struct address_hold *hold, int64_t now_ms);
/* It has spoken, and then said nothing for too long: it rests for a minute, then twice that, up to
 * ten, and until a message has gone through it is only probed. Not while others serve there. */
void address_book_stalled(struct address_book *book, struct address_hold *hold, int64_t now_ms);
/* A message has gone through. */
void address_book_serves(struct address_hold *hold, int64_t now_ms);
/* Has one gone through there since then? */
bool address_book_served_since(const struct address_hold *hold, int64_t since_ms);
void address_book_works(struct address_hold *hold);
/* It takes mail. */
void address_book_opened(struct address_hold *hold, int64_t now_ms);
void address_book_release(struct address_book *book, struct address_hold *hold, int64_t now_ms);
/* What probes goes on by itself when its connection has no more use for it. False: it does not
 * probe, or another one does so already. */
MUST_CHECK bool address_book_detach(struct address_hold *hold);
/* The one that goes on there by itself; NULL: none. */
struct address_hold *address_book_detached(struct address_book *book,
                                           const struct queue_address *key);

/* May what it carries become something that is not urgent? */
bool address_book_may_carry(const struct address_hold *hold, unsigned limit);
void address_book_carries(struct address_hold *hold, bool urgent, uint64_t tenant, int64_t now_ms);
/* That has taken so many turns. */
void address_book_had(struct address_hold *hold, uint64_t turns);
void address_book_pays(struct address_hold *hold, uint64_t tenant);
/* Does that tenant's urgent mail go first there? */
bool address_book_puts_first(const struct address_hold *hold, uint64_t tenant);
/* Has urgent mail gone there before what waits so often that this one, which would go on with it,
 * is to make room? True but once, until that has been called. */
bool address_book_gives_way(const struct address_hold *hold);
/* Does somebody wait for room there, or somebody with urgent mail that goes first? */
bool address_book_is_wanted(const struct address_hold *hold, bool by_urgent);
/* Another tenant, which holds no more there? */
bool address_book_is_wanted_by_other(const struct address_hold *hold, uint64_t tenant);
/* Somebody with urgent mail, whose tenant holds less there than this one, by more than so many? */
bool address_book_is_wanted_by_less(const struct address_hold *hold, uint64_t tenant,
                                    unsigned more);

/* Waits no longer; whose turn it was, passes it on. */
void address_book_leave(struct address_book *book, struct address_waiter *waiter);
/* Take one from the list of those whose turn it is; NULL: none. It keeps its turn until it takes
 * the address, or leaves. */
struct address_waiter *address_book_next_called(struct address_book *book);

/* Until when it rests, and its failures in a row; 0 when nothing is known of it. */
int64_t address_book_rest(const struct address_book *book, const struct queue_address *key,
                          unsigned *failures_r);
/* End the rest of all, or of one. */
void address_book_forget(struct address_book *book);
void address_book_resume(struct address_book *book, const struct queue_address *key);

#endif
