// SPDX-License-Identifier: BSD-2-Clause
/* address_parts.h - What address_book.c and address_turns.c share: the address itself. */
#ifndef ADDRESS_PARTS_H
#define ADDRESS_PARTS_H

#include "address_book.h"
#include "window.h"

struct address {
    struct kept_item kept;
    struct users users;
    struct queue_address key;
    unsigned in_use, plain, working, open, probing, failures;
    unsigned serving, stalls;       /* stalls: in a row, no message between them */
    int64_t rest_until_ms, open_ms; /* open_ms: when one last opened */
    int64_t served_ms;              /* when a message last went through */
    struct window bears;            /* only its ceiling */
    int64_t now_ms;                 /* when it was last looked at */
    int64_t urgent_ms;              /* when urgent mail last went there, or waited */
    struct fair waiters[2];         /* by what tenants hold there; [1]: those with urgent mail */
    struct class_turns turns;       /* of those who hold one or wait: what they have had */
    struct wide_look look;
    struct address_waiter *turn;  /* called, and not yet here */
    unsigned passed;              /* urgent messages in a row while others waited */
    bool giving_way, turn_is_due; /* turn_is_due: not even urgent mail goes before it */
    bool must_serve; /* that it speaks is not enough: it has done so and then took nothing */
    struct address_hold detached;
};

/* As the fairs know it. */
static inline const void *address_who(uint64_t tenant)
{
    return (const void *)(uintptr_t)tenant;
}

bool address_has_room(const struct address *a, unsigned limit, bool urgent);
bool address_has_room_for_plain(const struct address *a, unsigned limit);
/* Does somebody wait, or come in his turn, whose urgent mail goes first? */
bool address_has_urgent(struct address *a);
/* A struct fair_item of a waiter each. */
bool address_waiter_came_before(const void *a, const void *b);
/* There may be room: it is offered to who is next. */
void address_call_next(struct address_book *book, struct address *a);
/* It waits there for that already, and stands no worse than it would anew. */
bool address_keeps_place(const struct address *a, const struct address_waiter *w,
                         const struct address_question *ask);
/* One that waits nowhere. */
void address_wait(struct address_book *book, struct address *a, struct address_waiter *w,
                  const struct address_question *ask);
/* Out of where it stands. True: it had the turn, which is nobody's now. */
bool address_unlist(struct address_book *book, struct address_waiter *w);
/* A message is on its way there. */
void address_serves(struct address *a, bool urgent, int64_t now_ms);
bool address_others_go_first(struct address *a, const struct address_question *ask,
                             const struct address_waiter *waiter);

#endif
