// SPDX-License-Identifier: BSD-2-Clause
/* tlsrpt_reports.h - The TLS reports of the store: one for each UTC day and domain, from the first
 * session that is counted until a week after it was sent.
 *
 *   COUNTING ─▶ QUEUED ─▶ SENT       by mail: queued with the mark, in one transaction
 *     │  ▲─────────┘ └──────────▶    the mail comes back: another place is tried
 *     ├─────────────▶ SENT           by https
 *     └─────────────▶ DROPPED        nobody wants it, or takes it
 *
 * All of it runs inside a transaction of the store (store_change), but for what only reads.
 */
#ifndef TLSRPT_REPORTS_H
#define TLSRPT_REPORTS_H

#include "database.h"
#include "tlsrpt_gather.h"
#include "tlsrpt_record.h"

/* Stored in the database: never renumber. */
enum tlsrpt_state { TLSRPT_COUNTING, TLSRPT_QUEUED, TLSRPT_SENT, TLSRPT_DROPPED };
enum { TLSRPT_STATES = 4 };

struct tlsrpt_entry {
    int64_t day; /* since 1970, UTC */
    char domain[DNS_NAME_MAX + 1], tenant[64];
    enum tlsrpt_state state;
    int64_t due_ms, first_ms;     /* when it is tried next; when it was first, 0: never */
    unsigned tries, failed;       /* failures in sequence; places that will not have it, as bits */
    unsigned place;               /* of the record, that has it */
    int64_t message;              /* QUEUED, SENT: the mail that carries it, 0: none */
    char uri[TLSRPT_URI_MAX + 1]; /* the place */
    int64_t ended_ms, ok, bad;    /* when, and how many sessions it tells of */
    char why[160];
};

const char *tlsrpt_state_name(enum tlsrpt_state state); /* "counting" … */

typedef void database_on_tlsrpt(void *context, const struct tlsrpt_entry *entry);

/* The first `limit` that are due, but for those of tenants that are busy ("": nobody). */
enum { TLSRPT_BUSY = 2 };
MUST_CHECK bool database_tlsrpt_due(struct database *db, int64_t now_ms, char busy[TLSRPT_BUSY][64],
                                    int64_t limit, database_on_tlsrpt *on_entry, void *context,
                                    struct err *err);
/* What was counted, added to `g`. */
MUST_CHECK bool database_tlsrpt_counts(struct database *db, int64_t day, const char *domain,
                                       struct tlsrpt_gather *g, struct err *err);
/* They go, and the policies that nothing else is counted under. */
MUST_CHECK bool database_tlsrpt_forget(struct database *db, int64_t day, const char *domain,
                                       struct err *err);
/* As the entry says; with SENT and DROPPED its counts go. ERR_NOT_FOUND: it is not COUNTING. */
MUST_CHECK bool database_tlsrpt_mark(struct database *db, const struct tlsrpt_entry *entry,
                                     struct err *err);
/* The domain has not asked for any: what was counted on that day goes. */
MUST_CHECK bool database_tlsrpt_unwanted(struct database *db, int64_t day, const char *domain,
                                         struct err *err);
/* Reports that are too late are DROPPED, `late_r` of them, and what is older goes. */
MUST_CHECK bool database_tlsrpt_sweep(struct database *db, int64_t now_ms, int64_t *late_r,
                                      struct err *err);
/* Behind that day and domain, `limit` at most; `pending`: those only that are not sent yet. */
MUST_CHECK bool database_tlsrpt_list(struct database *db, int64_t day, const char *domain,
                                     bool pending, int64_t limit, database_on_tlsrpt *on_entry,
                                     void *context, struct err *err);

/* Where a domain's record wants its reports. What becomes of them there is that domain's alone:
 * whoever names the place of others has no say about theirs. */
struct tlsrpt_place {
    const char *domain, *uri;
};
/* Is it left alone, as it was bad on three days in sequence? */
MUST_CHECK bool database_tlsrpt_paused(struct database *db, const struct tlsrpt_place *place,
                                       int64_t now_ms, bool *paused_r, struct err *err);
/* What became of a report there. `paused_r`: this was the third bad day. Records name as many
 * places as they like: what goes badly at more than 1000 on a day is not written down. */
MUST_CHECK bool database_tlsrpt_place(struct database *db, const struct tlsrpt_place *place,
                                      bool good, int64_t now_ms, bool *paused_r, struct err *err);

#endif
