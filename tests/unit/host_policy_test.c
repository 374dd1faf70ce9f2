// SPDX-License-Identifier: BSD-2-Clause
/* host_policy_test.c - All that DANE, MTA-STS, routes and messages can say of a host: 8 states of DNS, 7 of the domain's policy, both
 * settings. What must never be, whatever the rest says. */
#include "table.h"

#include "host_policy.h"

#include <stdio.h>

static bool is_dane(const struct host_policy *p)
{
    return p->policy == TLS_POLICY_DANE || p->policy == TLS_POLICY_DANE_MX_INSECURE;
}

static void check(const struct host_situation *s)
{
    struct host_policy p;
    char text[160];
    snprintf(text, sizeof(text), "fixed %d waived %d secure %d dane %d as %d, sts %d as %d named %d", s->fixed, s->waived, s->secure,
             (int)s->mode, (int)s->dane, (int)s->sts_mode, (int)s->sts, s->named);
    bool asks = host_policy_asks(s);
    bool asks_domain = host_policy_asks_domain(s);
    bool decides = asks && (s->dane == DANE_FOUND || s->dane == DANE_FAILED);
    bool enforces = asks_domain && s->sts == STS_ENFORCE && s->sts_mode == STS_MODE_ON;
    host_policy_decide(s, &p);
    EXPECT(!s->fixed || p.policy == TLS_POLICY_ROUTE, text);
    EXPECT(s->fixed || !s->waived || p.policy == TLS_POLICY_WAIVED, text);
    EXPECT(!(decides && s->mode == DANE_MODE_ON) || (is_dane(&p) && p.enforced), text);      /* no policy makes good for it */
    EXPECT(!enforces || (decides && s->mode == DANE_MODE_ON) || p.policy == TLS_POLICY_STS, text); /* nothing else weakens it */
    EXPECT(p.policy != TLS_POLICY_STS || asks_domain, text);
    EXPECT(p.policy != TLS_POLICY_STS || (p.need == HOST_NEEDS_AUTHORITY) == s->named, text);
    EXPECT(!enforces || host_policy_demands_tls(&p), text); /* never in clear text */
    EXPECT(p.policy != TLS_POLICY_STS_TESTING || !p.enforced, text);
    EXPECT(p.policy != TLS_POLICY_STS || p.enforced == (s->sts_mode == STS_MODE_ON), text);
    EXPECT(p.policy != TLS_POLICY_OPPORTUNISTIC || p.result == (asks_domain ? s->no_policy : TLS_RESULT_NONE), text);
}

static void whatever_is_said(void **state)
{
    static const enum dane_state danes[] = {DANE_NONE, DANE_FOUND, DANE_UNUSABLE, DANE_FAILED};
    (void)state;
    for (unsigned bits = 0; bits < 16; bits++)
        for (int mode = DANE_MODE_OFF; mode <= DANE_MODE_ON; mode++)
            for (size_t d = 0; d < COUNT_OF(danes); d++)
                for (int sts_mode = STS_MODE_OFF; sts_mode <= STS_MODE_ON; sts_mode++)
                    for (int sts = STS_PENDING; sts <= STS_ENFORCE; sts++)
                        check(&(struct host_situation){.fixed = bits & 1,
                                                       .waived = bits & 2,
                                                       .secure = bits & 4,
                                                       .mode = (enum dane_mode)mode,
                                                       .dane = danes[d],
                                                       .sts_mode = (enum sts_mode)sts_mode,
                                                       .sts = (enum sts_state)sts,
                                                       .named = bits & 8,
                                                       .no_policy = sts == STS_NONE ? TLS_RESULT_STS_POLICY_INVALID : TLS_RESULT_NONE});
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(whatever_is_said)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
