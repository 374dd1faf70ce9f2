// SPDX-License-Identifier: BSD-2-Clause
/* auth.h - Who is this? */
#ifndef AUTH_H
#define AUTH_H

#include "sessions.h"
#include "submission.h"

struct auth_answer {
    const struct identity *identity; /* NULL: not this time */
    bool busy;                       /* it could not be looked up */
    int64_t locked_ms;               /* too much was guessed; 0: it was looked up */
    uint64_t accounts;               /* store_accounts() before it was looked up */
    unsigned char mark[DATABASE_MARK];
};

typedef void auth_on_decided(struct sessions *home, uint64_t session,
                             const struct auth_answer *answer);

/* Judge a claim from an address; `done` is called later. A refusal takes half a second or longer,
 * whatever was wrong. */
void auth_ask(struct sessions *home, uint64_t session, const char *peer,
              const struct submission_claim *claim, auth_on_decided *done);
/* The keys for SCRAM of a name; `keys_r` holds SCRAM_KEYS_TEXT bytes. False: not just now. */
bool auth_keys(struct sessions *home, struct span name, char *keys_r);

#endif
