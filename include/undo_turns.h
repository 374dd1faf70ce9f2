// SPDX-License-Identifier: BSD-2-Clause
/* undo_turns.h - How often a recipient may take back what it has ended for a tenant.
 *
 * Each end is an event, a row of the list and, for the tenant's endpoints, a post: who presses
 * "stop" and "undo" in turn would make them without end. To end mail is always possible; to take
 * it back three times, then once in ten minutes. A machine without I/O, for one thread. What is
 * forgotten (a restart, or some thousand others since) may be done three times more.
 */
#ifndef UNDO_TURNS_H
#define UNDO_TURNS_H

#include <stdbool.h>
#include <stdint.h>

enum { UNDO_BURST = 3, UNDO_EVERY_MS = 10 * 60 * 1000, UNDO_ROWS = 512, UNDO_PLACES = 8 };

struct undo_turns {
    uint64_t seed; /* random, so that nobody can choose who shares a place */
    struct undo_turn {
        uint64_t who;
        int64_t at_ms; /* GCRA's theoretical arrival time; 0: never */
    } rows[UNDO_ROWS][UNDO_PLACES];
};

/* May `recipient` take something back for `tenant`? `now_ms`: of a clock that is never set. */
bool undo_turns_may(const struct undo_turns *t, const char *tenant, const char *recipient,
                    int64_t now_ms);
/* It has. */
void undo_turns_count(struct undo_turns *t, const char *tenant, const char *recipient,
                      int64_t now_ms);

#endif
