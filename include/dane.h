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

/* ---- what DNS says ---- */

enum dane_state {
    DANE_PENDING,
    DANE_NONE,     /* DNSSEC says nothing of the host's certificate */
    DANE_FOUND,    /* there are records that can be used */
    DANE_UNUSABLE, /* there are records, and none that can be used */
    DANE_FAILED    /* nothing is known: the host must not be used (RFC 7672 section 2.1.2) */
};

struct dane_query {
    const char *host;      /* as the MX names it; lower case */
    const char *canonical; /* what it is an alias for; NULL: nothing; "" that cannot be said */
    bool secure;           /* its addresses are, with all aliases on the way to them */
    unsigned port;
    bool last; /* what is still missing counts as failed */
};

struct dane_answer {
    enum dane_state state;
    char base[DNS_NAME_MAX + 1];  /* FOUND, UNUSABLE */
    enum dns_failure failure;     /* FAILED */
    char asked[DNS_NAME_MAX + 1]; /* where the records are, or the name that has no answer; or "" */
    struct dane_record *records;  /* owned; FOUND only */
    size_t count;
};

/* Free with dane_answer_fini(), whatever the state. */
void dane_evaluate(const struct dane_query *query, const struct dns *dns,
                   struct dane_answer *answer_r);
void dane_answer_fini(struct dane_answer *answer);

/* ---- what TLS is judged by ---- */

/* What the host's name must be, besides its base domain: `next_hop` and its canonical name or NULL
 * count only where DNSSEC has led from there to the host (RFC 7672 section 3.2.2). An answer in
 * another state than DANE_FOUND has no records, which nothing fits. All is borrowed from what is
 * given. */
void dane_make(const struct dane_answer *answer, bool secure_mx, const char *next_hop,
               const char *canonical_or_null, struct dane *dane_r);
/* The same for the same, and never all zero: for what a connection has proven, and for what its
 * session may be resumed for. Names count only where a record lets them decide. */
enum { DANE_DIGEST = 16 };
void dane_digest(const struct dane *dane, unsigned char digest_r[DANE_DIGEST]);

#endif
