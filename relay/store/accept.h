// SPDX-License-Identifier: BSD-2-Clause
/* accept.h - Inside the store: new mail. */
#ifndef ACCEPT_H
#define ACCEPT_H

#include "store_jobs.h"

/* a->mail, by a->decisions if there are any. Those that are refused are accepted with their
 * refusal as last reply: what is missing is only their report. */
MUST_CHECK bool rows_accept(struct database *db, struct store_accept *a, struct err *err);

#endif
