// SPDX-License-Identifier: BSD-2-Clause
/* tls_need_test.c - What a message may demand of TLS, and which hosts can meet it. */
#include "table.h"

#include "hop.h"
#include "host_policy.h"
#include "trust.h"

static void the_gravest_that_is_said_counts(void **state)
{
    static const struct {
        const char *label;
        struct tls_need_said said;
        enum tls_need want;
    } rows[] = {
        {"nothing", {0}, TLS_NEED_NONE},
        {"waived", {.waived = true}, TLS_NEED_WAIVED},
        {"verified", {.verified = true}, TLS_NEED_VERIFIED},
        {"verified, and waived", {.verified = true, .waived = true}, TLS_NEED_VERIFIED},
        {"REQUIRETLS, and waived", {.requiretls = true, .waived = true}, TLS_NEED_PASSED_ON},
        {"all", {.requiretls = true, .verified = true, .waived = true}, TLS_NEED_PASSED_ON},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        EXPECT(tls_need_decide(&rows[i].said) == rows[i].want, rows[i].label);
}

static void a_hop_is_a_domain_with_a_need_and_a_source(void **state)
{
    char longest[ADDRESS_DOMAIN_MAX + 1];
    char long_source[HOP_SOURCE];
    char text[HOP_TEXT];
    char source[HOP_SOURCE];
    struct hop hop;
    const char *domains[] = {"", "a.test", "xn--bcher-kva.example", longest};
    const char *sources[] = {"", "news", "10.0-b_c", long_source};
    (void)state;
    memset(longest, 'a', ADDRESS_DOMAIN_MAX);
    longest[ADDRESS_DOMAIN_MAX] = '\0';
    memset(long_source, 's', HOP_SOURCE - 1);
    long_source[HOP_SOURCE - 1] = '\0';
    for (size_t i = 0; i < COUNT_OF(domains); i++)
        for (size_t k = 0; k < COUNT_OF(sources); k++)
            for (int need = 0; need < TLS_NEEDS; need++) {
                hop_print(domains[i], (enum tls_need)need, sources[k], text);
                hop_read(text, &hop);
                assert_int_equal(hop.need, need);
                assert_string_equal(hop.domain, domains[i]);
                assert_string_equal(hop.source, sources[k]);
            }
    hop_print("a.test", TLS_NEED_NONE, "", text);
    assert_string_equal(text, "a.test"); /* what is remembered of destinations goes on */
    hop_print("a.test", TLS_NEED_PASSED_ON, "news", text);
    assert_string_equal(text, "a.test requiretls source=news");
    hop_read("a.test nonsense", &hop);
    assert_int_equal(hop.need, TLS_NEED_NONE);
    hop_source("mx.a.test,mx.b.test:587 verify smarthost source=news", source);
    assert_string_equal(source, "news");
    hop_source("source=news:25 verify", source);
    assert_string_equal(source, "");
    for (int64_t stored = -2; stored < 6; stored++)
        assert_int_equal(tls_need_of(stored), stored >= 0 && stored < TLS_NEEDS ? stored : 0);
}

/* Each state of DNSSEC with each setting, MX and need. */
static void each_need_meets_each_host(void **state)
{
    static const struct {
        const char *label;
        struct host_situation in;
        enum host_need need;
        bool enforced, settled;
    } rows[] = {
        {"DANE by a signed MX", {.secure = true, .mode = DANE_MODE_ON, .dane = DANE_FOUND}, HOST_NEEDS_CERTIFICATE, true, false},
        {"DANE, and the operator only wants to know", {.secure = true, .mode = DANE_MODE_REPORT, .dane = DANE_FOUND}, HOST_NEEDS_CERTIFICATE, true, false},
        {"DANE behind an MX that is not signed", {.mode = DANE_MODE_ON, .sts_mode = STS_MODE_ON, .sts = STS_NONE, .dane = DANE_FOUND},
         HOST_CANNOT_BE_VERIFIED, true, true},
        {"no record that can be used", {.secure = true, .mode = DANE_MODE_ON, .sts_mode = STS_MODE_ON, .sts = STS_NONE, .dane = DANE_UNUSABLE},
         HOST_CANNOT_BE_VERIFIED, true, true},
        {"no records", {.secure = true, .mode = DANE_MODE_ON, .sts_mode = STS_MODE_ON, .sts = STS_NONE, .dane = DANE_NONE},
         HOST_CANNOT_BE_VERIFIED, true, true},
        {"no records, no signed MX", {.mode = DANE_MODE_ON, .sts_mode = STS_MODE_ON, .sts = STS_NONE, .dane = DANE_NONE},
         HOST_CANNOT_BE_VERIFIED, true, true},
        {"no answer", {.secure = true, .mode = DANE_MODE_ON, .dane = DANE_FAILED}, HOST_IS_UNUSABLE, true, false},
        {"no answer, no signed MX", {.mode = DANE_MODE_ON, .dane = DANE_FAILED}, HOST_IS_UNUSABLE, true, false},
        {"nobody asks", {.secure = true, .mode = DANE_MODE_OFF, .dane = DANE_FOUND}, HOST_CANNOT_BE_VERIFIED, true, false},
        {"a route that verifies", {.fixed = true, .verifies = true, .mode = DANE_MODE_ON}, HOST_NEEDS_ITS_ROUTE, true, false},
        {"a route that encrypts", {.fixed = true, .mode = DANE_MODE_ON}, HOST_CANNOT_BE_VERIFIED, true, false},
        {"no policy was looked for", {.secure = true, .mode = DANE_MODE_ON, .dane = DANE_NONE, .sts_mode = STS_MODE_OFF, .sts = STS_NONE},
         HOST_CANNOT_BE_VERIFIED, true, false},
        {"no policy was found although there is one", {.mode = DANE_MODE_ON, .dane = DANE_NONE, .sts_mode = STS_MODE_ON, .sts = STS_NONE,
                                                       .no_policy = TLS_RESULT_STS_POLICY_FETCH_ERROR},
         HOST_CANNOT_BE_VERIFIED, true, false},
        {"a policy", {.mode = DANE_MODE_ON, .dane = DANE_NONE, .sts_mode = STS_MODE_ON, .sts = STS_ENFORCE, .named = true},
         HOST_NEEDS_AUTHORITY, true, false},
        {"a policy, of which the operator wants to be told only",
         {.mode = DANE_MODE_ON, .dane = DANE_NONE, .sts_mode = STS_MODE_REPORT, .sts = STS_ENFORCE, .named = true},
         HOST_NEEDS_AUTHORITY, true, false},
        {"a policy that does not name the host", {.mode = DANE_MODE_ON, .dane = DANE_NONE, .sts_mode = STS_MODE_ON, .sts = STS_ENFORCE},
         HOST_IS_UNUSABLE, true, false},
        {"a policy that is tested, and does not name the host",
         {.mode = DANE_MODE_ON, .dane = DANE_NONE, .sts_mode = STS_MODE_ON, .sts = STS_TESTING}, HOST_CANNOT_BE_VERIFIED, true, true},
        {"a policy that is tested", {.mode = DANE_MODE_ON, .dane = DANE_NONE, .sts_mode = STS_MODE_ON, .sts = STS_TESTING, .named = true},
         HOST_CANNOT_BE_VERIFIED, true, true},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        for (int need = TLS_NEED_VERIFIED; need <= TLS_NEED_PASSED_ON; need++) {
            struct host_situation in = rows[i].in;
            struct host_policy p;
            in.demand = (enum tls_need)need;
            host_policy_decide(&in, &p);
            EXPECT(p.need == rows[i].need && p.enforced == rows[i].enforced && p.settled == rows[i].settled, rows[i].label);
            EXPECT(host_policy_demands_tls(&p) || p.need == HOST_NEEDS_ITS_ROUTE, rows[i].label);
            in.demand = TLS_NEED_NONE;
            host_policy_decide(&in, &p);
            EXPECT(p.need != HOST_CANNOT_BE_VERIFIED && !p.settled, rows[i].label);
        }
}

static void few_policies_verify(void **state)
{
    (void)state;
    for (int policy = 0; policy < TLS_POLICIES; policy++) {
        bool does = policy == TLS_POLICY_DANE || policy == TLS_POLICY_STS;
        assert_int_equal(host_policy_verifies((enum tls_policy)policy, false), does);
        assert_int_equal(host_policy_verifies((enum tls_policy)policy, true), does || policy == TLS_POLICY_ROUTE);
    }
}

static void a_connection_has_proven_it_or_not(void **state)
{
    (void)state;
    for (int level = TRUST_CLEAR; level <= TRUST_VERIFIED; level++)
        for (int need = 0; need < TLS_NEEDS; need++) {
            struct trust route = {.level = (enum trust_level)level};
            struct trust demanded = trust_for(&route, (enum tls_need)need);
            struct trust proven = {.level = TRUST_VERIFIED}; /* by a certificate, of whomever */
            bool verifies = tls_need_verifies(demanded.need);
            assert_int_equal(trust_covers(&proven, &demanded), !verifies);
            proven.need = TLS_NEED_VERIFIED;
            assert_true(trust_covers(&proven, &demanded));
            assert_int_equal(verifies, need == TLS_NEED_PASSED_ON || (need == TLS_NEED_VERIFIED && level < TRUST_VERIFIED));
        }
}

static void what_is_apart_has_names_apart(void **state)
{
    char keys[TLS_NEEDS][TRUST_KEY];
    char labels[TLS_NEEDS][TRUST_LABEL];
    struct trust longest = {.level = TRUST_ENCRYPTED, .named = true, .dane = DANE_MODE_REPORT, .need = TLS_NEED_VERIFIED, .login = {1}};
    (void)state;
    for (int need = 0; need < TLS_NEEDS; need++) {
        const struct trust t = trust_for(&(struct trust){0}, (enum tls_need)need);
        trust_key(&t, keys[need]);
        trust_label(&t, labels[need]);
        for (int other = 0; other < need; other++) {
            assert_string_not_equal(keys[need], keys[other]);
            assert_string_not_equal(labels[need], labels[other]);
        }
    }
    assert_string_equal(labels[TLS_NEED_NONE], "");
    assert_string_equal(labels[TLS_NEED_PASSED_ON], "requiretls");
    trust_key(&longest, keys[0]);
    trust_label(&longest, labels[0]);
    assert_string_equal(labels[0], "require tls-verified dane-report smarthost login-01000000");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_gravest_that_is_said_counts),
        cmocka_unit_test(a_hop_is_a_domain_with_a_need_and_a_source),
        cmocka_unit_test(each_need_meets_each_host),
        cmocka_unit_test(few_policies_verify),
        cmocka_unit_test(a_connection_has_proven_it_or_not),
        cmocka_unit_test(what_is_apart_has_names_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
