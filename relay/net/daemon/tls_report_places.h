// SPDX-License-Identifier: BSD-2-Clause
/* tls_report_places.h - Where a domain wants its TLS report: which of the places has its turn, and
 * may it have another report today (tlsrpt_bounds.h)? */
#ifndef TLS_REPORT_PLACES_H
#define TLS_REPORT_PLACES_H

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
    char mailbox[2 * ADDRESS_MAX + 1];       /* ""; it is https */
    char counted[ADDRESS_CANONICAL_MAX + 1]; /* the mailbox, as it is counted */
    char host[ADDRESS_DOMAIN_MAX + 1];       /* or the mailbox's domain; "" it is none */
    bool paused, foreign;                    /* foreign: of another organization */
    enum place_standing standing;
};

struct places {
    struct place all[TLSRPT_RUA_MAX];
    size_t count;
};

/* Those of the record, in its order, for reports on that domain. */
void places_note(struct places *p, const struct tlsrpt_record *record, const char *domain,
                 const struct suffixes *suffixes);
/* May the entry's report still go to this one, in this round or a later one? */
bool places_may_have(const struct places *p, const struct tlsrpt_entry *entry, size_t i);
/* Is it the one of its host that is posted to in this round? One is, and another one next time. */
bool places_has_turn(const struct places *p, const struct tlsrpt_entry *entry, size_t i);
/* With PLACE_CLOSED the same holds for all that are posted to the same host. */
void places_set(struct places *p, size_t i, enum place_standing standing);

/* `addresses`: of its host, as a fetch has them; not looked at with a mailbox. */
enum tlsrpt_bound place_ask(const struct place *place, const char *addresses,
                            struct tlsrpt_bounds *bounds, int64_t now_ms);
void place_charge(const struct place *place, const char *addresses, int cost,
                  struct tlsrpt_bounds *bounds, int64_t now_ms);
/* Its mail has come back: nobody's report is sent there today. */
void place_returned(const struct place *place, struct tlsrpt_bounds *bounds, int64_t now_ms);
/* It has said when to come again. */
void place_rests(const struct place *place, int64_t for_ms, struct tlsrpt_bounds *bounds,
                 int64_t now_ms);

#endif
