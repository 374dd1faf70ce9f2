// SPDX-License-Identifier: BSD-2-Clause
/* capture.h - A domain whose DNS records are not right yet: its mail is kept back, but from those
 * who run the relay.
 */
#ifndef CAPTURE_H
#define CAPTURE_H

#include "store_jobs.h"

/* Is the domain of a->mail captured, and does that count for it? As a->capture. */
MUST_CHECK bool capture_look(struct database *db, struct store_accept *a, struct err *err);
/* If so, is the recipient with this index held? */
bool capture_holds(const struct store_accept *a, size_t i);
/* It has been: as an event of its message. */
MUST_CHECK bool capture_note(struct database *db, const struct store_accept *a, size_t i,
                             struct err *err);

#endif
