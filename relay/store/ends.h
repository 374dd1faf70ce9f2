// SPDX-License-Identifier: BSD-2-Clause
/* ends.h - Inside the store: the end of a message. */
#ifndef ENDS_H
#define ENDS_H

#include "database.h"

/* Drop the message when no recipient waits or is held any more, and no report is owed. */
MUST_CHECK bool rows_end(struct database *db, int64_t message, struct err *err);

#endif
