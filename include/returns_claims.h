// SPDX-License-Identifier: BSD-2-Clause
/* returns_claims.h - What a message that came back means for the recipient to whose address it
 * came (returns_token.h). The address says whose it is; the message only claims what happened.
 */
#ifndef RETURNS_CLAIMS_H
#define RETURNS_CLAIMS_H

#include "returns.h"

/* Stored in the database, as bits: never renumber. */
#define RETURNS_EVENTS_LIST(X)      \
    X(NOTHING, "nothing")           \
    X(RETURNED, "returned")         \
    X(COMPLAINED, "complained")     \
    X(AUTO_REPLIED, "auto_replied") \
    X(LATE_DELAY, "late_delay")

#define RETURNS_EVENTS_ENUM(name, word) RETURNS_EVENT_##name,
enum returns_event { RETURNS_EVENTS_LIST(RETURNS_EVENTS_ENUM) RETURNS_EVENTS };
#undef RETURNS_EVENTS_ENUM
/* "returned" …: the event of the history. */
const char *returns_event_name(enum returns_event event);

/* Of one recipient that it tells of. */
struct returns_claim {
    char address[RETURNS_ADDRESS_MAX + 1], original[RETURNS_ADDRESS_MAX + 1];
    enum returns_event event;
    bool judged; /* it says why: */
    struct returns_judgement judgement;
};

struct returns_claims {
    bool personal;            /* somebody has written it who wants to be read */
    enum returns_event event; /* of a message that does not tell of recipients */
    size_t count;
    struct returns_claim list[RETURNS_RECIPIENTS_MAX];
};

/* All that it claims: it takes up to a tenth of a millisecond for each recipient. */
void returns_claims_make(const struct returns_reading *reading, struct returns_claims *claims_r);

/* What follows for one recipient. */
struct returns_fate {
    enum returns_event event;
    const struct returns_judgement *judgement; /* of the claims; NULL: it does not say why */
    unsigned suppress_after; /* heard on so many days the recipient is suppressed; 0: never */
};

/* For the one that we wrote to. A report about one other address only was perhaps forwarded, and
 * suppresses on the second day at the earliest; of several others none is meant. */
struct returns_fate returns_claims_about(const struct returns_claims *claims,
                                         const char *recipient);

#endif
