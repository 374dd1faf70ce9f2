// SPDX-License-Identifier: BSD-2-Clause
/* host_prospect_test.c - All situations of a host with all that it can show, for each kind of message: what people are told never
 * contradicts the policy. And a row for each reason, and for each order of hosts. */
#include "table.h"

#include "host_prospect.h"

#include <stdio.h>

static void check(const struct host_situation *s, const struct host_found *found)
{
    struct host_prospect p;
    char text[200];
    host_prospect_decide(s, found, &p);
    snprintf(text, sizeof(text), "dane %d as %d, sts %d as %d, need %d, contact %d, tls %d, certificate %d: %d, %s", (int)s->dane, (int)s->mode,
             (int)s->sts, (int)s->sts_mode, (int)s->demand, (int)found->contact, found->tls.tls, (int)found->tls.certificate, (int)p.outcome,
             p.why);
    bool goes = p.outcome <= HOST_MAY_TAKE_IT;
    bool asked = found->contact != HOST_UNASKED;
    EXPECT(goes == (p.why[0] == '\0'), text);
    EXPECT(!goes || (p.outcome == HOST_TAKES_IT) == asked, text);
    EXPECT(!goes || !asked || found->contact == HOST_ANSWERS, text);
    EXPECT(!goes || !asked || found->tls.tls || !host_policy_demands_tls(&p.policy), text); /* no clear text where it is forbidden */
    EXPECT(!goes || !asked || !tls_need_verifies(s->demand) || p.verified, text);
    EXPECT(!goes || !asked || s->demand != TLS_NEED_PASSED_ON || found->requiretls, text);
    EXPECT(!p.verified || found->tls.certificate == TLS_RESULT_OK, text);
    EXPECT(p.outcome != HOST_LACKS_IT || s->demand == TLS_NEED_PASSED_ON, text); /* nothing else is ever returned for TLS */
}

static void each(const struct host_situation *s)
{
    static const enum tls_result results[] = {TLS_RESULT_NONE, TLS_RESULT_OK, TLS_RESULT_VALIDATION_FAILURE};
    for (int contact = HOST_UNASKED; contact <= HOST_ANSWERS; contact++)
        for (unsigned bits = 0; bits < 8; bits++)
            for (size_t r = 0; r < COUNT_OF(results); r++) {
                bool tls = contact >= HOST_REFUSES && (bits & 1);
                if (contact == HOST_ANSWERS && tls && results[r] == TLS_RESULT_NONE)
                    continue; /* who has TLS has been judged */
                check(s, &(struct host_found){.contact = (enum host_contact)contact,
                                              .tls = {.tls = tls, .starttls = tls || (bits & 2), .certificate = results[r]},
                                              .requiretls = tls && (bits & 4)});
            }
}

static void what_is_told_never_contradicts_the_policy(void **state)
{
    static const enum dane_state danes[] = {DANE_NONE, DANE_FOUND, DANE_UNUSABLE, DANE_FAILED};
    (void)state;
    for (unsigned bits = 0; bits < 8; bits++)
        for (int mode = DANE_MODE_OFF; mode <= DANE_MODE_ON; mode++)
            for (size_t d = 0; d < COUNT_OF(danes); d++)
                for (int sts_mode = STS_MODE_OFF; sts_mode <= STS_MODE_ON; sts_mode++)
                    for (int sts = STS_NONE; sts <= STS_ENFORCE; sts++)
                        for (int need = TLS_NEED_NONE; need < TLS_NEEDS; need++)
                            each(&(struct host_situation){.secure = bits & 1,
                                                          .named = bits & 2,
                                                          .fixed = bits & 4,
                                                          .encrypts = bits & 4,
                                                          .verifies = bits & 4,
                                                          .waived = need == TLS_NEED_WAIVED,
                                                          .demand = (enum tls_need)need,
                                                          .mode = (enum dane_mode)mode,
                                                          .dane = danes[d],
                                                          .sts_mode = (enum sts_mode)sts_mode,
                                                          .sts = (enum sts_state)sts});
}

#define OUTCOMES(...) {__VA_ARGS__}

static void the_first_host_that_takes_it_counts(void **state)
{
    static const struct {
        const char *label;
        enum host_outcome outcomes[3];
        enum domain_outcome want;
        size_t host;
    } rows[] = {
        {"the first", OUTCOMES(HOST_TAKES_IT, HOST_TAKES_IT, HOST_IS_LEFT), DOMAIN_TAKES_IT, 0},
        {"one behind others", OUTCOMES(HOST_IS_LEFT, HOST_LACKS_IT, HOST_TAKES_IT), DOMAIN_TAKES_IT, 2},
        {"one that was not asked", OUTCOMES(HOST_IS_LEFT, HOST_MAY_TAKE_IT, HOST_TAKES_IT), DOMAIN_MAY_TAKE_IT, 1},
        {"none", OUTCOMES(HOST_LACKS_IT, HOST_IS_LEFT, HOST_LACKS_IT), DOMAIN_MAKES_IT_WAIT, 0},
        {"none ever", OUTCOMES(HOST_LACKS_IT, HOST_LACKS_IT, HOST_LACKS_IT), DOMAIN_RETURNS_IT, 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct host_prospect all[3] = {{.why = ""}, {.why = ""}, {.why = ""}};
        size_t host = 99;
        for (size_t k = 0; k < 3; k++)
            all[k].outcome = rows[i].outcomes[k];
        EXPECT(host_prospect_all(all, 3, &host) == rows[i].want, rows[i].label);
        EXPECT(host == rows[i].host, rows[i].label);
    }
}

static void who_is_too_slow_for_a_look_is_not_judged(void **state)
{
    const struct host_situation s = {
        .secure = true, .mode = DANE_MODE_ON, .dane = DANE_FOUND, .demand = TLS_NEED_PASSED_ON, .named = true};
    struct host_found found = {.contact = HOST_REFUSES, .tls.starttls = true, .late = true};
    struct host_prospect p;
    (void)state;
    host_prospect_decide(&s, &found, &p);
    EXPECT(p.outcome == HOST_IS_LEFT && p.policy.result == TLS_RESULT_NONE && strstr(p.why, "too slow"), p.why);
    found.contact = HOST_SILENT;
    host_prospect_decide(&s, &found, &p);
    EXPECT(p.outcome == HOST_IS_LEFT && strstr(p.why, "too slow"), p.why);
    found = (struct host_found){.contact = HOST_REFUSES, .tls.starttls = true};
    host_prospect_decide(&s, &found, &p);
    EXPECT(p.policy.result == TLS_RESULT_VALIDATION_FAILURE, "others are");
}

static void a_route_is_judged_by_what_it_demands(void **state)
{
    const struct host_situation s = {.fixed = true, .encrypts = true, .verifies = true};
    struct host_prospect p;
    (void)state;
    host_prospect_decide(&s, &(struct host_found){HOST_ANSWERS, {true, true, TLS_RESULT_CERTIFICATE_NOT_TRUSTED}, false, false, false}, &p);
    EXPECT(p.policy.result == TLS_RESULT_CERTIFICATE_NOT_TRUSTED && strstr(p.why, "certificate"), p.why);
    host_prospect_decide(&s, &(struct host_found){.contact = HOST_REFUSES, .lacks_starttls = true}, &p);
    EXPECT(p.policy.result == TLS_RESULT_STARTTLS_NOT_SUPPORTED && strstr(p.why, "no STARTTLS"), p.why);
    host_prospect_decide(&s, &(struct host_found){.contact = HOST_REFUSES}, &p);
    EXPECT(p.policy.result == TLS_RESULT_NONE && strstr(p.why, "takes no mail"), p.why);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_told_never_contradicts_the_policy),
                                       cmocka_unit_test(the_first_host_that_takes_it_counts),
                                       cmocka_unit_test(who_is_too_slow_for_a_look_is_not_judged),
                                       cmocka_unit_test(a_route_is_judged_by_what_it_demands)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
