// SPDX-License-Identifier: BSD-2-Clause
/* certificate_screen.h - Is it cheap to parse and verify what a stranger calls a certificate, or a
 * key?
 *
 * To be asked before it is parsed. Nothing is said of whether a certificate is good.
 */
#ifndef CERTIFICATE_SCREEN_H
#define CERTIFICATE_SCREEN_H

#include "span.h"

/* Of one message: octets, and certificates. */
enum { CERTIFICATES_SIZE_MAX = 32 * 1024, CERTIFICATES_MAX = 32 };

enum certificate_fault {
    CERTIFICATE_FINE = 0,
    CERTIFICATE_MALFORMED,
    CERTIFICATE_OWN_CURVE,   /* its key has a curve that is written out (RFC 5480 section 2.1.1) */
    CERTIFICATE_UNKNOWN_KEY, /* its key is of a kind, or on a curve, that is not used */
    CERTIFICATE_RELATIVE_NAME, /* a distribution point's is relative (RFC 5280 section 4.2.1.13) */
    CERTIFICATE_TOO_MANY,
    CERTIFICATE_COMPRESSED /* RFC 8879: never asked for */
};

/* For people: "its key has …"; what is wrong with a FINE one is "nothing". */
const char *certificate_fault_text(enum certificate_fault fault);

/* A certificate in DER (RFC 5280 section 4.1), and nothing behind it. */
enum certificate_fault certificate_screen(struct span der);

/* The same of a SubjectPublicKeyInfo. */
enum certificate_fault certificate_screen_key(struct span der);

/* A handshake message with its head, as it came and before it is parsed: Certificate as TLS 1.3
 * (RFC 8446 section 4.4.2) or older (RFC 5246 section 7.4.2) has it; all others are FINE, except
 * CompressedCertificate. One that is not FINE is spoilt in place: whoever parses it then finds no
 * certificate in it, and fails. */
enum certificate_fault certificate_screen_message(unsigned char *message, size_t len, bool tls13);

#endif
