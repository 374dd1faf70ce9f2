// SPDX-License-Identifier: BSD-2-Clause
/* lookup.h - One DNS question, asked on a loop; libunbound is in here and nowhere else. */
#ifndef LOOKUP_H
#define LOOKUP_H

#include "config.h"
#include "dns.h"

#include <uv.h>

struct lookups;
struct lookup;

/* One server that is asked for what is in a zone, instead of all those that DNS names. */
struct lookups_stub {
    const char *zone, *ip;
};

/* `stub`: NULL for none. */
MUST_CHECK bool lookups_new(uv_loop_t *loop, const struct config *config,
                            const struct lookups_stub *stub, struct lookups **lookups_r,
                            struct err *err);
/* What is under way must have been cancelled. */
void lookups_free(struct lookups *l);

/* Takes `answer`. Never called from inside lookup_start(). */
typedef void lookup_on_answer(void *context, struct dns_answer *answer);

/* Ask for a valid name. NULL when it cannot be asked just now. There is no timeout: the owner has a
 * timer and cancels.
 */
MUST_CHECK struct lookup *lookup_start(struct lookups *l, const char *name, enum dns_type type,
                                       lookup_on_answer *done, void *context);
void lookup_cancel(struct lookup *lookup); /* NULL does nothing */

#endif
