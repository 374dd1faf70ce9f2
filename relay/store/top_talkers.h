// SPDX-License-Identifier: BSD-2-Clause
/* top_talkers.h - Inside the store: who sends and gets most. */
#ifndef TOP_TALKERS_H
#define TOP_TALKERS_H

#include "database.h"

/* A limit said no to mail for this recipient, in its canonical form. */
MUST_CHECK bool top_talkers_note_refused(struct database *db, const char *credential,
                                         const char *recipient, int64_t now_ms, struct err *err);

/* Forget some of what was noted before; true when there is more. */
bool top_talkers_sweep(struct database *db, int64_t before_ms);

#endif
