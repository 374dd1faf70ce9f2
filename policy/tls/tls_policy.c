// SPDX-License-Identifier: BSD-2-Clause
/* tls_policy.c - The words for what TLS with a host is judged by, and for how it was judged. */
#include "tls_policy.h"

#include "check.h"

#include <stdio.h>

const char *tls_policy_name(enum tls_policy policy)
{
    static const char *const names[TLS_POLICIES] = {
        [TLS_POLICY_NONE] = "none",
        [TLS_POLICY_OPPORTUNISTIC] = "opportunistic",
        [TLS_POLICY_ROUTE] = "route",
        [TLS_POLICY_WAIVED] = "waived",
        [TLS_POLICY_DANE] = "dane",
        [TLS_POLICY_DANE_MX_INSECURE] = "dane-mx-insecure",
        [TLS_POLICY_DANE_UNUSABLE] = "dane-unusable",
        [TLS_POLICY_STS] = "sts",
        [TLS_POLICY_STS_TESTING] = "sts-testing",
    };
    CHECK((unsigned)policy < TLS_POLICIES);
    return names[policy];
}

const char *tls_result_name(enum tls_result result)
{
    static const char *const names[TLS_RESULTS] = {
        [TLS_RESULT_NONE] = "none",
        [TLS_RESULT_OK] = "ok",
        [TLS_RESULT_STARTTLS_NOT_SUPPORTED] = "starttls-not-supported",
        [TLS_RESULT_CERTIFICATE_HOST_MISMATCH] = "certificate-host-mismatch",
        [TLS_RESULT_CERTIFICATE_EXPIRED] = "certificate-expired",
        [TLS_RESULT_CERTIFICATE_NOT_TRUSTED] = "certificate-not-trusted",
        [TLS_RESULT_VALIDATION_FAILURE] = "validation-failure",
        [TLS_RESULT_TLSA_INVALID] = "tlsa-invalid",
        [TLS_RESULT_DNSSEC_INVALID] = "dnssec-invalid",
        [TLS_RESULT_DANE_REQUIRED] = "dane-required",
        [TLS_RESULT_STS_POLICY_FETCH_ERROR] = "sts-policy-fetch-error",
        [TLS_RESULT_STS_POLICY_INVALID] = "sts-policy-invalid",
        [TLS_RESULT_STS_WEBPKI_INVALID] = "sts-webpki-invalid",
    };
    CHECK((unsigned)result < TLS_RESULTS);
    return names[result];
}

void tlsa_print(const struct tls_match *match, char text_r[TLSA_TEXT])
{
    snprintf(text_r, TLSA_TEXT, "%u %u %u depth %d", match->usage, match->selector, match->mtype,
             match->depth);
}
