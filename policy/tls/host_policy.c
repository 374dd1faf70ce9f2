// SPDX-License-Identifier: BSD-2-Clause
/* host_policy.c - The policy for a host: the first row that fits. DANE goes before MTA-STS, also
 * where a host fails it (RFC 8461 section 2). */
#include "host_policy.h"

#include "mta_sts.h"

/* What a row asks for: no, yes, or either. */
enum answer { NO, YES, ANY };

static const struct row {
    enum answer fixed, waived;
    unsigned dane; /* bits of states */
    enum answer secure;
    unsigned sts; /* the same */
    enum answer named;
    enum tls_policy policy;
    enum host_need need;
    enum tls_result result;
} rows[] = {
#define IN(state) (1U << DANE_##state)
#define STS(state) (1U << STS_##state)
#define ALL (~0U)
    /* fixed, waived, TLSA, secure MX, the domain's policy, which names the host */
    {YES, ANY, ALL, ANY, ALL, ANY, TLS_POLICY_ROUTE, HOST_NEEDS_ITS_ROUTE, TLS_RESULT_NONE},
    {NO, YES, ALL, ANY, ALL, ANY, TLS_POLICY_WAIVED, HOST_NEEDS_NOTHING, TLS_RESULT_NONE},
    {NO, NO, IN(FAILED), YES, ALL, ANY, TLS_POLICY_DANE, HOST_IS_UNUSABLE,
     TLS_RESULT_DNSSEC_INVALID},
    {NO, NO, IN(FAILED), NO, ALL, ANY, TLS_POLICY_DANE_MX_INSECURE, HOST_IS_UNUSABLE,
     TLS_RESULT_DNSSEC_INVALID},
    {NO, NO, IN(FOUND), YES, ALL, ANY, TLS_POLICY_DANE, HOST_NEEDS_CERTIFICATE, TLS_RESULT_NONE},
    {NO, NO, IN(FOUND), NO, ALL, ANY, TLS_POLICY_DANE_MX_INSECURE, HOST_NEEDS_CERTIFICATE,
     TLS_RESULT_NONE},
    {NO, NO, ALL, ANY, STS(ENFORCE), NO, TLS_POLICY_STS, HOST_IS_UNUSABLE,
     TLS_RESULT_VALIDATION_FAILURE},
    {NO, NO, ALL, ANY, STS(ENFORCE), YES, TLS_POLICY_STS, HOST_NEEDS_AUTHORITY, TLS_RESULT_NONE},
    {NO, NO, IN(UNUSABLE), ANY, ALL, ANY, TLS_POLICY_DANE_UNUSABLE, HOST_NEEDS_ENCRYPTION,
     TLS_RESULT_TLSA_INVALID},
    {NO, NO, ALL, ANY, STS(TESTING), NO, TLS_POLICY_STS_TESTING, HOST_IS_UNUSABLE,
     TLS_RESULT_VALIDATION_FAILURE},
    {NO, NO, ALL, ANY, STS(TESTING), YES, TLS_POLICY_STS_TESTING, HOST_NEEDS_AUTHORITY,
     TLS_RESULT_NONE},
    {NO, NO, ALL, ANY, ALL, ANY, TLS_POLICY_OPPORTUNISTIC, HOST_NEEDS_NOTHING, TLS_RESULT_NONE},
};

static bool fits(enum answer wanted, bool is)
{
    return wanted == ANY || (wanted == YES) == is;
}

/* By which policies is it certain that the host is the domain's own, and itself? Whoever may name
 * hosts for the domain (an MX that is not signed), or is not held up by what he shows, is not. */
static const bool verifying[TLS_POLICIES] = {[TLS_POLICY_DANE] = true, [TLS_POLICY_STS] = true};

bool host_policy_verifies(enum tls_policy policy, bool route_verifies)
{
    return policy == TLS_POLICY_ROUTE ? route_verifies : verifying[policy];
}

/* The message demands more than the host's domain does. */
static void demand(const struct host_situation *s, struct host_policy *policy)
{
    bool tested = policy->policy == TLS_POLICY_STS_TESTING; /* whether it names the host or not */
    policy->enforced = true;
    if ((policy->need == HOST_IS_UNUSABLE && !tested) ||
        host_policy_verifies(policy->policy, s->verifies))
        return;
    policy->need = HOST_CANNOT_BE_VERIFIED;
    policy->settled =
        host_policy_asks(s) && host_policy_asks_domain(s) && s->no_policy == TLS_RESULT_NONE;
}

bool host_policy_asks(const struct host_situation *s)
{
    return !s->fixed && !s->waived && s->mode >= DANE_MODE_REPORT;
}

bool host_policy_asks_domain(const struct host_situation *s)
{
    return !s->fixed && !s->waived && s->sts_mode >= STS_MODE_REPORT;
}

/* Where DANE is only told of, what the domain's policy enforces holds all the same. */
static enum dane_state dane_of(const struct host_situation *s)
{
    bool overridden = s->mode == DANE_MODE_REPORT && s->sts_mode == STS_MODE_ON &&
                      (s->sts == STS_ENFORCE || s->sts == STS_PENDING);
    return host_policy_asks(s) && !overridden ? s->dane : DANE_NONE;
}

bool host_policy_demands_tls(const struct host_policy *policy)
{
    return policy->enforced && policy->need >= HOST_NEEDS_ENCRYPTION;
}

void host_policy_say_domain(struct host_situation *s, const struct mta_sts_policy *policy_or_null,
                            enum tls_result no_policy, const char *host)
{
    static const enum sts_state states[] = {[MTA_STS_MODE_NONE] = STS_NONE,
                                            [MTA_STS_MODE_TESTING] = STS_TESTING,
                                            [MTA_STS_MODE_ENFORCE] = STS_ENFORCE};
    s->no_policy = no_policy;
    s->sts = policy_or_null ? states[policy_or_null->mode] : STS_NONE;
    s->named = policy_or_null && mta_sts_matches(policy_or_null, span_of(host));
}

enum tls_result host_policy_judge(const struct host_policy *policy, const struct host_tls *found)
{
    bool of_certificate = policy->need == HOST_NEEDS_CERTIFICATE ||
                          policy->need == HOST_NEEDS_AUTHORITY || policy->certified;
    if (policy->result != TLS_RESULT_NONE)
        return policy->result;
    if (policy->need == HOST_CANNOT_BE_VERIFIED && found->starttls)
        return TLS_RESULT_NONE;
    if (!found->tls)
        return found->starttls ? TLS_RESULT_VALIDATION_FAILURE : TLS_RESULT_STARTTLS_NOT_SUPPORTED;
    return of_certificate ? found->certificate : TLS_RESULT_OK;
}

static bool is_enforced(const struct host_situation *s, enum tls_policy policy)
{
    if (policy == TLS_POLICY_STS)
        return s->sts_mode == STS_MODE_ON;
    return policy != TLS_POLICY_STS_TESTING && s->mode != DANE_MODE_REPORT;
}

void host_policy_decide(const struct host_situation *s, struct host_policy *policy_r)
{
    enum dane_state dane = dane_of(s);
    enum sts_state sts = host_policy_asks_domain(s) ? s->sts : STS_NONE;
    const struct row *row = rows;
    CHECK(dane != DANE_PENDING);
    while (!fits(row->fixed, s->fixed) || !fits(row->waived, s->waived) ||
           !fits(row->secure, s->secure) || (row->dane & 1U << dane) == 0 ||
           (row->sts & 1U << sts) == 0 || !fits(row->named, s->named))
        row++; /* the last fits whatever else does not */
    *policy_r = (struct host_policy){.policy = row->policy,
                                     .need = row->need,
                                     .result = row->result,
                                     .enforced = is_enforced(s, row->policy),
                                     .certified = row->need == HOST_NEEDS_ITS_ROUTE && s->verifies};
    if (row->policy == TLS_POLICY_OPPORTUNISTIC && host_policy_asks_domain(s))
        policy_r->result = s->no_policy;
    if (tls_need_verifies(s->demand))
        demand(s, policy_r);
}
