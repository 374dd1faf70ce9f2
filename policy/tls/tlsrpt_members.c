// SPDX-License-Identifier: BSD-2-Clause
/* tlsrpt_members.c - From a document to a report.
 *
 * First a place in the document is brought into the form of RFC 8460 section 4.4 (a list where one
 * value stands, lines where one text does), then the report borrows from it. Nothing here fails but
 * where there are no policies, or no counts.
 */
#include "tls_policy.h"
#include "tlsrpt_parts.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

struct members {
    struct tlsrpt_reading *r;
    bool counted;  /* some policy says a number */
    size_t values; /* that were made of texts */
};

static void warn(struct members *m, enum tlsrpt_warning warning)
{
    tlsrpt_warn(m->r, warning);
}

/* ---- members, by the right name or nearly so ---- */

static json_t *member(struct members *m, json_t *object, const char *name)
{
    const char *key;
    json_t *value = json_object_get(object, name);
    if (value)
        return value;
    json_object_foreach(object, key, value) if (span_equal_nocase(span_of(key), span_of(name)))
    {
        warn(m, TLSRPT_WARNING_KEY_SPELLING);
        return value;
    }
    return NULL;
}

static const char *text(struct members *m, json_t *object, const char *name)
{
    const char *value = json_string_value(member(m, object, name));
    return value ? value : "";
}

static uint64_t number_of(struct members *m, json_t *value)
{
    double number = json_real_value(value);
    uint64_t whole = 0;
    bool ok = json_is_real(value) && number >= 0 && number <= (double)TLSRPT_COUNT_MAX &&
              number == (double)(uint64_t)number;
    if (json_is_string(value)) {
        ok = span_number(span_of(json_string_value(value)), &whole) && whole <= TLSRPT_COUNT_MAX;
        warn(m, TLSRPT_WARNING_COUNT_TEXT);
    } else if (ok) {
        whole = (uint64_t)number;
    }
    if (!ok)
        warn(m, TLSRPT_WARNING_COUNT_INVALID);
    return ok ? whole : 0;
}

static uint64_t count(struct members *m, json_t *object, const char *name)
{
    json_t *value = member(m, object, name);
    if (!value || json_is_null(value)) {
        warn(m, TLSRPT_WARNING_NO_COUNT);
        return 0;
    }
    m->counted = true;
    return number_of(m, value);
}

/* ---- lists ---- */

static bool may_make(struct members *m, size_t values)
{
    bool ok = values <= TLSRPT_VALUES_MAX - m->values;
    m->values += ok ? values : 0;
    return ok;
}

static json_t *split(struct members *m, struct span rest)
{
    json_t *lines = json_array();
    size_t ends = 1;
    for (size_t i = 0; i < rest.len; i++)
        ends += rest.ptr[i] == '\n';
    bool whole = !may_make(m, ends);
    while (rest.len > 0) {
        struct span line = span_trim(span_take(&rest, whole ? '\0' : '\n'));
        if (line.len > 0)
            json_array_append_new(lines, json_stringn(line.ptr, line.len));
    }
    return lines;
}

/* Each line of a text; a text that is itself a list is that list. */
static json_t *lines_of(struct members *m, json_t *one)
{
    struct span said = {json_string_value(one), json_string_length(one)};
    struct tlsrpt_size size = tlsrpt_size_of(said);
    json_t *inner = NULL;
    if (size.depth > 0 && size.depth <= TLSRPT_DEPTH_MAX && may_make(m, size.values))
        inner = json_loadb(said.ptr, said.len, 0, NULL);
    if (json_is_array(inner)) {
        warn(m, TLSRPT_WARNING_STRING_JSON);
        return inner;
    }
    json_decref(inner);
    return split(m, said);
}

/* The member as a list, in the document, too. NULL when it is not there. */
static json_t *list(struct members *m, json_t *object, const char *name,
                    enum tlsrpt_warning warning)
{
    json_t *value = member(m, object, name);
    if (!value || json_is_null(value) || json_is_array(value))
        return json_is_array(value) ? value : NULL;
    warn(m, warning);
    json_t *made = json_is_string(value) ? lines_of(m, value) : json_pack("[O]", value);
    json_object_set_new(object, name, made);
    return made;
}

/* The texts of a list; the caller frees the array, not the texts. */
static const char **texts(json_t *values, size_t *count_r)
{
    const char **made = xcalloc(json_array_size(values) + 1, sizeof(*made));
    *count_r = 0;
    for (size_t i = 0; i < json_array_size(values); i++)
        if (json_is_string(json_array_get(values, i)))
            made[(*count_r)++] = json_string_value(json_array_get(values, i));
    return made;
}

/* Its lines, or records. Some write the list as JSON inside of one text. */
static void read_strings(struct members *m, json_t *object, struct tlsrpt_policy *p)
{
    static const char name[] = "policy-string";
    json_t *values = list(m, object, name, TLSRPT_WARNING_STRING_NOT_LIST);
    json_t *only = json_array_get(values, 0);
    const char *said = json_string_value(only);
    if (json_array_size(values) == 1 && said && said[strspn(said, " \t\r\n")] == '[') {
        values = lines_of(m, only);
        json_object_set_new(object, name, values);
    }
    p->strings = texts(values, &p->string_count);
}

/* ---- policies ---- */

static bool is_result(const char *word)
{
    for (int i = TLS_RESULT_OK + 1; i < TLS_RESULTS; i++)
        if (strcmp(word, tls_result_name((enum tls_result)i)) == 0)
            return true;
    return false;
}

static void read_failure(struct members *m, json_t *object, struct tlsrpt_failure *f)
{
    f->result = text(m, object, "result-type");
    f->sessions = count(m, object, "failed-session-count");
    f->sending_ip = text(m, object, "sending-mta-ip");
    f->mx_host = text(m, object, "receiving-mx-hostname");
    f->mx_helo = text(m, object, "receiving-mx-helo");
    f->receiving_ip = text(m, object, "receiving-ip");
    f->information = text(m, object, "additional-information");
    if (!f->information[0])
        f->information = text(m, object, "additional-info-uri"); /* as the RFC's list names it */
    f->reason = text(m, object, "failure-reason-code");
    if (!is_result(f->result))
        warn(m, TLSRPT_WARNING_RESULT_UNKNOWN);
}

static void read_failures(struct members *m, json_t *object, struct tlsrpt_policy *p)
{
    json_t *rows = list(m, object, "failure-details", TLSRPT_WARNING_DETAILS_NOT_LIST);
    uint64_t sum = 0;
    p->failures = xcalloc(json_array_size(rows) + 1, sizeof(*p->failures));
    for (size_t i = 0; i < json_array_size(rows); i++) {
        json_t *row = json_array_get(rows, i);
        if (!json_is_object(row)) {
            warn(m, TLSRPT_WARNING_NOT_OBJECT);
            continue;
        }
        struct tlsrpt_failure *f = &p->failures[p->failure_count++];
        read_failure(m, row, f);
        sum = sum + f->sessions <= TLSRPT_COUNT_MAX ? sum + f->sessions : TLSRPT_COUNT_MAX;
    }
    if (sum > p->failed)
        warn(m, TLSRPT_WARNING_EXCEEDS);
}

static bool is_type(const char *word)
{
    return strcmp(word, TLSRPT_TYPE_STS) == 0 || strcmp(word, TLSRPT_TYPE_TLSA) == 0 ||
           strcmp(word, TLSRPT_TYPE_NONE) == 0;
}

static void read_policy(struct members *m, json_t *item, struct tlsrpt_policy *p)
{
    json_t *object = member(m, item, "policy");
    json_t *summary = member(m, item, "summary");
    if (!json_is_object(object)) {
        warn(m, TLSRPT_WARNING_NOT_NESTED);
        object = item;
    }
    p->type = text(m, object, "policy-type");
    p->domain = text(m, object, "policy-domain");
    read_strings(m, object, p);
    p->mx_hosts = texts(list(m, object, "mx-host", TLSRPT_WARNING_MX_NOT_LIST), &p->mx_host_count);
    p->ok = count(m, summary, "total-successful-session-count");
    p->failed = count(m, summary, "total-failure-session-count");
    read_failures(m, item, p);
    if (!is_type(p->type))
        warn(m, TLSRPT_WARNING_TYPE_UNKNOWN);
    if (!p->domain[0])
        warn(m, TLSRPT_WARNING_NO_DOMAIN);
}

static enum tlsrpt_fault read_policies(struct members *m)
{
    struct tlsrpt_report *report = &m->r->report;
    json_t *items = list(m, m->r->document, "policies", TLSRPT_WARNING_POLICIES_NOT_LIST);
    if (!items)
        return TLSRPT_FAULT_NO_POLICIES;
    if (json_array_size(items) == 0)
        warn(m, TLSRPT_WARNING_NONE);
    report->policies = xcalloc(json_array_size(items) + 1, sizeof(*report->policies));
    for (size_t i = 0; i < json_array_size(items); i++) {
        json_t *item = json_array_get(items, i);
        if (json_is_object(item))
            read_policy(m, item, &report->policies[report->policy_count++]);
        else
            warn(m, TLSRPT_WARNING_NOT_OBJECT);
    }
    return report->policy_count > 0 && !m->counted ? TLSRPT_FAULT_NO_COUNTS : TLSRPT_FAULT_READABLE;
}

/* ---- the report ---- */

static const char *need(struct members *m, const char *name, enum tlsrpt_warning warning)
{
    const char *value = text(m, m->r->document, name);
    if (!value[0])
        warn(m, warning);
    return value;
}

static void read_range(struct members *m)
{
    struct tlsrpt_report *report = &m->r->report;
    json_t *range = member(m, m->r->document, "date-range");
    report->begin_s = tlsrpt_time_read(m->r, span_of(text(m, range, "start-datetime")));
    report->end_s = tlsrpt_time_read(m->r, span_of(text(m, range, "end-datetime")));
    int64_t length_s = report->end_s - report->begin_s;
    if (report->begin_s == 0 || report->end_s == 0)
        warn(m, TLSRPT_WARNING_NO_DATE);
    else if (length_s <= 0 || length_s > 24 * 3600)
        warn(m, TLSRPT_WARNING_NOT_ONE_DAY);
}

void tlsrpt_members_read(struct tlsrpt_reading *r)
{
    struct members m = {.r = r};
    r->fault = read_policies(&m);
    if (r->fault != TLSRPT_FAULT_READABLE)
        return;
    r->report.organization = need(&m, "organization-name", TLSRPT_WARNING_NO_ORGANIZATION);
    r->report.contact = need(&m, "contact-info", TLSRPT_WARNING_NO_CONTACT);
    r->report.id = need(&m, "report-id", TLSRPT_WARNING_NO_ID);
    read_range(&m);
}

void tlsrpt_members_fini(struct tlsrpt_report *report)
{
    for (size_t i = 0; i < report->policy_count; i++) {
        free(report->policies[i].strings);
        free(report->policies[i].mx_hosts);
        free(report->policies[i].failures);
    }
    free(report->policies);
    *report = (struct tlsrpt_report){0};
}
