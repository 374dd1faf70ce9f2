// SPDX-License-Identifier: BSD-2-Clause
/* submission_reply.h - The reply to the client and the line in the log about a message that the
 * store has decided on. */
#ifndef SUBMISSION_REPLY_H
#define SUBMISSION_REPLY_H

#include "store_jobs.h"

/* Why nothing could be stored. */
struct verdict submission_reply_failure(const struct err *err);
/* The answer to the client, and in `more` the lines behind its first, each ended by LF. The
 * last of them ends with the message's id, "Ok: queued as ID": mail libraries look there. */
struct verdict submission_reply_answer(const struct store_accept *a, struct buf *more);
void submission_reply_log(const struct store_accept *a);

#endif
