// SPDX-License-Identifier: BSD-2-Clause
/* dane.h - DANE for SMTP (RFC 7672, 7671, 6698): whether DNSSEC says what certificate a host has,
 * and where.
 *
 * Pure, as dns.h describes: dane_evaluate() asks for what it needs, and is run again when more is
 * known. Which of the records count (agility, RFC 7671 section 9), and whether a certificate is one
 * of them, is for TLS to say: see tls.h.
 */
#ifndef DANE_H
#define DANE_H

#include "dns.h"
#include "tls_policy.h"

/* Of one host. What goes beyond them is somebody's mistake, and costs us handshakes. */
enum { DANE_RECORDS_MAX = 32, DANE_BYTES_MAX = 8 * 1024 };
enum { DANE_NAMES_MAX = 3 };

/* RFC 6698 section 2.1. */
struct dane_record {
    unsigned char usage, selector, mtype;
    struct span data;
};

/* What a host's certificate is judged by: one of these records must fit. Nothing here is changed
 * once it is made. */
struct dane {
    const char *names[DANE_NAMES_MAX]; /* any of them, for a certificate found by usage 2; the first
                                          is the base domain of the records, and the SNI */
    size_t name_count;                 /* at least 1 */
    const struct dane_record *records; /* usages 2 and 3 only, as DNS has them */
    size_t count;                      /* at least 1 */
};
#endif
