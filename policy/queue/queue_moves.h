// SPDX-License-Identifier: BSD-2-Clause
/* queue_moves.h - What the files of the core do for each other: each function belongs to the file
 * under whose name it stands. Those of entries.c and domains.c are in queue_waiting.h. */
#ifndef QUEUE_MOVES_H
#define QUEUE_MOVES_H

#include "queue_state.h"
#include "queue_waiting.h"

/* ---- invariants.c ---- */

/* Is all as it must be between two events? (CHECKS_MACHINES) */
void queue_check(struct queue *q);

/* ---- touched.c ---- */

void destination_touch(struct queue *q, struct destination *d);
/* And those of the same provider. */
void destination_touch_all(struct queue *q, struct destination *d);

/* ---- lanes.c ---- */

void lanes_init(struct queue *q);
void lanes_fini(struct queue *q);
/* A lane's hosts do not work, while others of the same destination may: until then its mail is
 * passed over there. False: they rested already. */
bool lane_rest(struct queue *q, struct lane *lane, int64_t now_ms);
void lane_block(struct queue *q, struct lane *lane, int64_t until_ms);
void lane_opens(struct queue *q, struct lane *lane);
void lane_opens_no_more(struct queue *q, struct lane *lane);
void lane_works(struct queue *q, struct lane *lane);
void lane_hold(struct lane *lane, struct line *line);
void lane_unhold(struct lane *lane, struct line *line);
void lanes_wake(struct queue *q, int64_t now_ms);
/* The rest ends: of one, of a destination's, of all. */
void lane_forget(struct queue *q, struct lane *lane);
void lanes_forget_of(struct queue *q, const struct destination *d);
void lanes_forget(struct queue *q);

/* ---- destinations.c ---- */

void destinations_init(struct queue *q);
void destinations_fini(struct queue *q);
struct lane *lane_need(struct queue *q, const struct queue_answer *answer);
void lane_drop(struct queue *q, struct lane *lane);
struct destination *destination_find(const struct queue *q, const char *name);
/* It is there from now on, though nothing leads to it yet. */
struct destination *destination_keep(struct queue *q, const char *name);
struct line *destination_best(struct destination *d);
/* The same, passing over tenants of whose first line this is not true; NULL too when they are very
 * many. */
typedef bool line_test(const struct line *line, const void *context);
struct line *destination_best_of(struct destination *d, line_test *test, const void *context);
struct line *lane_best(const struct lane *lane);
/* What goes before the best for once, as those before it have no end; NULL: nothing. */
struct line *destination_overdue(struct destination *d);
/* A message of that class has gone from its turns. */
void destination_serves(struct destination *d, enum stream_class class);
/* For longer each time; a provider with many sets of hosts but shortly. */
void destination_rest(struct queue *q, struct destination *d, const char *why, int64_t now_ms);
void destination_works(struct queue *q, struct destination *d, int64_t now_ms);
void destination_set_why(struct destination *d, const char *why);
void destination_unwanted(struct queue *q, struct destination *d);
void destinations_sweep(struct queue *q, int64_t now_ms);

/* ---- limits.c ---- */

unsigned plain_max(const struct queue *q);
bool queue_has_room(const struct queue *q, bool urgent);
/* Connections of its provider, or its own. */
unsigned destination_group_in_use(const struct destination *d);
/* Would its own limits and its provider's bear one connection more, for this line's mail? */
bool destination_has_room(const struct destination *d, const struct line *line, int64_t now_ms);
bool destination_is_proven(const struct destination *d, int64_t now_ms);
bool destination_may_open(const struct destination *d, const struct line *line, int64_t now_ms);
/* Though it rests: may this line's security mail try it, where mail has gone through before? */
bool destination_may_probe(const struct destination *d, const struct line *line, int64_t now_ms);
/* Do domains lead to several sets of hosts there, of which one may fail and others not? */
bool destination_has_lanes(const struct destination *d);
/* May an open connection of it carry mail that is not of class security? */
bool destination_may_carry_plain(const struct destination *d, int64_t now_ms);

/* ---- connections.c ---- */

void connections_init(struct queue *q);
void connections_fini(struct queue *q);
struct connection *connection_find(const struct queue *q, uint64_t id);
struct connection *connection_new(struct queue *q, struct line *line, int64_t now_ms);
void connection_move(struct queue *q, struct connection *c, enum connection_state state,
                     int64_t now_ms);
/* The shell is told to close it. */
void connection_let_go(struct queue *q, struct connection *c, enum queue_reason reason,
                       int64_t now_ms);
void connection_has_worked(struct queue *q, struct connection *c);
/* It opens for more than a second. */
void connection_is_slow(struct queue *q, struct connection *c);
/* It is busy for long, and has been asked to end. */
void connection_hurries(struct queue *q, struct connection *c);
void connection_carry(struct queue *q, struct connection *c, struct attempt *attempt,
                      int64_t now_ms);
struct attempt *connection_uncarry(struct queue *q, struct connection *c);
bool connection_may_carry(const struct queue *q, const struct connection *c, bool urgent);
void connection_refused(struct queue *q, struct connection *c, struct address_hold *hold,
                        int64_t now_ms);
/* Others wait for an address that it holds. */
bool connection_is_in_the_way(const struct connection *c);
/* The same, of a tenant that holds no more there than the one whose mail it carries. */
bool connection_is_in_the_way_of_less(const struct connection *c);
void connection_end(struct queue *q, struct connection *c, int64_t now_ms);
/* ---- attempts.c ---- */

struct attempt *attempt_make(struct queue *q, struct line *line, int64_t now_ms);
/* It comes back untried, or is over: `due_ms` beside its recipients, or NULL: none is due again. */
void attempt_back(struct queue *q, struct attempt *attempt, int64_t now_ms);
void attempt_over(struct queue *q, struct attempt *attempt, const int64_t *due_ms, int64_t now_ms);

/* ---- decisions.c ---- */

void decide(struct queue *q, struct queue_decision decision);
void queue_wake_at(struct queue *q, int64_t at_ms);

/* ---- capacity.c ---- */

enum { QUEUE_SLOW_OPENING_MS = 1000 };

/* Would its tenant's share bear another connection beside one for this line? */
bool capacity_bears_another(const struct queue *q, const struct line *line);
/* What the next connection to this destination is for: the best of a tenant that may have one, or
 * just the best; and when it opens: what is overdue goes first. */
struct line *line_to_open(const struct queue *q, struct destination *d, int64_t now_ms);
struct line *line_that_opens(const struct queue *q, struct destination *d, int64_t now_ms);
/* Who is to have the next connection; NULL: nobody may. */
struct destination *capacity_next(const struct queue *q);
/* Does class security want a connection, or anybody, that might have it if one were free? */
bool urgent_waits(const struct queue *q);
bool somebody_waits(const struct queue *q);
/* Who is busy there for long has to hurry. Returns when to look again. */
int64_t capacity_hurry_at(struct queue *q, struct destination *d, int64_t now_ms);
/* Others wait: idle connections go, and those that do not open; the busy ones hurry. */
void capacity_make_room(struct queue *q, int64_t now_ms);

/* ---- boundary.c ---- */

/* What this connection, which carries nothing now, does next; QUEUE_NEXT_SEND: `*line_r`. */
enum queue_next boundary_next(struct queue *q, const struct connection *c, struct line **line_r,
                              int64_t now_ms);
/* Would it, if it carried nothing now, go on with class security, or make room for that? */
bool boundary_is_urgent(struct queue *q, const struct connection *c, int64_t now_ms);

#endif
