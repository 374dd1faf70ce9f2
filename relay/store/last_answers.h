// SPDX-License-Identifier: BSD-2-Clause
/* last_answers.h - Inside the store: what a receiver has said of a recipient at last, at RCPT or by
 * what came back later. */
#ifndef LAST_ANSWERS_H
#define LAST_ANSWERS_H

#include "check.h"
#include "err.h"

struct database;

struct last_answer {
    const char *tenant, *address;
    const char *site;    /* whose answer it is; "": nobody's */
    const char *source;  /* who has said it, for the list */
    unsigned needed;     /* on so many days it must be said before it suppresses */
    int64_t suppress_ms; /* there is no such mailbox: for so long; 0: it says something else */
    bool returned;       /* by a return path: whoever has got the mail can say so */
};

/* Count it, and suppress the recipient if it says so and the site's brake (suppress_brake.h) is not
 * on. What came back counts apart, for its tenant, once a day for a recipient: it holds back
 * what comes back only, and takes nothing from the list. */
MUST_CHECK bool last_answers_heed(struct database *db, const struct last_answer *a, int64_t now_ms,
                                  struct err *err);

#endif
