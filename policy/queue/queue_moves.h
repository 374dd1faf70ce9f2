// SPDX-License-Identifier: BSD-2-Clause
/* queue_moves.h - What the files of the core do for each other: each function belongs to the file
 * under whose name it stands. Those of entries.c and domains.c are in queue_waiting.h, those about
 * how many connections each may have in queue_capacity.h, those of turns.c in queue_turns.h, those
 * of pauses in queue_pauses.h. */
#ifndef QUEUE_MOVES_H
#define QUEUE_MOVES_H

#include "queue_capacity.h"
#include "queue_pauses.h"
#include "queue_reasons.h"
#include "queue_state.h"
#include "queue_turns.h"
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
void lanes_wake(struct queue *q, int64_t now_ms);
/* Does this line's mail rest there? Then it is set aside when it is met in the destination's turns.
 */
bool lane_sets_aside(const struct line *line);
/* Its domain is spared from now on. */
void lane_spares(struct queue *q, struct line *line);
/* The rest ends: of one, of a destination's, of all. */
void lane_forget(struct queue *q, struct lane *lane);
void lanes_forget_of(struct queue *q, const struct destination *d);
void lanes_forget(struct queue *q);

/* ---- set_aside.c ---- */

void lane_hold(struct lane *lane, struct line *line);
void lane_unhold(struct lane *lane, struct line *line);
/* All that is held stands again; unless the lane rests. */
void lane_puts_back(struct queue *q, struct lane *lane);

/* ---- lane_addresses.c ---- */

/* DNS has given these addresses for its hosts. */
void lane_answered(struct lane *lane, const struct queue_answer *answer, int64_t now_ms);
/* What they take. */
size_t lane_addresses_bytes(const struct lane *lane);
/* Too old for another message, or at an address that DNS no longer gives? */
bool connection_is_outdated(const struct connection *c, int64_t now_ms);

/* ---- destinations.c ---- */

void destinations_init(struct queue *q);
void destinations_fini(struct queue *q);
struct lane *lane_need(struct queue *q, const struct queue_answer *answer);
void lane_drop(struct queue *q, struct lane *lane);
/* What it takes, with its destination. */
size_t lane_bytes(const struct lane *lane);
struct destination *destination_find(const struct queue *q, const char *name);
/* It is there from now on, though nothing leads to it yet. */
struct destination *destination_keep(struct queue *q, const char *name);
/* For longer each time; a provider with many sets of hosts but shortly. */
void destination_rest(struct queue *q, struct destination *d, const struct tenant *whose,
                      const char *why, int64_t now_ms);
/* By itself, all of it. */
bool destination_rests(const struct destination *d, int64_t now_ms);
void destination_works(struct queue *q, struct destination *d, int64_t now_ms);
/* It works: unless that is still in force, the last failure is of no interest any more. */
void destination_forget_why(struct destination *d, int64_t now_ms);
/* Of an operator's order about it and those about its hosts the longest counts from now on. `told`:
 * with an event. */
void destination_follow_orders(struct queue *q, struct destination *d, bool told, int64_t now_ms);
void destination_unwanted(struct queue *q, struct destination *d);
void destinations_sweep(struct queue *q, int64_t now_ms);

/* ---- host_rests.c ---- */

void host_rests_fini(struct queue *q);
/* 0 ms ends it. Destinations are the caller's. */
void host_rest_set(struct queue *q, const char *host, int64_t for_ms, const char *why,
                   int64_t now_ms);
/* Is it one of its hosts? */
bool host_rest_covers(const struct destination *d, const char *host);
/* Why it rests for the sake of its hosts, and how long: the longest of several. NULL: it does not.
 */
const char *host_rests_of(const struct queue *q, const struct destination *d, int64_t *until_ms_r,
                          int64_t now_ms);

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
/* The idle one to lose first: the longest idle of whose most are. NULL: none. */
struct connection *connection_idle_first(struct queue *q);
void connection_has_worked(struct queue *q, struct connection *c);
/* It opens for more than a second. */
void connection_is_slow(struct queue *q, struct connection *c);
/* It is busy with the same for long; and has been asked to end. */
void connection_is_stuck(struct queue *q, struct connection *c);
void connection_hurries(struct queue *q, struct connection *c);
void connection_carry(struct queue *q, struct connection *c, struct attempt *attempt,
                      int64_t now_ms);
struct attempt *connection_uncarry(struct queue *q, struct connection *c, int64_t now_ms);
bool connection_may_carry(const struct queue *q, const struct connection *c, bool urgent);
void connection_refused(struct queue *q, struct connection *c, struct address_hold *hold,
                        int64_t now_ms);
/* Others wait for an address that it holds. */
bool connection_is_in_the_way(const struct connection *c);
/* The same, of a tenant that holds no more there than the one whose mail it carries. */
bool connection_is_in_the_way_of_less(const struct connection *c);
void connection_end(struct queue *q, struct connection *c, int64_t now_ms);

/* ---- speed.c ---- */

/* What was said to the message that it carries, or carried last. */
void speed_answers(struct queue *q, const struct connection *c, enum queue_spoken spoken,
                   int64_t now_ms);

/* ---- slowed.c ---- */

enum { SLOWED_SHARED_MS = 30 * 60 * 1000 };

/* What is learned is of two tenants, and so of all. */
bool slowed_is_shared(const struct destination *d, int64_t now_ms);
/* May plain mail not go yet: of anybody, or that? */
bool slowed_bars_all(const struct destination *d, int64_t now_ms);
bool slowed_bars(const struct destination *d, const struct line *line, int64_t now_ms);
/* Between two transactions of its message: the next one may not go yet. */
bool slowed_bars_rest(const struct connection *c, int64_t now_ms);
/* It is of that tenant, as before a restart; "": of all. */
void slowed_is_of(struct destination *d, const char *tenant, int64_t now_ms);
void slowed_goes(struct destination *d, const struct line *line, int64_t now_ms); /* a message */
/* Is it for this tenant's mail to that domain? */
bool slowed_is_for(const struct destination *d, uint64_t tenant, const char *domain,
                   int64_t now_ms);

/* ---- kept_speeds.c ---- */

/* It is to be kept anew. */
void speed_changed(struct queue *q, struct destination *d);
/* Nothing is known of how fast it takes mail. */
void speed_forget(struct queue *q, struct destination *d);

/* ---- failures.c ---- */

/* It has ended so, or is about to. True: its attempt has not been tried by that. */
bool failure_gives_back(struct queue *q, struct connection *c, enum queue_failure how,
                        const char *why, int64_t now_ms);
/* The same of one that was told to close. */
void failure_gives_up(struct queue *q, struct connection *c, int64_t now_ms);

/* ---- attempts.c ---- */

struct attempt *attempt_make(struct queue *q, struct line *line, int64_t now_ms);
/* It has kept a connection of that lane busy for so long: what that is more than its recipients'
 * turns counts there, too, up to TURNS_AHEAD. Returns all its turns. */
uint64_t attempt_took(const struct attempt *attempt, struct lane *lane, int64_t for_ms);
/* It comes back untried, or is over: `due_ms` beside its recipients, or NULL: none is due again. */
void attempt_back(struct queue *q, struct attempt *attempt, int64_t now_ms);
/* The same, behind all that waits in its line now, and it has had its turn. */
void attempt_behind(struct queue *q, struct attempt *attempt, int64_t now_ms);
void attempt_over(struct queue *q, struct attempt *attempt, const int64_t *due_ms, int64_t now_ms);

/* ---- decisions.c ---- */

void decide(struct queue *q, struct queue_decision decision);
bool decision_take(struct queue *q, struct queue_decision *decision_r);
void decisions_fini(struct queue *q);
void queue_wake_at(struct queue *q, int64_t at_ms);

/* ---- boundary.c ---- */

/* What this connection, which carries nothing now, does next; QUEUE_NEXT_SEND: `*line_r`. */
enum queue_next boundary_next(struct queue *q, const struct connection *c, struct line **line_r,
                              int64_t now_ms);
/* Would it, if it carried nothing now, go on with class security, or make room for that? */
bool boundary_is_urgent(struct queue *q, const struct connection *c, int64_t now_ms);

#endif
