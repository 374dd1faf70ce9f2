// SPDX-License-Identifier: BSD-2-Clause
/* tls_need.h - What a message demands of TLS with the host that takes it, whatever the host's
 * domain demands.
 *
 * Mail of a domain with a need is apart from the domain's other mail on its whole way: the queue
 * knows it by a name of its own (hop.h), and a connection by its trust (trust.h). So neither holds
 * up the other.
 */
#ifndef TLS_NEED_H
#define TLS_NEED_H

#include "address.h"

/* Stored in the database: never renumber. */
enum tls_need {
    TLS_NEED_NONE = 0,
    TLS_NEED_WAIVED = 1,   /* it is to arrive, whatever TLS (RFC 8689 section 3) */
    TLS_NEED_VERIFIED = 2, /* the host's certificate is verified, and so is that it is the host */
    TLS_NEED_PASSED_ON = 3 /* the same on each hop after it, which it says: REQUIRETLS (RFC 8689) */
};
enum { TLS_NEEDS = 4 };

/* For people: "", "tls-waived", "tls-verified", "requiretls". */
const char *tls_need_name(enum tls_need need);
/* What a row says; NONE where that is nothing known. */
enum tls_need tls_need_of(int64_t stored);
/* Must the host be verified? */
bool tls_need_verifies(enum tls_need need);

/* What one message says of it: the gravest counts. */
struct tls_need_said {
    bool requiretls; /* at MAIL */
    bool verified;   /* by its header, or its stream */
    bool waived;     /* by its header, where that is honoured */
};
enum tls_need tls_need_decide(const struct tls_need_said *said);

#endif
