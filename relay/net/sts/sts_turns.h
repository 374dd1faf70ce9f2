// SPDX-License-Identifier: BSD-2-Clause
/* sts_turns.h - Which policy is fetched next, when there are more than may be under way.
 *
 *   wait - a turn at the policy host's address - a turn of all - begun - leave
 *
 * Both are tenants' turns (party_turns.h). At one address half of all may be under way: so a host
 * of thousands of domains that is slow holds up neither its tenants' other domains nor, there, what
 * others ask for.
 */
#ifndef STS_TURNS_H
#define STS_TURNS_H

#include "ip.h"
#include "party_turns.h"

#include <stddef.h>
#include <stdint.h>

struct sts_host;

struct sts_turns {
    unsigned most;
    struct party_turns *all;
    struct sts_host *hosts; /* hash; those of places */
};

/* What waits to be fetched, and for whom; the rest is all zeros at first. */
struct sts_place {
    const char *tenant, *domain; /* borrowed; of a domain NULL: none */
    bool urgent;
    unsigned rank;           /* 0 goes before 1 */
    uint64_t merit;          /* party_turns.h */
    void *what;              /* the caller's */
    struct sts_host *host;   /* NULL: it does not wait to be fetched, and is not */
    struct party_turn *pass; /* its turn there, as soon as it has one */
    struct party_turn *turn; /* that it waits for; or has, when it has begun */
    bool begun;
};

/* At most `most` are under way. */
void sts_turns_init(struct sts_turns *t, unsigned most);
/* All places have left. */
void sts_turns_fini(struct sts_turns *t);

/* It waits from here on. `host`: where it is fetched from. */
void sts_place_wait(struct sts_turns *t, struct sts_place *p, const struct ip *host);
bool sts_place_waits(const struct sts_place *p);
/* It is fetched, or not wanted any more. */
void sts_place_leave(struct sts_turns *t, struct sts_place *p);
/* `what` of the place whose fetch begins now; NULL: none may. */
void *sts_turns_next(struct sts_turns *t);

#endif
