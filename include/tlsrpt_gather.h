// SPDX-License-Identifier: BSD-2-Clause
/* tlsrpt_gather.h - From one connection to a report: a session is counted under what is written
 * here of it, and the counts of a day become the policies of a TLS report (tlsrpt.h).
 *
 * Pure: what is kept between the two is for the store to say.
 */
#ifndef TLSRPT_GATHER_H
#define TLSRPT_GATHER_H

#include "dane.h"
#include "tls_policy.h"
#include "tlsrpt.h"

#include <stdatomic.h>

/* ---- one session ---- */

/* A policy as reports have it, and what it is found by. A domain may give its policy hundreds of
 * lines, and thirty hosts: all sessions share one, on whatever threads. Never changed once it is
 * made; freed with who holds it last. */
struct tlsrpt_text {
    atomic_uint holders;
    unsigned char digest[16]; /* secret_digest() of the text */
    char text[];
};

struct tlsrpt_text *tlsrpt_text_new(const char *text); /* copies it; held once */
/* Once more: the text itself. */
struct tlsrpt_text *tlsrpt_text_hold(struct tlsrpt_text *t);
void tlsrpt_text_drop(struct tlsrpt_text *t); /* NULL does nothing */

/* One connection with a host, from its greeting until TLS has been judged. Of a success only domain
 * and policy are counted. */
struct tlsrpt_session {
    char domain[DNS_NAME_MAX + 1]; /* whose mail it was made for, in A-labels */
    enum tls_result result;        /* OK, or why not; never NONE */
    struct tlsrpt_text *policy;    /* tlsrpt_gather_policy(); held by whoever has the session */
    char sending_ip[64], mx_host[256], mx_helo[256], receiving_ip[64], reason[120];
};

struct mta_sts_policy;

/* What the session was judged by. */
struct tlsrpt_terms {
    enum tls_policy policy;
    const char *domain, *host;        /* of the mail, and the one that was spoken to */
    const struct dane_answer *dane;   /* NULL: nobody has asked */
    const struct mta_sts_policy *sts; /* with MTA-STS: the policy; NULL: not known */
};

/* Append the policy as reports have it, as JSON: the same text for the same policy. False when it
 * does not fit. Policies that are not the receiver's are none ("no-policy-found"). */
MUST_CHECK bool tlsrpt_gather_policy(const struct tlsrpt_terms *terms, struct buf *out);
/* The same with a line for what its kind consists of that says that it is left out: what sessions
 * are counted under when a domain has had too much of that on one day. */
MUST_CHECK bool tlsrpt_gather_bare(const char *policy, const char *domain, struct buf *out);

/* ---- many ---- */

/* Sessions that went alike. */
struct tlsrpt_count {
    const char *policy;                                                 /* as above */
    const char *result;                                                 /* a tls_result_name() */
    const char *sending_ip, *mx_host, *mx_helo, *receiving_ip, *reason; /* "": not said */
    int64_t sessions;
};

struct tlsrpt_gather;

/* Without counts; freed with tlsrpt_gather_free(), which allows NULL. */
struct tlsrpt_gather *tlsrpt_gather_new(void);
void tlsrpt_gather_free(struct tlsrpt_gather *g);
/* Copies it. A policy that is no JSON of ours is left out. */
void tlsrpt_gather_add(struct tlsrpt_gather *g, const struct tlsrpt_count *count);
/* The policies, in the order in which they came first; borrowed until the next call. */
void tlsrpt_gather_report(struct tlsrpt_gather *g, struct tlsrpt_report *report_r);
/* Sessions of either kind. */
uint64_t tlsrpt_gather_ok(const struct tlsrpt_gather *g);
uint64_t tlsrpt_gather_failed(const struct tlsrpt_gather *g);

/* ---- when ---- */

enum { TLSRPT_DAYS_KEPT = 2 }; /* reports on days before these are not sent any more */
#define TLSRPT_DAY_MS INT64_C(86400000)

/* When the report on `day` (since 1970, UTC) is due, Unix ms: some hours after its end, at a time
 * that is the domain's own (RFC 8460 section 4.1). */
int64_t tlsrpt_gather_due_ms(int64_t day, const char *domain);
/* How long to wait after the n-th failure in sequence; below 0: it has been tried for a day since
 * `first_ms`, and is given up (section 5.5). */
int64_t tlsrpt_gather_wait_ms(unsigned failures, int64_t first_ms, int64_t now_ms);

#endif
