// SPDX-License-Identifier: BSD-2-Clause
/* events.h - Inside the store: writing an event, in the transaction of what it tells. */
#ifndef EVENTS_H
#define EVENTS_H

#include "database.h"

MUST_CHECK bool rows_event(struct database *db, const struct database_event *event,
                           struct err *err);
/* An event of recipient `i` of a message that is being accepted; of `v` only code and enhanced. */
MUST_CHECK bool rows_mail_event(struct database *db, const struct mail *mail, size_t i,
                                const char *kind, const struct verdict *v, const char *reply,
                                struct err *err);

#endif
