// SPDX-License-Identifier: BSD-2-Clause
/* verify_load.h - How many questions a tenant may have under way, by what answers cost to validate.
 *
 * libunbound validates on one thread, and what an answer costs is only known afterwards: by P-384,
 * with a chain of aliases, tens of milliseconds. Everybody waits for what the thread has begun, so
 * little of one tenant's may be there at once. It begins with some; while those who wait could have
 * more and the thread has time, it soon becomes all that there is: a tenant's silent names leave
 * room for its others. When validating takes half of the time it becomes few, and then grows slowly
 * for a minute.
 */
#ifndef VERIFY_LOAD_H
#define VERIFY_LOAD_H

#include <stdbool.h>
#include <stdint.h>

enum { VERIFY_LOAD_FEW = 2, VERIFY_LOAD_SOME = 32, VERIFY_LOAD_ALL = 1024 };

struct verify_load {
    unsigned each;
    uint64_t spent_us; /* by the last look */
    int64_t looked_ms, grown_ms, busy_ms;
};

void verify_load_init(struct verify_load *l, uint64_t spent_us, int64_t now_ms);
/* How many each may have from now on. `spent_us`: what all validating has taken so far; `waits`:
 * somebody could have more. Any steady clock, microseconds of CPU. */
unsigned verify_load_look(struct verify_load *l, uint64_t spent_us, bool waits, int64_t now_ms);

#endif
