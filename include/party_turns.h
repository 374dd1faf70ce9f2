// SPDX-License-Identifier: BSD-2-Clause
/* party_turns.h - Turns of parties at something of which only so much may be under way: questions
 * to DNS, fetches of policies, large copies. A party is a tenant: who has much to do waits for its
 * own.
 *
 * A tenant has at most twice as many as it leaves free, and class security and other mail leave a
 * part to each other: so if somebody asks for names that are never answered, the first questions of
 * all others are still asked at once. Of one tenant's turns those of a lower rank come first, as
 * questions about the first hosts of a domain, so that a domain with many hosts does not delay
 * others.
 */
#ifndef PARTY_TURNS_H
#define PARTY_TURNS_H

#include <stdbool.h>

struct party_turns;
struct party_turn;

/* At most `most` are under way. */
struct party_turns *party_turns_new(unsigned most);
/* All turns must have ended. NULL does nothing. */
void party_turns_free(struct party_turns *t);

/* Wait for a turn. `rank`: 0 goes before 1. `what` is the caller's. */
struct party_turn *party_turns_wait(struct party_turns *t, const char *tenant, bool urgent,
                                    unsigned rank, void *what);
/* From now on a tenant's questions of one kind begin only while fewer than so many of them are
 * under way. Without it there is no such limit. */
void party_turns_allow_each(struct party_turns *t, unsigned most_each);
/* Does any wait? */
bool party_turns_wait_there(const struct party_turns *t);
/* `what` of the turn that begins now; NULL: none may. */
void *party_turns_next(struct party_turns *t);
/* Is it under way? */
bool party_turn_has_begun(const struct party_turn *turn);
/* It is answered, or not wanted any more; frees it. NULL does nothing. */
void party_turns_end(struct party_turns *t, struct party_turn *turn);

#endif
