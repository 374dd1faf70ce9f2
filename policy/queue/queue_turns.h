// SPDX-License-Identifier: BSD-2-Clause
/* queue_turns.h - What turns.c does for the other files of the core. */
#ifndef QUEUE_TURNS_H
#define QUEUE_TURNS_H

#include "queue_capacity.h"

/* Of one pool, or of both: POOLS. */
struct line *destination_best(struct destination *d, enum pool pool);
struct line *lane_best(const struct lane *lane, enum pool pool);
/* The same, passing over tenants of whose lines this is not true. */
struct line_question {
    bool (*test)(const struct line *line, const void *context);
    const void *context;
    enum look look;
    int64_t now_ms;
};
struct line *destination_best_of(struct destination *d, enum pool pool,
                                 const struct line_question *question);
struct line *lane_best_of(struct lane *lane, enum pool pool, const struct line_question *question);
/* Its class goes before that of the other, as far as its tenant's fair part goes. */
bool line_goes_before(const struct line *line, const struct line *other);
/* It is beyond that part, and in tenants' turn after the other. */
bool line_is_after(const struct line *line, const struct line *other);
/* Somebody may be there who could go, and whom the last search has not seen: when to look again, or
 * INT64_MAX. */
int64_t destination_looks_at(const struct destination *d, int64_t now_ms);
/* What goes before the best for once, as those before it have no end; NULL: nothing. */
struct line *destination_overdue(struct destination *d);
/* A message of that class has gone from its turns. */
void destination_serves(struct destination *d, enum stream_class class);

/* ---- domain_turns.c ---- */

/* Its first recipient, or its domain, has changed. */
void line_finds_turn(struct line *line);
void domain_finds_turn(struct domain *domain);
/* It goes. */
void line_has_turn(struct queue *q, struct line *line);
/* Of one tenant's class. */
bool line_turn_before(const struct line *l, const struct line *m);
/* Its mail has kept a connection busy for long, and none has been taken or answered since. */
bool line_is_behind(const struct line *line);
void line_falls_behind(const struct queue *q, struct line *line);
/* A message of it was answered in time, or taken. */
void line_keeps_up(struct line *line);

#endif
