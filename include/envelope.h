// SPDX-License-Identifier: BSD-2-Clause
/* envelope.h - A message's envelope: sender and recipients, with the parameters of RFC 1870, 3461,
 * 6152 and 6531. */
#ifndef ENVELOPE_H
#define ENVELOPE_H

#include "check.h"
#include "span.h"

#include <stdint.h>

/* RFC 3461 section 4.1; stored in the database: never renumber. 0: not given, which means FAILURE.
 */
enum { NOTIFY_NEVER = 1, NOTIFY_SUCCESS = 2, NOTIFY_FAILURE = 4, NOTIFY_DELAY = 8 };
/* RFC 3461 section 4.3; stored: never renumber. */
enum envelope_return { RETURN_UNSAID = 0, RETURN_FULL = 1, RETURN_HEADERS = 2 };

struct envelope_rcpt {
    char *address;  /* as given */
    char *domain;   /* normal form */
    char *original; /* ORCPT as given; "" when there was none */
    unsigned notify;
};

struct envelope {
    char *sender; /* "" is the null sender; NULL: no transaction */
    char *id;     /* ENVID as given; "" when there was none */
    enum envelope_return report;
    bool smtputf8;
    struct envelope_rcpt *rcpts;
    size_t count;
};

/* Free what it holds: there is no transaction then. */
void envelope_clear(struct envelope *e);
/* Room for one recipient more, of whom a peer says how many there are; false: no memory for it. */
MUST_CHECK bool envelope_reserve(struct envelope *e);
/* What one recipient holds. */
void envelope_free_rcpt(struct envelope_rcpt *rcpt);
/* Add a recipient; copies all. */
void envelope_add(struct envelope *e, struct span address, const char *domain, struct span original,
                  unsigned notify);
/* Take the last recipient off again. */
void envelope_drop(struct envelope *e);
/* A copy of a span as a C string, to be freed; the span holds no zero byte. */
char *envelope_text(struct span s);

#endif
