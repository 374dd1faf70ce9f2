// SPDX-License-Identifier: BSD-2-Clause
/* grammar.h - The arguments of MAIL and RCPT (RFC 5321 section 4.1.2, with RFC 1870, 3461, 4954,
 * 6152, 6531, 8689). */
#ifndef GRAMMAR_H
#define GRAMMAR_H

#include "address.h"
#include "envelope.h"

#include <stdint.h>

enum grammar_fault {
    GRAMMAR_OK,
    GRAMMAR_SYNTAX,    /* no path where one must be */
    GRAMMAR_ADDRESS,   /* a path, but no valid address in it */
    GRAMMAR_UNKNOWN,   /* parameter not offered */
    GRAMMAR_PARAMETER, /* parameter malformed or given twice */
    GRAMMAR_UTF8       /* non-ASCII address without SMTPUTF8 */
};

struct grammar_mail {
    struct span sender; /* empty: null sender */
    uint64_t size;      /* 0: not said */
    bool body_8bit, smtputf8, requiretls;
    enum envelope_return report;
    struct span envelope_id;
};

struct grammar_rcpt {
    struct span address; /* "postmaster" alone is allowed */
    struct span original;
    unsigned notify;
};

/* `args` is what follows "MAIL " or "RCPT ". Spans in the result borrow from it. One blank after
 * the colon is tolerated. */
enum grammar_fault grammar_mail(struct span args, struct grammar_mail *mail_r);
enum grammar_fault grammar_rcpt(struct span args, bool smtputf8, struct grammar_rcpt *rcpt_r);

/* An EHLO argument: 1 to 255 octets without controls. It should be a domain name or an address
 * literal, but nothing depends on it, and who has logged in need not know its name (RFC 5321
 * section 4.1.4). */
bool grammar_is_helo(struct span text);

#endif
