// SPDX-License-Identifier: BSD-2-Clause
/* events.h - Inside the store: writing an event, in the transaction of what it tells. */
#ifndef EVENTS_H
#define EVENTS_H

#include "store_jobs.h"

MUST_CHECK bool rows_event(struct database *db, const struct database_event *event,
                           struct err *err);
/* An event of recipient `i` of a message that is being accepted; of `v` only code and enhanced. */
MUST_CHECK bool rows_mail_event(struct database *db, const struct mail *mail, size_t i,
                                const char *kind, const struct verdict *v, const char *reply,
                                struct err *err);
/* The same, of mail that is repeated or refused: when its tenant's share of the events is used up
 * it is only counted, and told with others (share_notices.h). */
MUST_CHECK bool rows_spared_event(struct database *db, const struct store_accept *a, size_t i,
                                  const char *kind, const struct verdict *v, const char *reply,
                                  struct err *err);

/* It is accepted, and perhaps the first that its tenant has ever sent to recipient `i`. */
MUST_CHECK bool rows_accepted_event(struct database *db, const struct mail *mail, size_t i,
                                    bool first_time, struct err *err);

/* Behind each job of a transaction, in no savepoint: when there are enough new events, put them
 * into the index by message, in this transaction. */
MUST_CHECK bool rows_index_events(struct database *db, struct err *err);
/* All that are not there yet, in the open transaction. */
MUST_CHECK bool rows_index_rest(struct database *db, struct err *err);
/* The same in transactions of its own: at the start and at the end. */
MUST_CHECK bool rows_index_all_events(struct database *db, struct err *err);

#endif
