// SPDX-License-Identifier: BSD-2-Clause
/* cli_tlsrpt.c - "tlsrpt show": the TLS reports that others have sent about one's domains. */
#include "cli_tlsrpt.h"

#include "cli_files.h"
#include "tlsrpt_read.h"

#include <string.h>
#include <time.h>

/* One row for the sessions that were right, one for each kind of failure. */
static const struct cli_column columns[] = {{"REPORTER", "reporter", CLI_TEXT},
                                            {"DAY", "day", CLI_TEXT},
                                            {"DOMAIN", "domain", CLI_TEXT},
                                            {"POLICY", "policy", CLI_TEXT},
                                            {"SESSIONS", "sessions", CLI_TEXT},
                                            {"RESULT", "result", CLI_TEXT},
                                            {"HOST", "host", CLI_TEXT},
                                            {"FROM", "from", CLI_TEXT},
                                            {"WHY", "why", CLI_TEXT}};

static enum tlsrpt_label label_of(const char *path)
{
    if (span_ends_nocase(span_of(path), SPAN(".gz")))
        return TLSRPT_LABEL_GZIP;
    return span_ends_nocase(span_of(path), SPAN(".json")) ? TLSRPT_LABEL_JSON : TLSRPT_UNLABELLED;
}

/* What the message is about fills in for a policy that does not say it. */
static const char *domain_of(const struct tlsrpt_reading *r, const struct tlsrpt_policy *p)
{
    return p->domain[0] ? p->domain : r->domain;
}

/* "2026-01-01T00:00:00Z"; "" when it is not said. */
static void print_time(int64_t seconds, char text_r[32])
{
    time_t t = (time_t)seconds;
    struct tm tm = {0};
    text_r[0] = '\0';
    if (seconds != 0 && gmtime_r(&t, &tm))
        strftime(text_r, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

/* ---- as JSON ---- */

static json_t *text_or_null(const char *text)
{
    return text[0] ? json_row_text(text) : json_null();
}

static json_t *texts(const char *const *values, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_row_text(values[i]));
    return list;
}

static json_t *time_json(int64_t seconds)
{
    char text[32];
    print_time(seconds, text);
    return text_or_null(text);
}

static json_t *failure_json(const struct tlsrpt_failure *f)
{
    return ROW(FIELD("result", f->result), FIELD("sessions", f->sessions),
               FIELD("mx_host", f->mx_host), FIELD("mx_helo", f->mx_helo),
               FIELD("receiving_ip", f->receiving_ip), FIELD("sending_ip", f->sending_ip),
               FIELD("reason", f->reason), FIELD("information", f->information));
}

static json_t *policy_json(const struct tlsrpt_reading *r, const struct tlsrpt_policy *p)
{
    json_t *failures = json_array();
    for (size_t i = 0; i < p->failure_count; i++)
        json_array_append_new(failures, failure_json(&p->failures[i]));
    return ROW(FIELD("type", p->type), FIELD("domain", text_or_null(domain_of(r, p))),
               FIELD("strings", texts(p->strings, p->string_count)),
               FIELD("mx_hosts", texts(p->mx_hosts, p->mx_host_count)), FIELD("ok", p->ok),
               FIELD("failed", p->failed), FIELD("failures", failures));
}

static json_t *warnings_json(const struct tlsrpt_reading *r)
{
    json_t *list = json_array();
    for (int i = 0; i < TLSRPT_WARNING_COUNT; i++)
        if (r->warnings >> i & 1)
            json_array_append_new(list, json_row_text(tlsrpt_warning_name((enum tlsrpt_warning)i)));
    return list;
}

static json_t *report_json(const char *path, const struct tlsrpt_reading *r)
{
    const struct tlsrpt_report *report = &r->report;
    if (r->fault != TLSRPT_FAULT_READABLE)
        return ROW(FIELD("file", path), FLAG("readable", false),
                   FIELD("why", tlsrpt_fault_name(r->fault)));
    json_t *policies = json_array();
    for (size_t i = 0; i < report->policy_count; i++)
        json_array_append_new(policies, policy_json(r, &report->policies[i]));
    return ROW(FIELD("file", path), FLAG("readable", true),
               FIELD("organization", report->organization), FIELD("contact", report->contact),
               FIELD("report_id", report->id), FIELD("begin", time_json(report->begin_s)),
               FIELD("end", time_json(report->end_s)), FIELD("policies", policies),
               FIELD("warnings", warnings_json(r)));
}

/* ---- as a table ---- */

enum { CELL_MAX = 200 };

/* What does not fit into a cell is left to JSON. */
static json_t *cell(const char *text)
{
    size_t len = strnlen(text, CELL_MAX);
    while (text[len] && len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
        len--;
    return json_stringn(text, len);
}

enum { DAY = 10 }; /* of "2026-01-01T00:00:00Z" */

/* "2026-01-01", or "2026-01-01/2026-01-07". */
static void print_days(const struct tlsrpt_report *report, char *text_r, size_t size)
{
    char begin[32];
    char end[32];
    bool several = report->end_s - report->begin_s > 24 * 3600;
    print_time(report->begin_s, begin);
    print_time(report->end_s, end);
    snprintf(text_r, size, "%.*s%s%.*s", DAY, begin, several ? "/" : "", several ? DAY : 0, end);
}

static json_t *row(const struct tlsrpt_reading *r, const struct tlsrpt_policy *p, uint64_t sessions,
                   const char *result)
{
    char days[40];
    print_days(&r->report, days, sizeof(days));
    return ROW(FIELD("reporter", cell(r->report.organization)), FIELD("day", days),
               FIELD("domain", cell(domain_of(r, p))), FIELD("policy", cell(p->type)),
               FIELD("sessions", sessions), FIELD("result", cell(result)));
}

static void add_failure(json_t *rows, const struct tlsrpt_reading *r, const struct tlsrpt_policy *p,
                        const struct tlsrpt_failure *f)
{
    char why[500];
    snprintf(why, sizeof(why), "%s%s%s", f->reason, f->reason[0] && f->information[0] ? " " : "",
             f->information);
    json_t *made = row(r, p, f->sessions, f->result);
    PUT(made, FIELD("host", cell(f->mx_host[0] ? f->mx_host : f->receiving_ip)),
        FIELD("from", cell(f->sending_ip)), FIELD("why", cell(why)));
    json_array_append_new(rows, made);
}

static void add_policy(json_t *rows, const struct tlsrpt_reading *r, const struct tlsrpt_policy *p)
{
    uint64_t told = 0;
    json_array_append_new(rows, row(r, p, p->ok, "ok"));
    for (size_t i = 0; i < p->failure_count; i++) {
        told += told < p->failed ? p->failures[i].sessions : 0;
        add_failure(rows, r, p, &p->failures[i]);
    }
    if (p->failed > told)
        json_array_append_new(rows, row(r, p, p->failed - told, "failed"));
}

/* On stderr, so that a table stays one. */
static void print_warnings(const char *path, const struct tlsrpt_reading *r)
{
    for (int i = 0; i < TLSRPT_WARNING_COUNT; i++) {
        if (!(r->warnings >> i & 1))
            continue;
        fputs("sealpost: note: ", stderr);
        cli_print_escaped(path, ESCAPE_TEXT, stderr);
        fprintf(stderr, ": %s\n", tlsrpt_warning_text((enum tlsrpt_warning)i));
    }
}

/* ---- the command ---- */

static void add_report(json_t *rows, const char *path, const struct tlsrpt_reading *r, bool json)
{
    if (json)
        json_array_append_new(rows, report_json(path, r));
    for (size_t i = 0; !json && i < r->report.policy_count; i++)
        add_policy(rows, r, &r->report.policies[i]);
    if (!json && r->fault == TLSRPT_FAULT_READABLE)
        print_warnings(path, r);
}

static bool add_file(void *context, json_t *rows, const struct cli_file *file, struct err *err)
{
    const struct cli *cli = context;
    struct tlsrpt_reading r;
    if (file->more)
        return err_set(err, ERR_LIMIT, "%s: %s", file->path,
                       tlsrpt_fault_text(TLSRPT_FAULT_TOO_LARGE));
    tlsrpt_read(file->content, label_of(file->path), &r);
    add_report(rows, file->path, &r, cli->json);
    bool ok = r.fault == TLSRPT_FAULT_READABLE;
    if (!ok)
        err_set(err, ERR_MALFORMED, "%s: %s", file->path, tlsrpt_fault_text(r.fault));
    tlsrpt_reading_fini(&r);
    return ok;
}

int cli_tlsrpt_show(struct cli *cli)
{
    struct cli_table table = {.cli = cli, .columns = columns, .count = COUNT_OF(columns)};
    return cli_print_files(&table, TLSRPT_FILE_MAX, add_file, cli);
}
