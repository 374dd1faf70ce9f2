// SPDX-License-Identifier: BSD-2-Clause
/* auth.h - Checks credentials for sessions. */
#ifndef AUTH_H
#define AUTH_H

#include "sessions.h"
#include "submission.h"

struct auth_answer {
    const struct identity *identity; /* NULL: not this time */
    bool busy;                       /* it could not be looked up */
    int64_t locked_ms;               /* too much was guessed; 0: it was looked up */
    struct credential *credential;   /* whose identity it is, held by the answer */
};

typedef void auth_on_decided(struct sessions *home, uint64_t session,
                             const struct auth_answer *answer);

/* Judge a claim from an address; `done` is called later. A refusal takes half a second or longer,
 * whatever was wrong. */
void auth_ask(struct sessions *home, uint64_t session, const char *peer,
              const struct submission_claim *claim, auth_on_decided *done);

#endif
