// SPDX-License-Identifier: BSD-2-Clause
/* tlsrpt_report.c - A report as JSON, compressed, in a message. */
#include "tlsrpt_report.h"

#include "base64.h"
#include "gzip.h"
#include "message.h"
#include "normal.h"
#include "tlsrpt_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { REPORT_MAX = 8 * 1024 * 1024, LINE_BYTES = 57 }; /* of base64: 76 characters */
#define BOUNDARY "=_tlsrpt"                             /* stands in no base64 */

/* ---- JSON ---- */

static bool is_plain(struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < ' ' || text.ptr[i] > '~')
            return false;
    return true;
}

static json_t *text_json(const char *value)
{
    struct buf clean;
    struct span rest = span_of(value);
    if (is_plain(rest)) /* as nearly all are: nothing to be looked up */
        return json_stringn(rest.ptr, rest.len);
    buf_init_peer(&clean, REPORT_MAX);
    while (rest.len > 0) {
        uint32_t c = 0;
        size_t len = normal_character(rest, &c);
        bool good = len > 0 && !normal_disturbs(c);
        buf_add(&clean, good ? span_first(rest, len) : SPAN("?"));
        rest = span_from(rest, len > 0 ? len : 1);
    }
    json_t *made = json_stringn(clean.ptr, clean.len);
    buf_fini(&clean);
    return made;
}

static void put_text(json_t *object, const char *name, const char *value)
{
    if (value[0])
        json_object_set_new(object, name, text_json(value));
}

static void put_texts(json_t *object, const char *name, const char *const *values, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        if (values[i][0])
            json_array_append_new(list, text_json(values[i]));
    if (count > 0)
        json_object_set(object, name, list);
    json_decref(list);
}

static void put_count(json_t *object, const char *name, uint64_t count)
{
    int64_t most = count < TLSRPT_COUNT_MAX ? (int64_t)count : TLSRPT_COUNT_MAX;
    json_object_set_new(object, name, json_integer(most));
}

static void print_time(int64_t seconds, char text_r[32])
{
    time_t t = (time_t)seconds;
    struct tm tm = {0};
    gmtime_r(&t, &tm);
    strftime(text_r, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

static json_t *failure_json(const struct tlsrpt_failure *f)
{
    json_t *made = json_object();
    put_text(made, "result-type", f->result);
    put_text(made, "sending-mta-ip", f->sending_ip);
    put_text(made, "receiving-mx-hostname", f->mx_host);
    put_text(made, "receiving-mx-helo", f->mx_helo);
    put_text(made, "receiving-ip", f->receiving_ip);
    put_count(made, "failed-session-count", f->sessions);
    put_text(made, "additional-information", f->information);
    put_text(made, "failure-reason-code", f->reason);
    return made;
}

json_t *tlsrpt_policy_json(const struct tlsrpt_policy *p)
{
    json_t *policy = json_object();
    put_text(policy, "policy-type", p->type);
    put_texts(policy, "policy-string", p->strings, p->string_count);
    put_text(policy, "policy-domain", p->domain);
    put_texts(policy, "mx-host", p->mx_hosts, p->mx_host_count);
    return policy;
}

static json_t *policy_json(const struct tlsrpt_policy *p)
{
    json_t *policy = tlsrpt_policy_json(p);
    json_t *summary = json_object();
    json_t *failures = json_array();
    put_count(summary, "total-successful-session-count", p->ok);
    put_count(summary, "total-failure-session-count", p->failed);
    for (size_t i = 0; i < p->failure_count; i++)
        json_array_append_new(failures, failure_json(&p->failures[i]));
    json_t *made = json_pack("{s:o,s:o}", "policy", policy, "summary", summary);
    if (p->failure_count > 0)
        json_object_set(made, "failure-details", failures);
    json_decref(failures);
    return made;
}

bool tlsrpt_report_json(const struct tlsrpt_report *report, struct buf *out)
{
    char begin[32];
    char end[32];
    json_t *made = json_object();
    json_t *range = json_object();
    json_t *policies = json_array();
    print_time(report->begin_s, begin);
    print_time(report->end_s, end);
    put_text(made, "organization-name", report->organization);
    put_text(range, "start-datetime", begin);
    put_text(range, "end-datetime", end);
    json_object_set_new(made, "date-range", range);
    put_text(made, "contact-info", report->contact);
    put_text(made, "report-id", report->id);
    for (size_t i = 0; i < report->policy_count; i++)
        json_array_append_new(policies, policy_json(&report->policies[i]));
    json_object_set_new(made, "policies", policies);
    char *text = json_dumps(made, JSON_COMPACT);
    bool ok = text && buf_add(out, span_of(text));
    out->overflow = out->overflow || !ok;
    free(text);
    json_decref(made);
    return ok;
}

bool tlsrpt_report_packed(const struct tlsrpt_report *report, struct buf *out)
{
    struct buf text;
    buf_init(&text, REPORT_MAX);
    bool ok = tlsrpt_report_json(report, &text) && gzip_pack(buf_span(&text), out);
    buf_fini(&text);
    return ok;
}

/* ---- the message ---- */

void tlsrpt_report_id(int64_t begin_s, const char *domain, const char *submitter,
                      char id_r[TLSRPT_ID_MAX])
{
    char begin[32];
    print_time(begin_s, begin);
    snprintf(id_r, TLSRPT_ID_MAX, "%.10s.%.255s@%.255s", begin, domain, submitter);
}

void tlsrpt_report_file(const struct tlsrpt_report *report, const char *domain,
                        const char *submitter, char name_r[TLSRPT_NAME_MAX])
{
    snprintf(name_r, TLSRPT_NAME_MAX, "%.255s!%.255s!%" PRId64 "!%" PRId64 ".json.gz", submitter,
             domain, report->begin_s, report->end_s);
}

static void add_header(const struct tlsrpt_report *report, const struct tlsrpt_letter *letter,
                       struct buf *out)
{
    char date[40];
    message_date(letter->date_ms, date);
    buf_addf(out, "From: <%s>\r\nTo: <%s>\r\nDate: %s\r\n", letter->from, letter->to, date);
    buf_addf(out, "Subject: Report Domain: %s\r\n Submitter: %s\r\n Report-ID: <%s>\r\n",
             letter->domain, letter->submitter, report->id);
    buf_addf(out, "Message-ID: <%s>\r\n", report->id);
    buf_addf(out, "TLS-Report-Domain: %s\r\nTLS-Report-Submitter: %s\r\n", letter->domain,
             letter->submitter);
    buf_add(out, SPAN("TLS-Required: No\r\nAuto-Submitted: auto-generated\r\n"
                      "MIME-Version: 1.0\r\nContent-Type: multipart/report; "
                      "report-type=\"tlsrpt\";\r\n boundary=\"" BOUNDARY "\"\r\n\r\n"));
}

static void add_words(const struct tlsrpt_report *report, const struct tlsrpt_letter *letter,
                      struct buf *out)
{
    char begin[32];
    char end[32];
    print_time(report->begin_s, begin);
    print_time(report->end_s, end);
    buf_add(out, SPAN("--" BOUNDARY "\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n"));
    buf_addf(out, "TLS report (RFC 8460) of %s on mail to %s,\r\nfrom %s to %s.\r\n\r\n",
             letter->submitter, letter->domain, begin, end);
    buf_addf(out, "Sessions: %" PRId64 " successful, %" PRId64 " failed.\r\n\r\n", letter->ok,
             letter->failed);
}

static void add_base64(struct span bytes, struct buf *out)
{
    while (bytes.len > 0) {
        if (!base64_encode(span_first(bytes, LINE_BYTES), out))
            out->overflow = true;
        buf_add(out, SPAN("\r\n"));
        bytes = span_from(bytes, LINE_BYTES);
    }
}

bool tlsrpt_report_message(const struct tlsrpt_report *report, const struct tlsrpt_letter *letter,
                           struct buf *out)
{
    char name[TLSRPT_NAME_MAX];
    tlsrpt_report_file(report, letter->domain, letter->submitter, name);
    add_header(report, letter, out);
    add_words(report, letter, out);
    buf_addf(out,
             "--" BOUNDARY "\r\nContent-Type: application/tlsrpt+gzip\r\n"
             "Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment;\r\n"
             " filename=\"%s\"\r\n\r\n",
             name);
    add_base64(letter->packed, out);
    buf_add(out, SPAN("--" BOUNDARY "--\r\n"));
    return !out->overflow;
}
