// SPDX-License-Identifier: BSD-2-Clause
/* capture.h - A domain whose DNS records are not right yet: its mail is kept back, but from those
 * who run the relay.
 */
#ifndef CAPTURE_H
#define CAPTURE_H

#include "store.h"

/* Is the domain of job->mail captured? The answer stays in job->captured. */
MUST_CHECK bool capture_look(struct database *db, struct store_job *job, struct err *err);
/* Is the recipient with this index held? */
bool capture_holds(const struct store_job *job, size_t i);
/* All recipients are written down: job->captured is whether any is held. */
void capture_end(struct store_job *job);
/* It has been: as an event of its message. */
MUST_CHECK bool capture_note(struct database *db, const struct mail *m, size_t i, struct err *err);

#endif
