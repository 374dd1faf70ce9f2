// SPDX-License-Identifier: BSD-2-Clause
/* queue_pauses.h - What pauses.c and paused.c do for the other files of the core. */
#ifndef QUEUE_PAUSES_H
#define QUEUE_PAUSES_H

#include "queue_reasons.h"

/* ---- pauses.c ---- */

void pauses_init(struct queue *q);
/* All of them; before tenants and destinations go. */
void pauses_fini(struct queue *q);
/* Of one destination: its first, and its last. */
void pauses_begin(struct destination *d);
void pauses_free(struct queue *q, struct destination *d);
/* What this connection carries was taken. */
void pauses_taken(struct queue *q, const struct connection *c, int64_t now_ms);
/* By an operator's word: they end; or what rests is tried now. */
void pauses_forget(struct queue *q, struct destination *d, int64_t now_ms);
/* Of those that hold back that domain's mail. */
void pauses_ask(struct queue *q, const struct domain *domain, int64_t now_ms);
void pauses_wake(struct queue *q, int64_t now_ms);
int64_t pauses_wake_ms(const struct queue *q);
/* How many hold back mail there, or try whether they have to: looks at all of them. */
unsigned pauses_shown(const struct destination *d);
void pauses_check(const struct destination *d);

/* ---- paused.c ---- */

/* Does it wait? `own` does not count. */
bool pause_bars(const struct line *line, const struct connection *own);
/* The same, and others of its tenant's mail there do not. */
bool pause_sets_aside(const struct line *line);
/* What holds up this mail; NULL: nothing. Borrowed. */
const char *pause_why(const struct line *line);
/* Until when; 0: nothing holds it back; INT64_MAX: until one message has shown something. */
int64_t pause_until_ms(const struct line *line);
/* Of those that hold back mail to that domain, but what asks, the one that lasts longest; whose: ""
 * of all. */
struct tenant_rest pause_longest(const struct destination *d, const char *domain);
/* The connection carries that mail no more, or is stuck with it: another message may ask. */
void pause_was_asked(struct queue *q, const struct connection *c, const struct line *line_or_null);

#endif
