// SPDX-License-Identifier: BSD-2-Clause
/* tls_report_places.h - Where a domain wants its TLS report: which of the places has its turn, and
 * may it have another report today (tlsrpt_bounds.h)? */
#ifndef TLS_REPORT_PLACES_H
#define TLS_REPORT_PLACES_H

#include "fetcher.h"
#include "suffix.h"
#include "tlsrpt_bounds.h"
#include "tlsrpt_reports.h"

enum place_standing {
    PLACE_OPEN,
    PLACE_BAD,   /* it did not take this one */
    PLACE_RESTS, /* not in this round */
    PLACE_CLOSED /* not for this report */
};

struct place {
    char uri[TLSRPT_URI_MAX + 1];
    char mailbox[2 * ADDRESS_MAX + 1];         /* ""; it is https */
    char counted[ADDRESS_CANONICAL_MAX + 1];   /* the mailbox, as it is counted */
    char host[ADDRESS_DOMAIN_MAX + 1];         /* or the mailbox's domain; "" it is none */
    char organization[ADDRESS_DOMAIN_MAX + 1]; /* the registered domain of that, or itself */
    char namer[ADDRESS_DOMAIN_MAX + 1];        /* the same of the domain that names it */
    const char *tenant;                        /* the report's; borrowed of its entry */
    bool paused, foreign;                      /* foreign: of another organization */
    enum place_standing standing;
};

struct places {
    struct place all[TLSRPT_RUA_MAX];
    size_t count;
};

/* Those of the record, in its order, for that report, which must live as long. */
void places_note(struct places *p, const struct tlsrpt_record *record,
                 const struct tlsrpt_entry *entry, const struct suffixes *suffixes);
/* May the entry's report still go to this one, in this round or a later one? */
bool places_may_have(const struct places *p, const struct tlsrpt_entry *entry, size_t i);
/* Is it the one of its host that is posted to in this round? One is, and another one next time. */
bool places_has_turn(const struct places *p, const struct tlsrpt_entry *entry, size_t i);
/* With PLACE_CLOSED the same holds for all that are posted to the same host. */
void places_set(struct places *p, size_t i, enum place_standing standing);

/* May it have one more, which is then charged? PLACE_OPEN: it may; else how it stands, and why.
 * `addresses`: of its host, as a fetch has them; not looked at with a mailbox. `why_r` holds 160
 * bytes. */
enum place_standing place_take(const struct place *place, const char *addresses, int cost,
                               struct tlsrpt_bounds *bounds, int64_t now_ms, char *why_r);
void place_charge(const struct place *place, const char *addresses, int cost,
                  struct tlsrpt_bounds *bounds, int64_t now_ms);
/* How a post has ended, that TLSRPT_COST_REFUSED was taken for. What our own fetcher did not do is
 * nobody's failure: it is given back, and the place rests. */
enum place_standing place_posted(const struct place *place, const char *addresses,
                                 const struct fetch_result *result, struct tlsrpt_bounds *bounds,
                                 int64_t now_ms);
/* The entry's mail has come back: none is sent to that mailbox today; if the report is on a foreign
 * domain, no other one of such. False: the record has changed since then. */
bool places_returned(const struct places *p, const struct tlsrpt_entry *entry,
                     struct tlsrpt_bounds *bounds, int64_t now_ms);

#endif
