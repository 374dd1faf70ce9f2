// SPDX-License-Identifier: BSD-2-Clause
/* tlsrpt_gather_test.c - Sessions of all kinds, counted and made into a report that is read again: nothing is lost, nothing told twice. */
#include "vectors.h"

#include "mta_sts.h"
#include "tlsrpt_gather.h"
#include "tlsrpt_read.h"
#include "tlsrpt_report.h"

static struct dane_record records[] = {{3, 1, 1, {"\xab\x01", sizeof("\xab\x01") - 1}}, {2, 0, 2, {"\xff", sizeof("\xff") - 1}}};

static char *policy_of(enum tls_policy policy, const struct dane_answer *dane)
{
    struct mta_sts_policy sts = {.mode = MTA_STS_MODE_ENFORCE, .max_age_s = 604800};
    buf_init(&sts.mx, 100);
    assert_true(buf_add(&sts.mx, SPAN("*.club.example\n")));
    const struct tlsrpt_terms terms = {policy, "club.example", "mx.club.example", dane, &sts};
    struct buf text;
    buf_init(&text, 1 << 16);
    assert_true(tlsrpt_gather_policy(&terms, &text));
    buf_fini(&sts.mx);
    char *made = xstrdup(buf_text(&text));
    buf_fini(&text);
    return made;
}

static void policies(void **state)
{
    const struct dane_answer found = {.state = DANE_FOUND, .base = "base.example", .records = records, .count = 2};
    const struct dane_answer failed = {.state = DANE_FAILED};
    const struct {
        enum tls_policy policy;
        const struct dane_answer *dane;
        const char *text;
    } rows[] = {
        {TLS_POLICY_OPPORTUNISTIC, NULL, "{\"policy-type\":\"no-policy-found\",\"policy-domain\":\"club.example\"}"},
        {TLS_POLICY_ROUTE, &found, "{\"policy-type\":\"no-policy-found\",\"policy-domain\":\"club.example\"}"},
        {TLS_POLICY_DANE, &found,
         "{\"policy-type\":\"tlsa\",\"policy-string\":[\"3 1 1 ab01\",\"2 0 2 ff\"],\"policy-domain\":\"base.example\"}"},
        {TLS_POLICY_DANE_MX_INSECURE, &failed, "{\"policy-type\":\"tlsa\",\"policy-domain\":\"mx.club.example\"}"},
        {TLS_POLICY_STS_TESTING, NULL,
         "{\"policy-type\":\"sts\",\"policy-string\":[\"version: STSv1\",\"mode: enforce\",\"mx: *.club.example\",\"max_age: 604800\"],"
         "\"policy-domain\":\"club.example\",\"mx-host\":[\"*.club.example\"]}"}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char *text = policy_of(rows[i].policy, rows[i].dane);
        assert_string_equal(text, rows[i].text);
        free(text);
    }
}

static void bare(void **state)
{
    char *text = policy_of(TLS_POLICY_STS, NULL);
    struct buf out;
    (void)state;
    buf_init(&out, 1000);
    assert_true(tlsrpt_gather_bare(text, "club.example", &out));
    assert_string_equal(buf_text(&out), "{\"policy-type\":\"sts\",\"policy-string\":[\"(left out: too much for one day)\"],\"policy-domain\":\"club.example\"}");
    buf_fini(&out);
    free(text);
    text = policy_of(TLS_POLICY_OPPORTUNISTIC, NULL);
    buf_init(&out, 1000);
    assert_true(tlsrpt_gather_bare(text, "club.example", &out));
    assert_string_equal(buf_text(&out), text); /* nothing is */
    buf_fini(&out);
    buf_init(&out, 1000);
    assert_false(tlsrpt_gather_bare("no JSON", "club.example", &out));
    buf_fini(&out);
    free(text);
}

static void a_report_is_what_was_counted(void **state)
{
    char *none = policy_of(TLS_POLICY_OPPORTUNISTIC, NULL);
    char *sts = policy_of(TLS_POLICY_STS, NULL);
    const struct tlsrpt_count counts[] = {
        {sts, "ok", "", "", "", "", "", 5},
        {sts, "certificate-expired", "192.0.2.1", "mx.club.example", "mx", "198.51.100.7", "X509", 2},
        {"broken", "ok", "", "", "", "", "", 100},
        {none, "starttls-not-supported", "", "mx2.club.example", "", "198.51.100.8", "", 3},
        {none, "starttls-not-supported", "", "mx3.club.example", "", "198.51.100.9", "", 0},
        {none, "ok", "", "", "", "", "", 7}};
    struct tlsrpt_report report = {"Relay", "tls@relay.example", "2026-01-01.club.example@relay.example", 1767225600, 1767311999, NULL, 0};
    struct tlsrpt_gather *g = tlsrpt_gather_new();
    struct tlsrpt_reading r;
    struct buf text;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(counts); i++)
        tlsrpt_gather_add(g, &counts[i]);
    assert_int_equal(tlsrpt_gather_ok(g), 12);
    assert_int_equal(tlsrpt_gather_failed(g), 5);
    tlsrpt_gather_report(g, &report);
    buf_init(&text, 1 << 16);
    assert_true(tlsrpt_report_json(&report, &text));
    tlsrpt_read(buf_span(&text), TLSRPT_UNLABELLED, &r);
    assert_int_equal(r.fault, TLSRPT_FAULT_READABLE);
    assert_int_equal(r.warnings, 0);
    assert_int_equal(r.report.policy_count, 2);
    assert_string_equal(r.report.policies[0].type, "sts");
    assert_int_equal(r.report.policies[0].string_count, 4);
    assert_string_equal(r.report.policies[0].mx_hosts[0], "*.club.example");
    assert_int_equal(r.report.policies[0].ok, 5);
    assert_int_equal(r.report.policies[0].failed, 2);
    assert_string_equal(r.report.policies[0].failures[0].reason, "X509");
    assert_int_equal(r.report.policies[1].failure_count, 1);
    assert_string_equal(r.report.policies[1].failures[0].mx_host, "mx2.club.example");
    tlsrpt_reading_fini(&r);
    buf_fini(&text);
    tlsrpt_gather_free(g);
    tlsrpt_gather_free(NULL);
    free(none);
    free(sts);
}

static void times(void **state)
{
    const int64_t day_ms = TLSRPT_DAY_MS;
    int64_t least = INT64_MAX, most = 0;
    (void)state;
    for (int i = 0; i < 1000; i++) {
        char domain[32];
        snprintf(domain, sizeof(domain), "d%d.example", i);
        int64_t after = tlsrpt_gather_due_ms(20000, domain) - 20001 * day_ms;
        assert_true(after >= 10 * 60 * 1000 && after < 4 * 3600 * 1000);
        least = after < least ? after : least;
        most = after > most ? after : most;
    }
    assert_true(least < 30 * 60 * 1000 && most > 210 * 60 * 1000);
    assert_true(tlsrpt_gather_due_ms(20000, "a.example") == tlsrpt_gather_due_ms(20000, "a.example"));
    assert_int_equal(tlsrpt_gather_wait_ms(0, 0, 0), 5 * 60 * 1000);
    assert_int_equal(tlsrpt_gather_wait_ms(1, 0, 0), 10 * 60 * 1000);
    assert_true(tlsrpt_gather_wait_ms(40, 0, 0) < day_ms / 4);
    assert_int_equal(tlsrpt_gather_wait_ms(3, 0, day_ms), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(policies), cmocka_unit_test(bare), cmocka_unit_test(a_report_is_what_was_counted),
                                       cmocka_unit_test(times)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
