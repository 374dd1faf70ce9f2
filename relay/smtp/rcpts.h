// SPDX-License-Identifier: BSD-2-Clause
/* rcpts.h - Answers to the recipients of the message under way. */
#ifndef RCPTS_H
#define RCPTS_H

#include "delivery.h"

/* Give everyone who has no refusal of their own the same answer. */
void rcpts_answer_all(struct delivery_mail *m, const struct verdict *v);
/* Does a reply to RCPT say that the transaction has as many recipients as the server takes? */
bool rcpts_are_too_many(const struct verdict *v);
size_t rcpts_accepted(const struct delivery_mail *m);
/* Refused by their own RCPT, other than for being too many. */
size_t rcpts_refused(const struct delivery_mail *m);
/* Who is refused keeps that answer, `one` (SIZE_MAX: nobody) gets this one, all others get none. */
void rcpts_part(struct delivery_mail *m, size_t one, const struct verdict *v);
/* As if nobody had been asked. */
void rcpts_forget(struct delivery_mail *m);

#endif
