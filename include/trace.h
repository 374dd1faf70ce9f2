// SPDX-License-Identifier: BSD-2-Clause
/* trace.h - Logs the dialogue of chosen connections line by line, to find a fault between Sealpost
 * and an application or a server (sealpost serve --trace).
 *
 *   info trace peer=192.0.2.7 session=3 c="MAIL FROM:<a@club.example>"
 *
 * c is the client's line, s the server's. The caller leaves out secrets and the bytes of messages.
 */
#ifndef TRACE_H
#define TRACE_H

#include "span.h"

#include <stdbool.h>
#include <stdint.h>

/* Names separated by commas, borrowed for good: addresses, credentials, domains, hosts, or "all".
 * Before there are threads; NULL for none. */
void trace_choose(const char *names);
/* What was chosen, or NULL. */
const char *trace_chosen(void);
/* Is this one of them? In any case of letters. Next to nothing when none was chosen. */
bool trace_is_chosen(const char *name);

enum trace_side { TRACE_CLIENT, TRACE_SERVER };

/* One line of the log for each line of `text`. `host` may be NULL; `number`: of the session or
 * connection, for telling two at one address apart. From any thread. */
void trace_say(const char *host, const char *peer, uint64_t number, enum trace_side side,
               struct span text);

#endif
