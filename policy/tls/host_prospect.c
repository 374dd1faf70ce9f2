// SPDX-License-Identifier: BSD-2-Clause
/* host_prospect.c - The reasons why a host may not have a message, in the order in which a delivery
 * meets them: the first that holds counts. */
#include "host_prospect.h"

/* A message on its way to a host. */
struct case_of {
    const struct host_situation *s;
    const struct host_found *found;
    const struct host_policy *policy;
};

static bool is_unverifiable(const struct case_of *c)
{
    return c->policy->need == HOST_CANNOT_BE_VERIFIED;
}

static bool is_by_domain(const struct case_of *c)
{
    return c->policy->policy == TLS_POLICY_STS || c->policy->policy == TLS_POLICY_STS_TESTING;
}

static bool is_unnamed(const struct case_of *c)
{
    return c->policy->enforced && c->policy->need == HOST_IS_UNUSABLE && is_by_domain(c);
}

static bool is_unknown(const struct case_of *c)
{
    return c->policy->enforced && c->policy->need == HOST_IS_UNUSABLE;
}

/* What it does in clear after that, or says at last, is all that is known of it. */
static bool is_late(const struct case_of *c)
{
    return c->found->late && c->found->contact != HOST_ANSWERS;
}

static bool is_silent(const struct case_of *c)
{
    return c->found->contact == HOST_SILENT;
}

static bool is_asked(const struct case_of *c)
{
    return c->found->contact >= HOST_REFUSES && !is_late(c);
}

/* Who refuses everybody before EHLO has said nothing about TLS. */
static bool has_shown_tls(const struct case_of *c)
{
    const struct host_found *found = c->found;
    return is_asked(c) && (found->contact == HOST_ANSWERS || found->tls.tls ||
                           found->tls.starttls || found->lacks_starttls);
}

static bool lacks_tls(const struct case_of *c)
{
    bool by_route = c->policy->need == HOST_NEEDS_ITS_ROUTE && c->s->encrypts;
    return has_shown_tls(c) && (host_policy_demands_tls(c->policy) || by_route) &&
           !c->found->tls.tls && c->policy->need != HOST_CANNOT_BE_VERIFIED;
}

static bool lacks_starttls(const struct case_of *c)
{
    return lacks_tls(c) && !c->found->tls.starttls;
}

static bool refuses(const struct case_of *c)
{
    return c->found->contact == HOST_REFUSES;
}

static bool is_unfit(const struct case_of *c)
{
    bool by_policy = c->policy->enforced && (c->policy->need == HOST_NEEDS_CERTIFICATE ||
                                             c->policy->need == HOST_NEEDS_AUTHORITY);
    return is_asked(c) && (by_policy || c->policy->certified) && c->found->tls.tls &&
           c->found->tls.certificate != TLS_RESULT_OK;
}

static bool passes_nothing_on(const struct case_of *c)
{
    return is_asked(c) && c->s->demand == TLS_NEED_PASSED_ON && !c->found->requiretls;
}

static const struct {
    bool (*holds)(const struct case_of *c);
    const char *why;
} reasons[] = {
    {is_unverifiable, "by its TLS policy no host is verified"},
    {is_unnamed, "the policy of the domain does not name it"},
    {is_unknown, "its TLSA records cannot be looked up"},
    {is_late, "it was too slow to be looked at; a delivery waits for minutes"},
    {is_silent, "it cannot be reached"},
    {lacks_starttls, "it offers no STARTTLS, which is demanded"},
    {lacks_tls, "its TLS fails, which is demanded"},
    {is_unfit, "its certificate is not what is demanded"},
    {refuses, "it takes no mail from here"},
    {passes_nothing_on, "it does not offer REQUIRETLS"},
};

/* Where all hosts are so, that is final: nothing that could pass stands in the way. */
static bool is_final(const struct case_of *c)
{
    return c->s->demand == TLS_NEED_PASSED_ON &&
           (is_unverifiable(c) ? c->policy->settled
                               : c->found->contact == HOST_ANSWERS && !is_unknown(c) &&
                                     !is_unfit(c) && !lacks_tls(c));
}

/* Who has no TLS, where it is demanded, is told so, whatever is known of its records. */
static enum tls_result judge(const struct case_of *c, bool by_lack)
{
    struct host_policy policy = *c->policy;
    if (by_lack)
        policy.result = TLS_RESULT_NONE;
    return host_policy_judge(&policy, &c->found->tls);
}

void host_prospect_decide(const struct host_situation *s, const struct host_found *found,
                          struct host_prospect *prospect_r)
{
    struct host_policy policy;
    const struct case_of c = {s, found, &policy};
    size_t i = 0;
    host_policy_decide(s, &policy);
    while (i < COUNT_OF(reasons) && !reasons[i].holds(&c))
        i++;
    const char *why = i < COUNT_OF(reasons) ? reasons[i].why : NULL;
    if (has_shown_tls(&c))
        policy.result = judge(&c, why && lacks_tls(&c));
    bool asked = found->contact != HOST_UNASKED;
    *prospect_r = (struct host_prospect){.outcome = why && is_final(&c) ? HOST_LACKS_IT
                                                    : why               ? HOST_IS_LEFT
                                                    : asked             ? HOST_TAKES_IT
                                                                        : HOST_MAY_TAKE_IT,
                                         .policy = policy,
                                         .tls = !why && found->tls.tls,
                                         .why = why ? why : ""};
    prospect_r->verified = prospect_r->tls && policy.result == TLS_RESULT_OK &&
                           host_policy_verifies(policy.policy, s->verifies);
}

const char *host_outcome_name(enum host_outcome outcome)
{
    static const char *const names[] = {[HOST_TAKES_IT] = "delivered",
                                        [HOST_MAY_TAKE_IT] = "may be delivered",
                                        [HOST_IS_LEFT] = "next host",
                                        [HOST_LACKS_IT] = "next host, or returned"};
    return names[outcome];
}

enum domain_outcome host_prospect_all(const struct host_prospect *prospects, size_t count,
                                      size_t *host_r)
{
    bool final = true;
    for (size_t i = 0; i < count; i++) {
        *host_r = i;
        if (prospects[i].outcome <= HOST_MAY_TAKE_IT)
            return prospects[i].outcome == HOST_TAKES_IT ? DOMAIN_TAKES_IT : DOMAIN_MAY_TAKE_IT;
        final = final && prospects[i].outcome == HOST_LACKS_IT;
    }
    *host_r = 0;
    return final ? DOMAIN_RETURNS_IT : DOMAIN_MAKES_IT_WAIT;
}

const char *domain_outcome_name(enum domain_outcome outcome)
{
    static const char *const names[] = {[DOMAIN_TAKES_IT] = "delivered",
                                        [DOMAIN_MAY_TAKE_IT] = "may be delivered",
                                        [DOMAIN_MAKES_IT_WAIT] = "waits",
                                        [DOMAIN_RETURNS_IT] = "returned"};
    return names[outcome];
}
