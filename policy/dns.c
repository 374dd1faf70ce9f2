// SPDX-License-Identifier: BSD-2-Clause
/* dns.c - Names, answers, and the list of what was asked. */
#include "dns.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { QUESTIONS_MAX = 1000 };

const char *dns_type_name(enum dns_type type)
{
    switch (type) {
    case DNS_A:
        return "A";
    case DNS_NS:
        return "NS";
    case DNS_PTR:
        return "PTR";
    case DNS_MX:
        return "MX";
    case DNS_TXT:
        return "TXT";
    case DNS_AAAA:
        return "AAAA";
    }
    UNREACHABLE();
}

const char *dns_status_name(enum dns_status status)
{
    static const char *const names[] = {[DNS_PENDING] = "pending",
                                        [DNS_FOUND] = "found",
                                        [DNS_NODATA] = "nodata",
                                        [DNS_NXDOMAIN] = "nxdomain",
                                        [DNS_FAILED] = "failed"};
    CHECK((unsigned)status < COUNT_OF(names));
    return names[status];
}

bool dns_name_valid(struct span name)
{
    if (name.len == 0 || name.len > DNS_NAME_MAX || name.ptr[name.len - 1] == '.' ||
        span_find(name, '\0') < name.len)
        return false;
    while (name.len > 0) {
        struct span label = span_take(&name, '.');
        if (label.len == 0 || label.len > 63)
            return false;
    }
    return true;
}

bool dns_name_within(const char *name, const char *domain)
{
    size_t len = strlen(name);
    size_t tail = strlen(domain);
    return len >= tail && strcmp(name + len - tail, domain) == 0 &&
           (len == tail || name[len - tail - 1] == '.');
}

void dns_name_lower(char *name)
{
    for (; *name; name++)
        if (*name >= 'A' && *name <= 'Z')
            *name = (char)(*name | 0x20);
}

size_t dns_name_labels(const char *name)
{
    size_t count = *name != '\0';
    for (; *name; name++)
        count += *name == '.';
    return count;
}

/* ---- answers ---- */

struct dns_answer *dns_answer_new(enum dns_status status, uint32_t ttl_s)
{
    struct dns_answer *a = xcalloc(1, sizeof(*a));
    a->status = status;
    a->ttl_s = ttl_s;
    return a;
}

void dns_answer_add(struct dns_answer *a, unsigned preference, struct span data)
{
    if (a->count == DNS_RRS_MAX)
        return;
    char *bytes = xcalloc(1, data.len + 1);
    memcpy(bytes, data.ptr, data.len);
    a->rrs = xgrow(a->rrs, a->count + 1, sizeof(*a->rrs));
    a->rrs[a->count++] = (struct dns_rr){preference, {bytes, data.len}};
}

void dns_answer_free(struct dns_answer *a)
{
    if (!a)
        return;
    for (size_t i = 0; i < a->count; i++)
        free((void *)(uintptr_t)a->rrs[i].data.ptr);
    free(a->rrs);
    free(a);
}

/* ---- the log ---- */

static struct dns_question *find(struct dns_log *log, const char *name, enum dns_type type)
{
    for (size_t i = 0; i < log->count; i++)
        if (log->questions[i].type == type && strcmp(log->questions[i].name, name) == 0)
            return &log->questions[i];
    return NULL;
}

static const struct dns_answer *ask(void *context, const char *name, enum dns_type type)
{
    struct dns_log *log = context;
    const struct dns_answer *a = log->behind->ask(log->behind->context, name, type);
    if (a->status != DNS_PENDING && a->ttl_s < log->ttl_s)
        log->ttl_s = a->ttl_s;
    if (log->count < QUESTIONS_MAX && !find(log, name, type)) {
        log->questions = xgrow(log->questions, log->count + 1, sizeof(*log->questions));
        struct dns_question *q = &log->questions[log->count++];
        snprintf(q->name, sizeof(q->name), "%s", name);
        q->type = type;
        q->status = a->status;
    }
    return a;
}

void dns_log_init(struct dns_log *log, const struct dns *behind)
{
    *log = (struct dns_log){.dns = {ask, log}, .behind = behind, .ttl_s = UINT32_MAX};
}

void dns_log_fini(struct dns_log *log)
{
    free(log->questions);
    *log = (struct dns_log){0};
}
