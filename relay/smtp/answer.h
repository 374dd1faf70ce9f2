// SPDX-License-Identifier: BSD-2-Clause
/* answer.h - Reading a server's replies (RFC 5321 section 4.2, RFC 2034), line by line, in any
 * pieces. */
#ifndef ANSWER_H
#define ANSWER_H

#include "buf.h"
#include "err.h"

enum answer_state {
    ANSWER_MORE,     /* not complete yet */
    ANSWER_COMPLETE, /* answer_verdict() and the lines are there */
    ANSWER_BROKEN    /* a code that SMTP does not know, or far too long */
};

struct answer {
    int code;
    size_t lines, bytes;   /* of this reply so far */
    size_t coded, skipped; /* of the lines: with a code, and without one */
    struct buf text;       /* the lines' texts, joined by LF */
};

void answer_init(struct answer *a);
void answer_fini(struct answer *a);

/* Take one reply's lines off the front of `in`. After ANSWER_COMPLETE the next call begins the next
 * reply. */
enum answer_state answer_take(struct answer *a, struct buf *in);

/* The reply as an outcome: code, enhanced code when there is one, text made printable and cut. */
struct verdict answer_verdict(const struct answer *a);

#endif
