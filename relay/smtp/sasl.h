// SPDX-License-Identifier: BSD-2-Clause
/* sasl.h - AUTH PLAIN (RFC 4616), LOGIN and SCRAM-SHA-256 (RFC 7677): from lines of base64 to a
 * name and a secret, or a proof of it (RFC 4954). */
#ifndef SASL_H
#define SASL_H

#include "buf.h"
#include "scram.h"

enum sasl_step {
    SASL_CHALLENGE, /* send 334 and `challenge`, wait for a line */
    SASL_KEYS,      /* the name is complete: sasl_keys() goes on */
    SASL_READY,     /* name and secret, or proof, are complete */
    SASL_DONE,      /* the client has heard our proof */
    SASL_CANCELLED, /* the client said "*" */
    SASL_MALFORMED, /* no base64, or not what the mechanism wants */
    SASL_IDENTITY,  /* an authorisation identity other than the name */
    SASL_UNKNOWN    /* no such mechanism */
};

struct sasl {
    enum {
        SASL_NONE,
        SASL_PLAIN,
        SASL_LOGIN_NAME,
        SASL_LOGIN_SECRET,
        SASL_SCRAM_FIRST,
        SASL_SCRAM_FINAL,
        SASL_SCRAM_END
    } expects;
    struct buf challenge; /* base64 */
    struct buf name, secret;
    bool proves, proven; /* SCRAM: there is no secret; the proof was right */
    struct scram scram;
};

void sasl_init(struct sasl *s);
void sasl_fini(struct sasl *s); /* clears the secret */

/* `args` is what follows "AUTH "; `binding` is scram_init()'s. */
enum sasl_step sasl_begin(struct sasl *s, struct span args, const unsigned char *binding);
/* A line of the client, without CRLF. */
enum sasl_step sasl_line(struct sasl *s, struct span line);
/* After SASL_KEYS: the stored keys of that name. */
enum sasl_step sasl_keys(struct sasl *s, const char *keys);
/* After SASL_READY, proven and accepted: our own proof is to be sent. False: there is none. */
bool sasl_prove(struct sasl *s);

#endif
