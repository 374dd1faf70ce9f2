// SPDX-License-Identifier: BSD-2-Clause
/* host_policy.c - The policy for a host: the first row that fits. */
#include "host_policy.h"

/* What a row asks for: no, yes, or either. */
enum answer { NO, YES, ANY };

static const struct row {
    enum answer fixed, waived;
    unsigned dane; /* bits of states */
    enum answer secure;
    enum tls_policy policy;
    enum host_need need;
    enum tls_result result;
} rows[] = {
#define IN(state) (1U << DANE_##state)
#define ALL (~0U)
    /* fixed, waived, TLSA, secure MX */
    {YES, ANY, ALL, ANY, TLS_POLICY_ROUTE, HOST_NEEDS_ITS_ROUTE, TLS_RESULT_NONE},
    {NO, YES, ALL, ANY, TLS_POLICY_WAIVED, HOST_NEEDS_NOTHING, TLS_RESULT_NONE},
    {NO, NO, IN(FAILED), YES, TLS_POLICY_DANE, HOST_IS_UNUSABLE, TLS_RESULT_DNSSEC_INVALID},
    {NO, NO, IN(FAILED), NO, TLS_POLICY_DANE_MX_INSECURE, HOST_IS_UNUSABLE,
     TLS_RESULT_DNSSEC_INVALID},
    {NO, NO, IN(FOUND), YES, TLS_POLICY_DANE, HOST_NEEDS_CERTIFICATE, TLS_RESULT_NONE},
    {NO, NO, IN(FOUND), NO, TLS_POLICY_DANE_MX_INSECURE, HOST_NEEDS_CERTIFICATE, TLS_RESULT_NONE},
    {NO, NO, IN(UNUSABLE), ANY, TLS_POLICY_DANE_UNUSABLE, HOST_NEEDS_ENCRYPTION,
     TLS_RESULT_TLSA_INVALID},
    {NO, NO, ALL, ANY, TLS_POLICY_OPPORTUNISTIC, HOST_NEEDS_NOTHING, TLS_RESULT_NONE},
};

static bool fits(enum answer wanted, bool is)
{
    return wanted == ANY || (wanted == YES) == is;
}

bool host_policy_asks(const struct host_situation *s)
{
    return !s->fixed && !s->waived && s->mode >= DANE_MODE_REPORT;
}

bool host_policy_demands_tls(const struct host_policy *policy)
{
    return policy->enforced && policy->need >= HOST_NEEDS_ENCRYPTION;
}

void host_policy_decide(const struct host_situation *s, struct host_policy *policy_r)
{
    enum dane_state dane = host_policy_asks(s) ? s->dane : DANE_NONE;
    const struct row *row = rows;
    CHECK(dane != DANE_PENDING);
    while (!fits(row->fixed, s->fixed) || !fits(row->waived, s->waived) ||
           !fits(row->secure, s->secure) || (row->dane & 1U << dane) == 0)
        row++; /* the last fits whatever else does not */
    *policy_r = (struct host_policy){.policy = row->policy,
                                     .need = row->need,
                                     .result = row->result,
                                     .enforced = s->mode != DANE_MODE_REPORT};
}
