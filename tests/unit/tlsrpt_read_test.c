// SPDX-License-Identifier: BSD-2-Clause
/* tlsrpt_read_test.c - Reports as others send them, and damaged ones; the limits that a small file cannot pass. */
#include "vectors.h"

#include "base64.h"
#include "gzip.h"
#include "tlsrpt_parts.h"

#include <time.h>

#define LEAST "{\"policies\":[{\"policy\":{\"policy-type\":\"sts\",\"policy-domain\":\"d.test\"},\"summary\":" \
              "{\"total-successful-session-count\":1,\"total-failure-session-count\":0}}]}"

#define LINE "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n"

/* ---- the shared vectors ---- */

/* [text, times]… */
static void generate(json_t *parts, struct buf *out)
{
    for (size_t i = 0; i < json_array_size(parts); i++) {
        json_t *text = json_array_get(json_array_get(parts, i), 0);
        size_t times = (size_t)json_integer_value(json_array_get(json_array_get(parts, i), 1));
        vectors_repeat(out, (struct span){json_string_value(text), json_string_length(text)}, times);
    }
}

static void bytes_of(json_t *row, struct buf *out)
{
    struct buf all;
    json_t *text = json_object_get(row, json_object_get(row, "mail") ? "mail" : "text");
    json_t *parts = json_object_get(json_object_get(row, "generate"), "gzip_of");
    buf_init(&all, (size_t)100 << 20);
    buf_init(out, (size_t)100 << 20);
    generate(parts, &all);
    if (parts)
        assert_true(gzip_pack(buf_span(&all), out));
    else if (text)
        buf_add(out, (struct span){json_string_value(text), json_string_length(text)});
    else
        assert_true(base64_decode(span_of(vectors_text(row, "b64")), out));
    buf_fini(&all);
}

static enum tlsrpt_label label_of(const char *media)
{
    return strcmp(media, "application/tlsrpt+gzip") == 0   ? TLSRPT_LABEL_GZIP
           : strcmp(media, "application/tlsrpt+json") == 0 ? TLSRPT_LABEL_JSON
                                                           : TLSRPT_UNLABELLED;
}

static json_t *time_json(int64_t seconds)
{
    char text[32];
    struct tm tm;
    time_t t = (time_t)seconds;
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&t, &tm));
    return json_string(text);
}

static json_t *policy_json(const struct tlsrpt_policy *p)
{
    json_t *results = json_object();
    for (size_t i = 0; i < p->failure_count; i++) {
        const struct tlsrpt_failure *f = &p->failures[i];
        json_int_t before = json_integer_value(json_object_get(results, f->result));
        json_object_set_new(results, f->result, json_integer(before + (json_int_t)f->sessions));
    }
    return json_pack("{s:s,s:o,s:I,s:I,s:o}", "type", p->type, "domain", p->domain[0] ? json_string(p->domain) : json_null(), "ok",
                     (json_int_t)p->ok, "failed", (json_int_t)p->failed, "results", results);
}

static json_t *strings_json(const struct tlsrpt_policy *p)
{
    json_t *lines = json_array();
    for (size_t i = 0; i < p->string_count; i++)
        json_array_append_new(lines, json_string(p->strings[i]));
    return lines;
}

/* What was read, in the form that the vectors say it in. */
static json_t *as_expected(const struct tlsrpt_reading *r, json_t *expect)
{
    if (r->fault != TLSRPT_FAULT_READABLE)
        return json_pack("{s:b,s:s}", "readable", 0, "why", tlsrpt_fault_name(r->fault));
    json_t *policies = json_array();
    json_t *strings = json_array();
    json_t *warnings = json_array();
    for (size_t i = 0; i < r->report.policy_count; i++) {
        json_array_append_new(policies, policy_json(&r->report.policies[i]));
        json_array_append_new(strings, strings_json(&r->report.policies[i]));
    }
    for (int i = 0; i < TLSRPT_WARNING_COUNT; i++)
        if (r->warnings >> i & 1)
            json_array_append_new(warnings, json_string(tlsrpt_warning_name((enum tlsrpt_warning)i)));
    json_t *made = json_pack("{s:b,s:s,s:o,s:o,s:o}", "readable", 1, "organization", r->report.organization, "begin",
                             time_json(r->report.begin_s), "end", time_json(r->report.end_s), "policies", policies);
    if (json_object_get(expect, "policy_strings"))
        json_object_set(made, "policy_strings", strings);
    if (json_object_get(expect, "warnings") || json_array_size(warnings) > 0)
        json_object_set(made, "warnings", warnings);
    json_decref(strings);
    json_decref(warnings);
    return made;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(json_string_value(*(json_t *const *)a), json_string_value(*(json_t *const *)b));
}

/* The order of warnings says nothing. */
static void sort(json_t *object)
{
    json_t *list = json_object_get(object, "warnings");
    json_t *all[64];
    size_t count = json_array_size(list);
    assert_true(count <= COUNT_OF(all));
    for (size_t i = 0; i < count; i++)
        all[i] = json_incref(json_array_get(list, i));
    qsort(all, count, sizeof(all[0]), by_text);
    for (size_t i = 0; i < count; i++)
        json_array_set_new(list, i, all[i]);
}

static void reports_of_others(void **state)
{
    json_t *all = vectors_load("tlsrpt-public.json");
    json_t *rows = json_object_get(all, "reports");
    (void)state;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        json_t *row = json_array_get(rows, i);
        json_t *expect = json_object_get(row, "expect");
        struct tlsrpt_reading r;
        struct buf bytes;
        bytes_of(row, &bytes);
        tlsrpt_read(buf_span(&bytes), label_of(vectors_text(row, "media")), &r);
        json_t *got = as_expected(&r, expect);
        json_object_del(expect, "policies_note");
        sort(got);
        sort(expect);
        if (!json_equal(got, expect))
            fail_msg("%s:\n%s\nnot\n%s", vectors_text(row, "id"), json_dumps(got, 0), json_dumps(expect, 0));
        json_decref(got);
        tlsrpt_reading_fini(&r);
        buf_fini(&bytes);
    }
    print_message("%zu reports\n", json_array_size(rows));
    assert_true(json_array_size(rows) >= 50);
    json_decref(all);
}

/* ---- beside them ---- */

static enum tlsrpt_fault fault_of(struct span bytes, uint32_t *warnings_r)
{
    struct tlsrpt_reading r;
    tlsrpt_read(bytes, TLSRPT_UNLABELLED, &r);
    enum tlsrpt_fault fault = r.fault;
    *warnings_r = r.warnings;
    tlsrpt_reading_fini(&r);
    return fault;
}

static bool warns(uint32_t warnings, enum tlsrpt_warning warning)
{
    return warnings >> warning & 1;
}

static void messages_from_files(void **state)
{
    static const struct {
        const char *label, *bytes;
        enum tlsrpt_fault want;
    } rows[] = {
        {"line ends of a file", "Content-Type: application/tlsrpt+json\n\n" LEAST "\n", TLSRPT_FAULT_READABLE},
        {"a mailbox's first line", "From x@y Thu Jan  1 00:00:00 2026\nContent-Type: application/tlsrpt+json\n\n" LEAST "\n",
         TLSRPT_FAULT_READABLE},
        {"a type in capitals", "Content-Type: Application/TLSRPT+JSON\r\n\r\n" LEAST "\r\n", TLSRPT_FAULT_READABLE},
        {"base64 that is none", "Content-Type: application/tlsrpt+gzip\nContent-Transfer-Encoding: base64\n\n!!!!\n",
         TLSRPT_FAULT_NOT_JSON},
        {"only a header", "Subject: report\n", TLSRPT_FAULT_NO_REPORT_PART},
        {"a report under a report",
         "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/report; boundary=b\n\n--b\n"
         "Content-Type: application/tlsrpt+json\n\n" LEAST "\n--b--\n--a--\n",
         TLSRPT_FAULT_READABLE},
        {"JSON alone", LEAST, TLSRPT_FAULT_READABLE},
        {"a colon in words", "no report: none\n", TLSRPT_FAULT_NOT_JSON},
    };
    uint32_t warnings = 0;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (fault_of(span_of(rows[i].bytes), &warnings) != rows[i].want)
            fail_msg("%s", rows[i].label);
}

static void the_domain_of_the_message(void **state)
{
    struct tlsrpt_reading r;
    (void)state;
    tlsrpt_read(SPAN("TLS-Report-Domain: d.test\r\nContent-Type: application/tlsrpt+json\r\n\r\n" LEAST "\r\n"), TLSRPT_UNLABELLED, &r);
    assert_string_equal(r.domain, "d.test");
    tlsrpt_reading_fini(&r);
    tlsrpt_read(SPAN("Content-Type: application/tlsrpt+json\r\n\r\n" LEAST "\r\n"), TLSRPT_UNLABELLED, &r);
    assert_string_equal(r.domain, "");
    tlsrpt_reading_fini(&r);
}

/* A text of `times` the same, between two others. */
static void repeat(struct buf *out, const char *before, const char *again, size_t times, const char *after)
{
    buf_init(out, (size_t)40 << 20);
    buf_add(out, span_of(before));
    vectors_repeat(out, span_of(again), times);
    buf_add(out, span_of(after));
}

static void limits(void **state)
{
    static const struct {
        const char *label, *before, *again, *after;
        size_t times;
        enum tlsrpt_fault want;
    } rows[] = {
        {"a file over 16 MB", "{\"a\":\"", "aaaaaaaaaaaaaaaa", "\"}", 1 << 20, TLSRPT_FAULT_TOO_LARGE},
        {"one that fits", "{\"policies\":[],\"a\":\"", "aaaaaaaaaaaaaaaa", "\"}", (1 << 20) - 8, TLSRPT_FAULT_READABLE},
        {"too many values", "{\"policies\":[", "1,", "1]}", TLSRPT_VALUES_MAX, TLSRPT_FAULT_TOO_LARGE},
        {"as many as there may be", "{\"policies\":[", "1,", "1]}", TLSRPT_VALUES_MAX - 4, TLSRPT_FAULT_READABLE},
        {"commas in a text", "{\"policies\":[\"", ",", "\"]}", TLSRPT_VALUES_MAX, TLSRPT_FAULT_READABLE},
        {"commas behind an escaped quote", "{\"policies\":[\"\\\"", ",", "\"]}", TLSRPT_VALUES_MAX, TLSRPT_FAULT_READABLE},
        {"as deep as it may be", "{\"policies\":[", "[", "]}", TLSRPT_DEPTH_MAX - 2, TLSRPT_FAULT_NOT_JSON},
        {"deeper", "{\"policies\":[", "[", "]}", TLSRPT_DEPTH_MAX - 1, TLSRPT_FAULT_TOO_DEEP},
        {"line ends that grow", "A: b\n", LINE, "", (16 << 20) / sizeof(LINE) + 100, TLSRPT_FAULT_TOO_LARGE},
        {"repaired octets that grow", "{\"a\":\"", "\xff\xff\xff\xff", "\"}", 1400000, TLSRPT_FAULT_TOO_LARGE},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        uint32_t warnings = 0;
        struct buf bytes;
        repeat(&bytes, rows[i].before, rows[i].again, rows[i].times, rows[i].after);
        enum tlsrpt_fault got = fault_of(buf_span(&bytes), &warnings);
        if (got != rows[i].want)
            fail_msg("%s: %s, not %s", rows[i].label, tlsrpt_fault_name(got), tlsrpt_fault_name(rows[i].want));
        buf_fini(&bytes);
    }
}

/* A text inside a report may be a list, or lines: they count as values, too, and beyond that it stays one. */
static void lists_inside_of_texts(void **state)
{
    static const struct {
        const char *label, *again, *after;
        size_t times, want;
    } rows[] = {
        {"a list", "1,", "\\\"x\\\"]", 3, 1},
        {"a huge list", "1,", "\\\"x\\\"]", TLSRPT_VALUES_MAX, 1},
        {"lines", "\\n", "x\\ny", 3, 3},
        {"more lines than may be", "\\n", "x\\ny", TLSRPT_VALUES_MAX, 1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct tlsrpt_reading r;
        struct buf bytes;
        repeat(&bytes, "{\"policies\":[{\"policy\":{\"policy-string\":\"[", rows[i].again, rows[i].times, rows[i].after);
        buf_add(&bytes, SPAN("\"},\"summary\":{\"total-successful-session-count\":1}}]}"));
        tlsrpt_read(buf_span(&bytes), TLSRPT_UNLABELLED, &r);
        EXPECT(r.fault == TLSRPT_FAULT_READABLE, rows[i].label);
        EXPECT(r.report.policies[0].string_count == rows[i].want, rows[i].label);
        tlsrpt_reading_fini(&r);
        buf_fini(&bytes);
    }
}

static void times(void **state)
{
    static const struct {
        const char *text;
        int64_t want;
        int warning; /* -1: none */
    } rows[] = {
        {"2026-01-01T00:00:00Z", 1767225600, -1},
        {"2026-01-01t00:00:00z", 1767225600, -1},
        {"2026-01-01 00:00:00Z", 1767225600, -1},
        {"2026-01-01T00:00:00.123Z", 1767225600, -1},
        {"2026-01-01T01:00:00+01:00", 1767225600, -1},
        {"2025-12-31T18:30:00-0530", 1767225600, -1},
        {" 2026-01-01T00:00:00Z\n", 1767225600, -1},
        {"2026-01-01T00:00:00", 1767225600, TLSRPT_WARNING_NO_ZONE},
        {"2026-01-01", 1767225600, TLSRPT_WARNING_NO_TIME},
        {"9999-12-31T23:59:60Z", 253402300800, -1},
        {"2026-13-01", 0, -1},
        {"2026-01-32", 0, -1},
        {"1969-12-31", 0, -1},
        {"2026-01-01T24:00:00Z", 0, -1},
        {"2026-01-01T00:00:00.Z", 0, -1},
        {"2026-01-01T00:00:00+1", 0, -1},
        {"2026-01-01T00:00:00ZZ", 0, -1},
        {"2026-01-01T", 0, -1},
        {"yesterday", 0, -1},
        {"", 0, -1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct tlsrpt_reading r = {.fault = TLSRPT_FAULT_READABLE};
        EXPECT(tlsrpt_time_read(&r, span_of(rows[i].text)) == rows[i].want, rows[i].text);
        EXPECT(r.warnings == (rows[i].warning < 0 ? 0 : UINT32_C(1) << rows[i].warning), rows[i].text);
    }
}

static void odd_values(void **state)
{
    uint32_t w = 0;
    (void)state;
    assert_int_equal(fault_of(SPAN("{\"policies\":[{\"summary\":{\"total-successful-session-count\":1e999}}]}"), &w), TLSRPT_FAULT_NOT_JSON);
    assert_int_equal(fault_of(SPAN("{\"policies\":[{\"summary\":{\"total-successful-session-count\":99999999999999999999}}]}"), &w),
                     TLSRPT_FAULT_READABLE);
    assert_true(warns(w, TLSRPT_WARNING_COUNT_INVALID));
    assert_int_equal(fault_of(SPAN("{\"policies\":[{\"summary\":{\"total-successful-session-count\":1.5}}]}"), &w), TLSRPT_FAULT_READABLE);
    assert_true(warns(w, TLSRPT_WARNING_COUNT_INVALID));
    assert_int_equal(fault_of(SPAN("{\"policies\":[{\"policy\":7,\"summary\":{\"total-successful-session-count\":true},"
                                   "\"failure-details\":{\"result-type\":\"x\\u0000y\"}}]}"), &w), TLSRPT_FAULT_READABLE);
    assert_true(warns(w, TLSRPT_WARNING_DETAILS_NOT_LIST) && warns(w, TLSRPT_WARNING_NOT_NESTED) &&
                warns(w, TLSRPT_WARNING_RESULT_UNKNOWN) && warns(w, TLSRPT_WARNING_NO_DATE));
    assert_int_equal(fault_of(SPAN("{\"policies\":[{\"failure-details\":[1,{\"failed-session-count\":9007199254740991},"
                                   "{\"failed-session-count\":9007199254740991}]}],\"x\":1}"), &w), TLSRPT_FAULT_READABLE);
    assert_true(warns(w, TLSRPT_WARNING_EXCEEDS) && warns(w, TLSRPT_WARNING_NOT_OBJECT));
}

/* ---- compressed files ---- */

static void members_and_limits(void **state)
{
    struct buf once, twice, out;
    (void)state;
    buf_init(&once, 1000);
    buf_init(&twice, 1000);
    assert_true(gzip_pack(SPAN("hello"), &once));
    buf_add(&twice, buf_span(&once));
    buf_add(&twice, buf_span(&once));
    buf_add(&twice, SPAN("tail"));
    buf_init(&out, 10);
    assert_int_equal(gzip_unpack(buf_span(&twice), &out), GZIP_OK);
    assert_true(span_equal(buf_span(&out), SPAN("hellohello")));
    buf_fini(&out);
    buf_init(&out, 9); /* one less */
    assert_int_equal(gzip_unpack(buf_span(&twice), &out), GZIP_TOO_LARGE);
    buf_fini(&out);
    for (size_t cut = 0; cut < once.len; cut++) {
        buf_init(&out, 10);
        assert_int_equal(gzip_unpack(span_first(buf_span(&once), cut), &out), GZIP_BAD);
        buf_fini(&out);
    }
    buf_init(&out, once.len - 1);
    assert_false(gzip_pack(SPAN("hello"), &out));
    buf_fini(&out);
    buf_fini(&once);
    buf_fini(&twice);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reports_of_others),  cmocka_unit_test(messages_from_files),
        cmocka_unit_test(the_domain_of_the_message), cmocka_unit_test(limits),
        cmocka_unit_test(lists_inside_of_texts), cmocka_unit_test(times),
        cmocka_unit_test(odd_values), cmocka_unit_test(members_and_limits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
