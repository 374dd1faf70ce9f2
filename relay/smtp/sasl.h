// SPDX-License-Identifier: BSD-2-Clause
/* sasl.h - AUTH PLAIN (RFC 4616) and LOGIN: from lines of base64 to a name and a secret (RFC 4954).
 */
#ifndef SASL_H
#define SASL_H

#include "buf.h"

enum sasl_step {
    SASL_CHALLENGE, /* send 334 and `challenge`, wait for a line */
    SASL_READY,     /* name and secret are complete */
    SASL_CANCELLED, /* the client said "*" */
    SASL_MALFORMED, /* no base64, or not what the mechanism wants */
    SASL_IDENTITY,  /* an authorisation identity other than the name */
    SASL_UNKNOWN    /* no such mechanism */
};

struct sasl {
    enum { SASL_NONE, SASL_PLAIN, SASL_LOGIN_NAME, SASL_LOGIN_SECRET } expects;
    const char *challenge; /* base64 */
    struct buf name, secret;
};

void sasl_init(struct sasl *s);
void sasl_fini(struct sasl *s); /* clears the secret */

/* `args` is what follows "AUTH ". */
enum sasl_step sasl_begin(struct sasl *s, struct span args);
/* A line of the client, without CRLF. */
enum sasl_step sasl_line(struct sasl *s, struct span line);

#endif
