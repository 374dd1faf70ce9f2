// SPDX-License-Identifier: BSD-2-Clause
/* party_load.h - How many questions a party may have under way, by what their answers cost others.
 *
 * libunbound validates on one thread, and what an answer costs is only known afterwards: by P-384,
 * with a chain of aliases, tens of milliseconds. Everybody waits for what the thread has begun, so
 * little of one tenant's may be there at once. It begins with some; while more of its could begin
 * and what it asks costs little, it soon becomes all that there is: a tenant's silent names leave
 * room for its others. When the thread is busy by what this party asks it becomes few, and then
 * grows slowly for a minute.
 */
#ifndef PARTY_LOAD_H
#define PARTY_LOAD_H

#include <stdbool.h>
#include <stdint.h>

enum { PARTY_LOAD_FEW = 2, PARTY_LOAD_SOME = 4, PARTY_LOAD_ALL = 1024 };

struct party_load {
    unsigned each; /* so many it may have from now on */
    int64_t grown_ms, busy_ms;
};

/* Any steady clock. */
void party_load_init(struct party_load *l, int64_t now_ms);
/* `busy`: by what this party asks; `waits`: more of its could begin. */
void party_load_look(struct party_load *l, bool busy, bool waits, int64_t now_ms);
/* Does it differ from that of one that has just come? Then it is worth remembering. */
bool party_load_counts(const struct party_load *l, int64_t now_ms);

/* Is a thread busy that has spent so much of so long? */
bool party_load_is_busy(uint64_t spent_us, int64_t passed_ms);

#endif
