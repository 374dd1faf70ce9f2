// SPDX-License-Identifier: BSD-2-Clause
/* tlsrpt_rows.h - Inside the store: sessions counted for TLS reports, and the mail that carries
 * one. */
#ifndef TLSRPT_ROWS_H
#define TLSRPT_ROWS_H

#include "store_jobs.h"

/* One session of today, in the share of that tenant. What there is no room for is not counted. */
MUST_CHECK bool tlsrpt_rows_count(struct database *db, const struct tlsrpt_session *session,
                                  const char *tenant, int64_t now_ms, struct err *err);
/* The report's mail is accepted: the entry says so. `queued_r` false: it was sent before, and must
 * not be again. */
MUST_CHECK bool tlsrpt_rows_queue(struct database *db, const struct store_accept *a, bool *queued_r,
                                  struct err *err);
/* Mail that carries a report has come to its end. */
MUST_CHECK bool tlsrpt_rows_settle(struct database *db, const struct store_outcome *o,
                                   int64_t now_ms, struct err *err);

#endif
