// SPDX-License-Identifier: BSD-2-Clause
/* audit.h - The audit trail: who changed what, and security incidents. Rows are only added, in the
 * transaction of the change that they describe. Each row has a hash over itself and the previous
 * hash.
 *
 * A row that was changed, inserted or removed breaks the chain. Rows removed from the end do not:
 * keep the last hash elsewhere, and verify that it is still there.
 */
#ifndef AUDIT_H
#define AUDIT_H

#include "database.h"

#define AUDIT_RELAY "relay" /* who: nobody from outside */
enum { AUDIT_HASH = 65 };

struct audit_row {
    int64_t seq, at_ms;
    const char *who, *what, *about, *hash; /* borrowed during the call */
};
typedef void database_on_audit(void *context, const struct audit_row *row);

/* In the store's transaction. `what` is a verb of the control socket or an event's kind. */
MUST_CHECK bool database_audit(struct database *db, const char *who, const char *what,
                               const char *about, struct err *err);
/* The same, and an event of that kind that belongs to no message. */
MUST_CHECK bool database_note(struct database *db, const char *who, const char *kind,
                              const char *about, const char *text, struct err *err);
/* Up to `limit` rows after the one numbered `after`. */
MUST_CHECK bool database_audit_rows(struct database *db, int64_t after, int64_t limit,
                                    database_on_audit *on_row, void *context, struct err *err);

/* The number of the last row; 0: there are none. */
MUST_CHECK bool database_audit_last(struct database *db, int64_t *seq_r, struct err *err);

/* The number of the last row up to which alerts of a kind have left, or need not; -1: nothing was
 * written down. */
MUST_CHECK bool database_alerted(struct database *db, const char *kind, int64_t *seq_r,
                                 struct err *err);
MUST_CHECK bool database_set_alerted(struct database *db, const char *kind, int64_t seq,
                                     struct err *err);

struct audit_verdict {
    int64_t rows, broken;  /* broken: the number of the first row that does not fit; 0: none */
    char head[AUDIT_HASH]; /* the last one's; "" when there are none */
    bool found;            /* a row has the hash that was expected */
};
/* Reads all of it. `expected` may be NULL. */
MUST_CHECK bool database_audit_verify(struct database *db, const char *expected,
                                      struct audit_verdict *verdict_r, struct err *err);

#endif
