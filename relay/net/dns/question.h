// SPDX-License-Identifier: BSD-2-Clause
/* question.h - One question to the resolver: a pure evaluation, and the lookups that it asks for.
 */
#ifndef QUESTION_H
#define QUESTION_H

#include "dns_query.h"
#include "party_turns.h"
#include "resolver.h"
#include "watch.h"

struct question;

/* One of the lookups that a question is made of. */
struct question_part {
    struct question *question;
    struct party_turn *turn;   /* NULL: it has ended, or needs none */
    struct dns_query *lookup;  /* NULL: it has not begun, or has ended */
    struct dns_answer *answer; /* NULL: none yet */
    char *name;
    enum dns_type type;
};

/* The first member of a block of memory, which is freed with it. */
struct question {
    struct question *next, *previous;
    struct resolver *resolver;
    uv_timer_t timer;
    char tenant[64];
    const char *about; /* a domain, whose turns it has; the owner's. NULL: none's */
    bool urgent;
    uint64_t merit; /* party_turns.h */
    bool timed;     /* its time has begun to run */
    bool last;      /* its time is over: nothing more is looked up */
    bool
        patient; /* its time runs while something is asked, and not while that waits for its turn */
    uint64_t after_ms, timeout_ms;
    const struct config *fresh; /* borrowed; not NULL: nothing that a cache holds will do */
    struct dns dns;             /* for the evaluation */
    struct question_part *parts;
    size_t part_max, part_count, pending;
    unsigned behind; /* so many of the parts come before those of the hosts */
    /* The owner's: an answer has come, or it is the last time. */
    void (*evaluate)(struct question *q);
};

struct resolver {
    uv_loop_t *loop;
    struct dns_queries *lookups;
    struct dns_queries *fresh; /* forgets at once; NULL: nobody has needed it */
    struct party_turns *turns, *fresh_turns;
    struct question *questions;
    uv_timer_t *begin; /* gives turns; freed in its close callback */
    bool begins_soon;  /* at once */
    char hostname[256];
    struct watch watch;
};

/* Evaluated first by the loop, after `after_ms`, and for the last time so long after its first
 * lookup has begun, or after its lookups, if it is patient, have been under way for so long. */
void question_open(struct question *q, struct resolver *r, size_t part_max, uint64_t timeout_ms);
/* No lookup is under way any more, and it is freed, later. */
void question_close(struct question *q);
void question_cancel_lookups(struct question *q);
/* To be evaluated for the last time after so long. */
void question_set_timeout(struct question *q, uint64_t timeout_ms);
/* One that waits for no turn. Not while an evaluation goes on. */
void question_look_up_now(struct question *q, const char *name, enum dns_type type);

#endif
