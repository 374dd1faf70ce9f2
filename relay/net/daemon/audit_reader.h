// SPDX-License-Identifier: BSD-2-Clause
/* audit_reader.h - Rows of the audit trail, read by the store's reader and handed over on a
 * loop. */
#ifndef AUDIT_READER_H
#define AUDIT_READER_H

#include "audit.h"
#include "store_read.h"

#include <uv.h>

struct audit_reader;

/* The rows that were asked for have all been handed over; or not, if `err` says why. */
typedef void audit_reader_on_end(void *context, const struct err *err);

/* On `loop`, as all else here. `store` is borrowed. */
struct audit_reader *audit_reader_new(uv_loop_t *loop, struct store *store,
                                      database_on_audit *on_row, audit_reader_on_end *on_end,
                                      void *context);
/* Up to `limit` rows after the one numbered `after`; when nothing is asked for. */
void audit_reader_ask(struct audit_reader *r, int64_t after, int64_t limit);
/* Nothing is handed over any more. The store must still be there when the loop ends. */
void audit_reader_close(struct audit_reader *r);
void audit_reader_free(struct audit_reader *r); /* when the loop has ended; NULL is allowed */

#endif
