// SPDX-License-Identifier: BSD-2-Clause
/* submission_reply.h - What is said, to the client and in the log, of a message that the store has
 * decided on. */
#ifndef SUBMISSION_REPLY_H
#define SUBMISSION_REPLY_H

#include "store.h"

/* Why nothing could be stored. */
struct verdict submission_reply_failure(const struct err *err);
/* The answer to the client, and in `more` the lines behind its first, each ended by LF. The
 * last of them ends with the message's id, "Ok: queued as ID": mail libraries look there. */
struct verdict submission_reply_answer(const struct store_job *job, struct buf *more);
void submission_reply_log(const struct store_job *job);

#endif
