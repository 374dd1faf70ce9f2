// SPDX-License-Identifier: BSD-2-Clause
/* lookup_turns.h - Decides which DNS question is asked next when there are more than may be in
 * progress; and which large copy is made next, for which the same holds (composition.c).
 *
 * A tenant has at most twice as many as it leaves free, and a part is reserved for class security:
 * so if somebody asks for names that are never answered, the first questions of all others are
 * still asked at once. Of a tenant's questions those about the first hosts of a domain come first,
 * so that a domain with many hosts does not delay others.
 */
#ifndef LOOKUP_TURNS_H
#define LOOKUP_TURNS_H

#include <stdbool.h>

struct lookup_turns;
struct lookup_turn;

/* At most `most` are under way. */
struct lookup_turns *lookup_turns_new(unsigned most);
/* All turns must have ended. NULL does nothing. */
void lookup_turns_free(struct lookup_turns *t);

/* Wait for a turn. `rank`: 0 goes before 1. `what` is the caller's. */
struct lookup_turn *lookup_turns_wait(struct lookup_turns *t, const char *tenant, bool urgent,
                                      unsigned rank, void *what);
/* `what` of the turn that begins now; NULL: none may. */
void *lookup_turns_next(struct lookup_turns *t);
/* Is it under way? */
bool lookup_turn_has_begun(const struct lookup_turn *turn);
/* It is answered, or not wanted any more; frees it. NULL does nothing. */
void lookup_turns_end(struct lookup_turns *t, struct lookup_turn *turn);

#endif
