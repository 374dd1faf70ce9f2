// SPDX-License-Identifier: BSD-2-Clause
/* session_count.h - Connections counted for TLS reports (RFC 8460 section 4.2): each once, when its
 * TLS has been judged or has failed, with the mail it was made for. */
#ifndef SESSION_COUNT_H
#define SESSION_COUNT_H

#include "attempt.h"

struct outbound;

/* It is ready for a message: its TLS is as host_trust_holds() has judged it. */
void session_count_ready(struct outbound *c);
/* One of its hosts is left out, as it must not have the mail whatever it shows. */
void session_count_barred(struct outbound *c, const char *reason);
/* It has ended, and its TLS can still be looked at. */
void session_count_ended(struct outbound *c);

/* What was counted, to the outcomes of the attempt's mail. */
void session_count_settle(struct attempt *p, struct store_settle *settle);
/* The same when there are no outcomes: nothing of it is lost. */
void session_count_keep(struct attempt *p);

#endif
