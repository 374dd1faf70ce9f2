// SPDX-License-Identifier: BSD-2-Clause
/* permits.h - What a browser may take back (unsubscribe.h), kept in its cookies: one for each kind
 * of what it has ended. They are for this host alone, no script sees them, and no request that
 * begins on another site brings them. */
#ifndef PERMITS_H
#define PERMITS_H

#include "optout.h"
#include "unsubscribe.h"

struct MHD_Connection;
struct MHD_Response;

/* Fill who->marks from the cookies of a request. */
void permits_read(struct MHD_Connection *request, const struct unsubscribe_keys *keys,
                  struct optout *who);
/* With this answer goes the permit for what was ended. */
void permits_give(struct MHD_Response *answer, const struct unsubscribe_keys *keys,
                  const struct optout *who, enum optout_kind kind, int64_t made_ms);
/* With this answer those go that were used up. */
void permits_take(struct MHD_Response *answer, const struct optout *who);

#endif
