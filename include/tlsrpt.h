// SPDX-License-Identifier: BSD-2-Clause
/* tlsrpt.h - A TLS report (RFC 8460 section 4): how many sessions with a domain's servers kept its
 * TLS policies on one day, and why the others did not.
 *
 * One form for those that we read and those that we send. All texts are UTF-8, borrowed, and ""
 * where nothing is said; what kind of policy and what kind of failure it is stays a text, because
 * others have words of their own.
 */
#ifndef TLSRPT_H
#define TLSRPT_H

#include <stddef.h>
#include <stdint.h>

/* What a policy is (section 4.4). */
#define TLSRPT_TYPE_NONE "no-policy-found"
#define TLSRPT_TYPE_STS "sts"
#define TLSRPT_TYPE_TLSA "tlsa"

/* The largest whole number that all readers of JSON agree on (RFC 7493 section 2.2). */
#define TLSRPT_COUNT_MAX INT64_C(9007199254740991)

/* Sessions that failed alike; `result` is a tls_result_name() (section 4.3). */
struct tlsrpt_failure {
    const char *result;
    uint64_t sessions;
    const char *sending_ip;
    const char *mx_host, *mx_helo, *receiving_ip;
    const char *information; /* a URI */
    const char *reason;
};

struct tlsrpt_policy {
    const char *type;
    const char *domain;
    const char **strings; /* the policy's lines, or TLSA records */
    size_t string_count;
    const char **mx_hosts; /* patterns of an STS policy */
    size_t mx_host_count;
    uint64_t ok, failed; /* sessions */
    struct tlsrpt_failure *failures;
    size_t failure_count;
};

struct tlsrpt_report {
    const char *organization;
    const char *contact;
    const char *id;
    int64_t begin_s, end_s; /* Unix seconds; 0: not said */
    struct tlsrpt_policy *policies;
    size_t policy_count;
};

#endif
