// SPDX-License-Identifier: BSD-2-Clause
/* tlsrpt_record.h - Where a domain wants TLS reports: the TXT record of _smtp._tls.DOMAIN (RFC 8460
 * section 3). */
#ifndef TLSRPT_RECORD_H
#define TLSRPT_RECORD_H

#include "address.h"
#include "dns.h"

enum { TLSRPT_RUA_MAX = 10, TLSRPT_URI_MAX = 1000 };

enum tlsrpt_wants {
    TLSRPT_WANTS_REPORTS,
    TLSRPT_NO_RECORD,
    TLSRPT_SEVERAL_RECORDS, /* which is as none */
    TLSRPT_NO_RUA,          /* it says no place */
    TLSRPT_NO_USABLE_RUA    /* none that a report could be sent to */
};

struct tlsrpt_rua {
    struct span uri;               /* borrowed from the answer */
    char address[ADDRESS_MAX + 1]; /* of "mailto:", without its %; "": it is https */
};

struct tlsrpt_record {
    struct tlsrpt_rua rua[TLSRPT_RUA_MAX]; /* those that can be used, in order; no more are read */
    size_t count;
};

/* What an answer to a question for TXT records says. A place that cannot be used is left out, so
 * that the others get their report. An address is `local@domain` with a local part that may need
 * quotes. */
enum tlsrpt_wants tlsrpt_record_read(const struct dns_answer *answer,
                                     struct tlsrpt_record *record_r);

/* The address as address_parse() takes it: with quotes around a local part that needs them.
 * `mailbox_r` holds at least 2 * ADDRESS_MAX + 1 bytes. False when it has no such form. */
MUST_CHECK bool tlsrpt_rua_mailbox(const struct tlsrpt_rua *rua, char *mailbox_r);

/* "no-usable-rua" … */
const char *tlsrpt_wants_name(enum tlsrpt_wants wants);

#endif
