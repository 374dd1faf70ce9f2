// SPDX-License-Identifier: BSD-2-Clause
/* attempt_heard.h - What servers have said to a message: what each reply means, and what follows
 * from it for other mail. */
#ifndef ATTEMPT_HEARD_H
#define ATTEMPT_HEARD_H

#include "attempt.h"
#include "reply_action.h"

/* What its server has said of how fast it takes mail; before attempt_settle(). `reply_r`: with
 * QUEUE_TOO_FAST how it said so, borrowed; else NULL. */
enum queue_spoken attempt_spoken(const struct attempt *p, const struct verdict **reply_r);
/* The provider whose host has answered, else the host's domain: mx1.club.example is of
 * club.example. False: it is nobody's. */
bool attempt_site(const struct attempt *p, size_t i, char site_r[64]);
/* What its host meant, and what follows from that. False: no server has said anything. */
bool attempt_judge(const struct attempt *p, size_t i, struct reply_judgement *judgement_r,
                   struct reply_action *action_r);
/* The queue learns whose other mail waits because of what was said; before attempt_settle(). */
void attempt_tells_refusals(const struct attempt *p);
/* The same, and of what those who have no answer yet are told: said by that host to MAIL, or later.
 */
void attempt_tells_failure(const struct attempt *p, const struct verdict *v, const char *host,
                           bool at_mail);
/* By what ended the connection after MAIL was taken: is more sent than is taken? */
bool attempt_lost_as_too_fast(const struct attempt *p, const struct verdict *v);
/* Does other mail wait because of it? Then those who are left do, too. */
bool attempt_is_refused_for_others(const struct attempt *p);
/* So long it waits, as its sending domain, or all of its mailboxes, do; 0: it goes. */
int64_t attempt_waits_ms(struct attempt *p);

#endif
