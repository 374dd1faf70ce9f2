// SPDX-License-Identifier: BSD-2-Clause
/* tls_policy.h - What TLS with a host is judged by, and how it was judged, in the words of TLS
 * reports (RFC 8460 section 4.3).
 *
 * Both are kept of each attempt: the log, the events and the reports tell the same.
 */
#ifndef TLS_POLICY_H
#define TLS_POLICY_H

enum tls_policy {
    TLS_POLICY_NONE,             /* no host was asked, or TLS was nobody's concern */
    TLS_POLICY_OPPORTUNISTIC,    /* where it is offered (RFC 7435) */
    TLS_POLICY_ROUTE,            /* as the operator's `route` says, and nothing else */
    TLS_POLICY_WAIVED,           /* its sender wants it to arrive, whatever TLS (RFC 8689) */
    TLS_POLICY_DANE,             /* by TLSA records of a host that DNSSEC names (RFC 7672) */
    TLS_POLICY_DANE_MX_INSECURE, /* the same of a host that anybody may have named: not verified */
    TLS_POLICY_DANE_UNUSABLE,    /* TLSA records, none for us: TLS with whoever answers */
    TLS_POLICY_STS,              /* by the domain's MTA-STS policy (RFC 8461) */
    TLS_POLICY_STS_TESTING,      /* the same, which is told and holds up nothing */
    TLS_POLICIES
};

enum tls_result {
    TLS_RESULT_NONE, /* it has not come to a judgement */
    TLS_RESULT_OK,
    TLS_RESULT_STARTTLS_NOT_SUPPORTED,
    TLS_RESULT_CERTIFICATE_HOST_MISMATCH,
    TLS_RESULT_CERTIFICATE_EXPIRED,
    TLS_RESULT_CERTIFICATE_NOT_TRUSTED,
    TLS_RESULT_VALIDATION_FAILURE,
    TLS_RESULT_TLSA_INVALID,
    TLS_RESULT_DNSSEC_INVALID,
    TLS_RESULT_DANE_REQUIRED,
    TLS_RESULT_STS_POLICY_FETCH_ERROR,
    TLS_RESULT_STS_POLICY_INVALID,
    TLS_RESULT_STS_WEBPKI_INVALID,
    TLS_RESULTS
};

/* "dane-mx-insecure" … */
const char *tls_policy_name(enum tls_policy policy);
/* "certificate-host-mismatch" …; "ok", and "none" where there was no judgement. */
const char *tls_result_name(enum tls_result result);

/* The TLSA record that a certificate of the server's chain fits. */
struct tls_match {
    unsigned char usage, selector, mtype;
    int depth; /* of that certificate; 0: the server's own */
};

/* "3 1 1 depth 0". */
enum { TLSA_TEXT = 32 };
void tlsa_print(const struct tls_match *match, char text_r[TLSA_TEXT]);

#endif
