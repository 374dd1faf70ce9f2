// SPDX-License-Identifier: BSD-2-Clause
/* alignment_client.h - Asks for the alignment of a message, for a session. */
#ifndef ALIGNMENT_CLIENT_H
#define ALIGNMENT_CLIENT_H

#include "alignment.h"
#include "sessions.h"

typedef void alignment_client_on_judged(struct sessions *home, uint64_t session,
                                        const struct alignment *alignment);

struct alignment_pair;

/* Ask the alignment service about a pair of domains, for this tenant and this thread's memory; then
 * `done` is called, which may be NULL. */
void alignment_client_ask(struct sessions *home, uint64_t session, const char *tenant,
                          const struct alignment_pair *pair, alignment_client_on_judged *done);

#endif
