// SPDX-License-Identifier: BSD-2-Clause
/* receipt.h - What is said, to the client and in the log, of a message that the store has decided
 * on. */
#ifndef RECEIPT_H
#define RECEIPT_H

#include "store.h"

/* Why nothing could be stored. */
struct verdict receipt_failure(const struct err *err);
/* The answer to the client. */
struct verdict receipt_answer(const struct store_job *job);
void receipt_log(const struct store_job *job);

#endif
