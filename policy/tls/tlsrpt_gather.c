// SPDX-License-Identifier: BSD-2-Clause
/* tlsrpt_gather.c - Sessions as they are counted, and their counts as a report has them. */
#include "tlsrpt_gather.h"

#include "mta_sts.h"
#include "tlsrpt_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- one session ---- */

static const char *type_of(enum tls_policy policy)
{
    static const char *const types[TLS_POLICIES] = {
        [TLS_POLICY_NONE] = TLSRPT_TYPE_NONE,
        [TLS_POLICY_OPPORTUNISTIC] = TLSRPT_TYPE_NONE,
        [TLS_POLICY_ROUTE] = TLSRPT_TYPE_NONE,
        [TLS_POLICY_WAIVED] = TLSRPT_TYPE_NONE,
        [TLS_POLICY_DANE] = TLSRPT_TYPE_TLSA,
        [TLS_POLICY_DANE_MX_INSECURE] = TLSRPT_TYPE_TLSA,
        [TLS_POLICY_DANE_UNUSABLE] = TLSRPT_TYPE_TLSA,
        [TLS_POLICY_STS] = TLSRPT_TYPE_STS,
        [TLS_POLICY_STS_TESTING] = TLSRPT_TYPE_STS,
    };
    return types[policy];
}

static bool print_json(json_t *made, struct buf *out)
{
    char *text = made ? json_dumps(made, JSON_COMPACT) : NULL;
    bool ok = text && buf_add(out, span_of(text));
    free(text);
    json_decref(made);
    return ok;
}

/* TLSA records as a zone file has them (RFC 8460 section 4.4); the texts are the caller's. */
static const char **record_texts(const struct dane_answer *dane)
{
    const char **texts = xcalloc(dane->count + 1, sizeof(*texts));
    for (size_t i = 0; i < dane->count; i++) {
        const struct dane_record *r = &dane->records[i];
        struct buf text;
        buf_init(&text, (size_t)2 * DANE_BYTES_MAX + 16);
        buf_addf(&text, "%u %u %u ", r->usage, r->selector, r->mtype);
        for (size_t k = 0; k < r->data.len; k++)
            buf_addf(&text, "%02x", (unsigned char)r->data.ptr[k]);
        texts[i] = xstrdup(buf_text(&text));
        buf_fini(&text);
    }
    return texts;
}

static char *print_line(const char *key, struct span value)
{
    size_t size = strlen(key) + value.len + 3;
    char *line = xcalloc(size, 1);
    snprintf(line, size, "%s: %.*s", key, (int)value.len, value.ptr);
    return line;
}

enum { STS_FIXED = 3, MX_KEY = 4 /* "mx: " */ };

/* A policy as its file has it, a line each; the patterns, of which there are three fewer, begin
 * behind the key of the third. The texts are the caller's. */
static const char **policy_texts(const struct mta_sts_policy *sts, size_t *count_r)
{
    size_t patterns = 0;
    for (struct span rest = buf_span(&sts->mx); rest.len > 0; patterns++)
        (void)span_take(&rest, '\n');
    const char **texts = xcalloc(patterns + STS_FIXED, sizeof(*texts));
    size_t count = 0;
    char age[16];
    snprintf(age, sizeof(age), "%u", sts->max_age_s);
    texts[count++] = xstrdup("version: STSv1");
    texts[count++] = print_line("mode", span_of(mta_sts_mode_name(sts->mode)));
    for (struct span rest = buf_span(&sts->mx); rest.len > 0;)
        texts[count++] = print_line("mx", span_take(&rest, '\n'));
    texts[count++] = print_line("max_age", span_of(age));
    *count_r = count;
    return texts;
}

static const char **patterns_of(const char **texts, size_t count)
{
    const char **patterns = xcalloc(count, sizeof(*patterns));
    for (size_t i = 0; i + STS_FIXED < count; i++)
        patterns[i] = texts[i + 2] + MX_KEY;
    return patterns;
}

bool tlsrpt_gather_policy(const struct tlsrpt_terms *terms, struct buf *out)
{
    const char *type = type_of(terms->policy);
    struct tlsrpt_policy p = {.type = type, .domain = terms->domain};
    const char **texts = NULL;
    const char **patterns = NULL;
    if (strcmp(type, TLSRPT_TYPE_STS) == 0 && terms->sts) {
        p.strings = texts = policy_texts(terms->sts, &p.string_count);
        p.mx_hosts = patterns = patterns_of(texts, p.string_count);
        p.mx_host_count = p.string_count - STS_FIXED;
    } else if (strcmp(type, TLSRPT_TYPE_TLSA) == 0) {
        bool has_base = terms->dane && terms->dane->base[0];
        p.domain = has_base ? terms->dane->base : terms->host;
        p.string_count = terms->dane ? terms->dane->count : 0;
        p.strings = texts = p.string_count > 0 ? record_texts(terms->dane) : NULL;
    }
    bool ok = print_json(tlsrpt_policy_json(&p), out);
    for (size_t i = 0; texts && i < p.string_count; i++)
        free((char *)(uintptr_t)texts[i]);
    free(texts);
    free(patterns);
    return ok;
}

/* Its type, which it begins with, and what follows: what may be long is not read for that. */
static bool read_kind(const char *policy, struct span *type_r, struct span *rest_r)
{
    static const char head[] = "{\"policy-type\":\"";
    struct span rest = span_of(policy);
    if (!span_equal(span_first(rest, strlen(head)), span_of(head)))
        return false;
    rest = span_from(rest, strlen(head));
    *type_r = span_first(rest, span_find(rest, '"'));
    *rest_r = span_from(rest, type_r->len);
    return rest_r->len > 0;
}

bool tlsrpt_gather_bare(const char *policy, const char *domain, struct buf *out)
{
    static const char strings[] = "\",\"policy-string\":";
    static const char *line[] = {"(left out: too much for one day)"};
    char type[32];
    struct span kind;
    struct span rest;
    if (!read_kind(policy, &kind, &rest) || !span_copy(kind, type, sizeof(type)))
        return false;
    const bool had = span_equal(span_first(rest, strlen(strings)), span_of(strings));
    const struct tlsrpt_policy p = {
        .type = type, .domain = domain, .strings = line, .string_count = had ? 1 : 0};
    return print_json(tlsrpt_policy_json(&p), out);
}

/* ---- many ---- */

/* A policy as it is put together: its texts are in the document, which is read for the report and
 * not before, as there may be much of it; those of failures are its own. */
struct gathered {
    char *text;
    json_t *document;
    struct tlsrpt_policy policy;
};

struct tlsrpt_gather {
    struct gathered *all;
    size_t count;
    struct tlsrpt_policy *told; /* for the report */
};

struct tlsrpt_gather *tlsrpt_gather_new(void)
{
    return xcalloc(1, sizeof(struct tlsrpt_gather));
}

static const char **list_of(const json_t *document, const char *name, size_t *count_r)
{
    const json_t *list = json_object_get(document, name);
    const char **texts = xcalloc(json_array_size(list) + 1, sizeof(*texts));
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *one = json_string_value(json_array_get(list, i));
        if (one)
            texts[(*count_r)++] = one;
    }
    return texts;
}

/* NULL: it is none. */
static struct gathered *find(struct tlsrpt_gather *g, const char *text)
{
    struct span kind;
    struct span rest;
    for (size_t i = g->count; i > 0; i--) /* the same ones come one after the other */
        if (strcmp(g->all[i - 1].text, text) == 0)
            return &g->all[i - 1];
    if (!read_kind(text, &kind, &rest))
        return NULL;
    g->all = xgrow(g->all, g->count + 1, sizeof(*g->all));
    struct gathered *made = &g->all[g->count++];
    *made = (struct gathered){.text = xstrdup(text)};
    return made;
}

/* Once; false: it is no policy. */
static bool open_policy(struct gathered *one)
{
    struct tlsrpt_policy *p = &one->policy;
    if (p->strings)
        return p->type && p->domain;
    one->document = json_loads(one->text, 0, NULL);
    p->type = json_string_value(json_object_get(one->document, "policy-type"));
    p->domain = json_string_value(json_object_get(one->document, "policy-domain"));
    p->strings = list_of(one->document, "policy-string", &p->string_count);
    p->mx_hosts = list_of(one->document, "mx-host", &p->mx_host_count);
    return p->type && p->domain;
}

void tlsrpt_gather_add(struct tlsrpt_gather *g, const struct tlsrpt_count *count)
{
    struct gathered *to = find(g, count->policy);
    if (!to || count->sessions <= 0)
        return;
    struct tlsrpt_policy *p = &to->policy;
    if (strcmp(count->result, tls_result_name(TLS_RESULT_OK)) == 0) {
        p->ok += (uint64_t)count->sessions;
        return;
    }
    p->failed += (uint64_t)count->sessions;
    p->failures = xgrow(p->failures, p->failure_count + 1, sizeof(*p->failures));
    p->failures[p->failure_count++] =
        (struct tlsrpt_failure){.result = xstrdup(count->result),
                                .sessions = (uint64_t)count->sessions,
                                .sending_ip = xstrdup(count->sending_ip),
                                .mx_host = xstrdup(count->mx_host),
                                .mx_helo = xstrdup(count->mx_helo),
                                .receiving_ip = xstrdup(count->receiving_ip),
                                .information = "",
                                .reason = xstrdup(count->reason)};
}

void tlsrpt_gather_report(struct tlsrpt_gather *g, struct tlsrpt_report *report_r)
{
    free(g->told);
    g->told = xcalloc(g->count + 1, sizeof(*g->told));
    report_r->policies = g->told;
    report_r->policy_count = 0;
    for (size_t i = 0; i < g->count; i++)
        if (open_policy(&g->all[i]))
            g->told[report_r->policy_count++] = g->all[i].policy;
}

uint64_t tlsrpt_gather_ok(const struct tlsrpt_gather *g)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < g->count; i++)
        sum += g->all[i].policy.ok;
    return sum;
}

uint64_t tlsrpt_gather_failed(const struct tlsrpt_gather *g)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < g->count; i++)
        sum += g->all[i].policy.failed;
    return sum;
}

static void free_failure(const struct tlsrpt_failure *f)
{
    const char *const own[] = {f->result,  f->sending_ip,   f->mx_host,
                               f->mx_helo, f->receiving_ip, f->reason};
    for (size_t i = 0; i < COUNT_OF(own); i++)
        free((char *)(uintptr_t)own[i]);
}

void tlsrpt_gather_free(struct tlsrpt_gather *g)
{
    if (!g)
        return;
    for (size_t i = 0; i < g->count; i++) {
        struct gathered *one = &g->all[i];
        for (size_t k = 0; k < one->policy.failure_count; k++)
            free_failure(&one->policy.failures[k]);
        free(one->policy.failures);
        free(one->policy.strings);
        free(one->policy.mx_hosts);
        json_decref(one->document);
        free(one->text);
    }
    free(g->all);
    free(g->told);
    free(g);
}

/* ---- when ---- */

enum { FIRST_MS = 10 * 60 * 1000, SPREAD_MS = 230 * 60 * 1000, FIRST_WAIT_MS = 5 * 60 * 1000 };

int64_t tlsrpt_gather_due_ms(int64_t day, const char *domain)
{
    uint32_t hash = UINT32_C(2166136261); /* FNV-1a: the same on each machine, and after a start */
    for (const char *c = domain; *c; c++)
        hash = (hash ^ (unsigned char)*c) * UINT32_C(16777619);
    return (day + 1) * TLSRPT_DAY_MS + FIRST_MS + (int64_t)(hash % SPREAD_MS);
}

int64_t tlsrpt_gather_wait_ms(unsigned failures, int64_t first_ms, int64_t now_ms)
{
    int64_t wait_ms = (int64_t)FIRST_WAIT_MS << (failures < 6 ? failures : 6);
    return now_ms + wait_ms - first_ms > TLSRPT_DAY_MS ? -1 : wait_ms;
}
