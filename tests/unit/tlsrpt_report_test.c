// SPDX-License-Identifier: BSD-2-Clause
/* tlsrpt_report_test.c - What is written is what was read: JSON that the schema takes, and the message around it. */
#include "vectors.h"

#include "tlsrpt_read.h"
#include "tlsrpt_report.h"

static json_t *written(const struct tlsrpt_report *report)
{
    struct buf text;
    json_error_t why;
    buf_init(&text, 1 << 20);
    assert_true(tlsrpt_report_json(report, &text));
    json_t *made = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, &why);
    assert_non_null(made);
    buf_fini(&text);
    return made;
}

/* Those that the schema takes, which a test in Python shows: the same comes out again. */
static void valid_reports(void **state)
{
    json_t *all = vectors_load("tlsrpt-public.json");
    json_t *rows = json_object_get(all, "schema");
    size_t count = 0;
    (void)state;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        json_t *row = json_array_get(rows, i);
        json_t *report = json_object_get(row, "report");
        struct tlsrpt_reading r;
        if (!json_is_true(json_object_get(json_object_get(row, "expect"), "valid")))
            continue;
        json_object_del(report, "x-extra"); /* ours have none */
        char *text = json_dumps(report, 0);
        tlsrpt_read(span_of(text), TLSRPT_UNLABELLED, &r);
        EXPECT(r.fault == TLSRPT_FAULT_READABLE && (r.warnings & ~(UINT32_C(1) << TLSRPT_WARNING_EXCEEDS)) == 0, vectors_text(row, "id"));
        json_t *got = written(&r.report);
        json_t *range = json_object_get(report, "date-range"); /* one has parts of a second */
        json_object_set(range, "start-datetime", json_object_get(json_object_get(got, "date-range"), "start-datetime"));
        json_object_set(range, "end-datetime", json_object_get(json_object_get(got, "date-range"), "end-datetime"));
        if (!json_equal(got, report))
            fail_msg("%s: %s", vectors_text(row, "id"), json_dumps(got, 0));
        json_decref(got);
        tlsrpt_reading_fini(&r);
        free(text);
        count++;
    }
    assert_true(count >= 6);
    json_decref(all);
}

static const char *lines[] = {"version: STSv1", "mode: enforce", "mx: mx.club.example", "max_age: 604800"};
static const char *hosts[] = {"mx.club.example"};
static struct tlsrpt_failure failures[] = {
    {"certificate-expired", 2, "192.0.2.1", "mx.club.example", "mx", "198.51.100.7", "", "X509"},
    {"sts-policy-fetch-error", UINT64_MAX, "", "", "", "", "", "a\xff\x1b[2J\xe2\x80\xae\xef\xbf\xbe"}};
static struct tlsrpt_policy policies[] = {{"sts", "club.example", lines, 4, hosts, 1, 7, 3, failures, 2},
                                          {"no-policy-found", "club.example", NULL, 0, NULL, 0, 1, 0, NULL, 0}};
static const struct tlsrpt_report report = {
    "M\xc3\xbcller", "tls@relay.example", "2026-01-01.club.example@relay.example", 1767225600, 1767311999, policies, 2};
static struct tlsrpt_letter letter = {"relay.example", "club.example", "tls@relay.example", "\"a,b\"@club.example", 1767312600000, 8, 3, {0}};

/* What peers say goes into it as text and nothing else; numbers are those that all readers agree on. */
static void what_peers_say(void **state)
{
    (void)state;
    json_t *got = written(&report);
    json_t *rows = json_object_get(json_array_get(json_object_get(got, "policies"), 0), "failure-details");
    assert_string_equal(vectors_text(got, "organization-name"), "M\xc3\xbcller");
    assert_string_equal(vectors_text(json_array_get(rows, 1), "failure-reason-code"), "a??[2J??");
    assert_true(json_integer_value(json_object_get(json_array_get(rows, 1), "failed-session-count")) == TLSRPT_COUNT_MAX);
    assert_null(json_object_get(json_array_get(rows, 1), "sending-mta-ip"));
    assert_null(json_object_get(json_array_get(json_object_get(got, "policies"), 1), "failure-details"));
    json_decref(got);
}

static void names(void **state)
{
    char id[TLSRPT_ID_MAX];
    char name[TLSRPT_NAME_MAX];
    (void)state;
    tlsrpt_report_id(1767225600, "club.example", "relay.example", id);
    assert_string_equal(id, "2026-01-01.club.example@relay.example");
    tlsrpt_report_file(&report, "club.example", "relay.example", name);
    assert_string_equal(name, "relay.example!club.example!1767225600!1767311999.json.gz");
}

static void the_message(void **state)
{
    static const char *const fields[] = {"From: <tls@relay.example>\r\n",
                                         "To: <\"a,b\"@club.example>\r\n",
                                         "Date: Fri, 02 Jan 2026 00:10:00 +0000\r\n",
                                         ("Subject: Report Domain: club.example\r\n Submitter: relay.example\r\n"
                                          " Report-ID: <2026-01-01.club.example@relay.example>\r\n"),
                                         "TLS-Report-Domain: club.example\r\n",
                                         "TLS-Report-Submitter: relay.example\r\n",
                                         "TLS-Required: No\r\n",
                                         "Content-Type: multipart/report; report-type=\"tlsrpt\";\r\n",
                                         "filename=\"relay.example!club.example!1767225600!1767311999.json.gz\"\r\n",
                                         "Sessions: 8 successful, 3 failed.\r\n"};
    struct buf packed, once, again;
    struct tlsrpt_reading r;
    (void)state;
    buf_init(&packed, 1 << 16);
    assert_true(tlsrpt_report_packed(&report, &packed));
    letter.packed = buf_span(&packed);
    buf_init(&once, 1 << 16);
    buf_init(&again, 1 << 16);
    assert_true(tlsrpt_report_message(&report, &letter, &once) && tlsrpt_report_message(&report, &letter, &again));
    assert_true(span_equal(buf_span(&once), buf_span(&again)));
    for (size_t i = 0; i < COUNT_OF(fields); i++)
        EXPECT(span_search(buf_span(&once), span_of(fields[i])) < once.len, fields[i]);
    for (struct span rest = buf_span(&once); rest.len > 0;) {
        struct span line = span_take(&rest, '\n');
        assert_true(line.len > 0 && line.len <= 79 && line.ptr[line.len - 1] == '\r' && span_is_ascii(line));
    }
    tlsrpt_read(buf_span(&once), TLSRPT_UNLABELLED, &r);
    assert_true(r.fault == TLSRPT_FAULT_READABLE && r.warnings == UINT32_C(1) << TLSRPT_WARNING_EXCEEDS);
    assert_string_equal(r.domain, "club.example");
    assert_string_equal(r.report.id, report.id);
    assert_true(r.report.policy_count == 2 && r.report.policies[0].ok == 7 && r.report.begin_s == report.begin_s);
    tlsrpt_reading_fini(&r);
    buf_fini(&again);
    for (size_t limit = 0; limit < once.len; limit += 37) { /* no room is no half of a message */
        buf_init(&again, limit);
        assert_false(tlsrpt_report_message(&report, &letter, &again));
        buf_fini(&again);
    }
    buf_fini(&once);
    buf_fini(&packed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(valid_reports), cmocka_unit_test(what_peers_say), cmocka_unit_test(names),
                                       cmocka_unit_test(the_message)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
