// SPDX-License-Identifier: BSD-2-Clause
/* party_turns.h - Turns of parties at something of which only so much may be under way: questions
 * to DNS, fetches of policies, large copies. A party is a tenant: who has much to do waits for its
 * own.
 *
 * A tenant has at most twice as many as it leaves free, and fewer while what it asks is costly for
 * whoever answers all (party_turns_meter()); and class security and other mail leave a part to each
 * other: so if somebody asks for names that are never answered, or costly ones, the first questions
 * of all others are still asked at once.
 *
 * One tenant's turns are shared by its domains: the one that has least under way goes first, so
 * that one with many hosts delays no others. Of those that have the same a lower rank comes first,
 * as questions about first hosts; then three turns of four go to the one of the highest merit, of
 * those of the same to the one that came last, and one to the one that has waited longest. So many
 * that are never answered hold up none of more merit, and each is asked.
 */
#ifndef PARTY_TURNS_H
#define PARTY_TURNS_H

#include <stdbool.h>
#include <stdint.h>

struct party_turns;
struct party_turn;

/* At most `most` are under way. */
struct party_turns *party_turns_new(unsigned most);
/* All turns must have ended. NULL does nothing. */
void party_turns_free(struct party_turns *t);

struct party_ask {
    const char *tenant;
    const char *domain; /* that it is about, in any words; NULL: none, which is like one more */
    const char *name;   /* that is asked for, in lower case; NULL: none */
    bool urgent;
    unsigned rank;  /* 0 goes before 1 */
    uint64_t merit; /* of its domain; 0: nobody knows it, or that is none */
    void *what;     /* the caller's */
};
/* Of what is known to be answered in time. */
#define PARTY_MERIT_MOST UINT64_MAX

/* Wait for a turn. Texts are copied. */
struct party_turn *party_turns_wait(struct party_turns *t, const struct party_ask *ask);
/* Turns may last for so long, and end by themselves only: of one tenant's half begin at once, and
 * the others one after the other in that time, so that there is soon one for what comes. What ends
 * within a second does not count. */
void party_turns_spread(struct party_turns *t, int64_t lasts_ms);
/* What turns cost will be told: whoever asks what is costly has few turns under way, of each kind.
 * Without it there is no such limit. */
void party_turns_meter(struct party_turns *t);
/* So many microseconds were spent on names of this zone, in lower case, without a dot at the end:
 * whoever has such names under way is charged, by how many. If nobody has (it was behind an alias),
 * or it is "" (not known), whose answer leads there pays (party_turn_leads_to()), or else, after
 * half a second, all who have anything under way alike. */
void party_turns_charge(struct party_turns *t, const char *zone, uint64_t us);
/* This turn's name has turned out to be an alias for `name`; NULL: for none. Before it ends, and
 * after what it has cost was charged. */
void party_turn_leads_to(struct party_turns *t, struct party_turn *turn, const char *name);
/* The steady clock: without it time stands still. */
void party_turns_look(struct party_turns *t, int64_t now_ms);
/* Does any wait? */
bool party_turns_wait_there(const struct party_turns *t);
/* `what` of the turn that begins now; NULL: none may. */
void *party_turns_next(struct party_turns *t);
/* Is it under way? */
bool party_turn_has_begun(const struct party_turn *turn);
/* It is answered, or not wanted any more; frees it. NULL does nothing. */
void party_turns_end(struct party_turns *t, struct party_turn *turn);

#endif
