// SPDX-License-Identifier: BSD-2-Clause
/* dns.c - DNS names and answers, and the list of questions that an evaluation has asked. */
#include "dns.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { QUESTIONS_MAX = 1000 };

static const struct {
    enum dns_type type;
    const char *name;
} types[] = {{DNS_A, "A"},     {DNS_NS, "NS"},     {DNS_CNAME, "CNAME"}, {DNS_SOA, "SOA"},
             {DNS_PTR, "PTR"}, {DNS_MX, "MX"},     {DNS_TXT, "TXT"},     {DNS_AAAA, "AAAA"},
             {DNS_SRV, "SRV"}, {DNS_TLSA, "TLSA"}, {DNS_CAA, "CAA"},     {DNS_DNSKEY, "DNSKEY"}};

const char *dns_type_name(enum dns_type type)
{
    for (size_t i = 0; i < COUNT_OF(types); i++)
        if (types[i].type == type)
            return types[i].name;
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
    a->ttl_s = a->given_ttl_s = ttl_s;
    return a;
}

static struct span copy(struct span bytes)
{
    char *own = xcalloc(1, bytes.len + 1);
    memcpy(own, bytes.ptr, bytes.len);
    return (struct span){own, bytes.len};
}

void dns_answer_add(struct dns_answer *a, unsigned preference, struct span data)
{
    if (a->count == DNS_RRS_MAX)
        return;
    a->rrs = xgrow(a->rrs, a->count + 1, sizeof(*a->rrs));
    a->rrs[a->count++] = (struct dns_rr){.preference = preference, .data = copy(data)};
}

void dns_answer_add_wire(struct dns_answer *a, struct span data, struct span wire)
{
    if (a->count == DNS_RRS_MAX)
        return;
    dns_answer_add(a, 0, data);
    a->rrs[a->count - 1].wire = copy(wire);
}

void dns_answer_alias(struct dns_answer *a, const char *canonical)
{
    free(a->canonical);
    a->canonical = xstrdup(canonical);
}

void dns_answer_add_text(struct dns_answer *a, struct span wire)
{
    struct buf text;
    if (a->count == DNS_RRS_MAX)
        return;
    buf_init(&text, wire.len + 1);
    for (struct span rest = wire; rest.len > 0;) {
        size_t len = (unsigned char)rest.ptr[0];
        buf_add(&text, span_first(span_from(rest, 1), len));
        rest = span_from(rest, len + 1);
    }
    dns_answer_add_wire(a, buf_span(&text), wire);
    buf_fini(&text);
}

static int compare(const void *a, const void *b)
{
    const struct dns_rr *x = a;
    const struct dns_rr *y = b;
    size_t len = x->data.len < y->data.len ? x->data.len : y->data.len;
    if (x->preference != y->preference)
        return x->preference < y->preference ? -1 : 1;
    int order = memcmp(x->data.ptr, y->data.ptr, len);
    return order != 0 ? order : x->data.len < y->data.len ? -1 : x->data.len > y->data.len;
}

void dns_answer_sort(struct dns_answer *a)
{
    if (a->count > 1)
        qsort(a->rrs, a->count, sizeof(*a->rrs), compare);
}

size_t dns_answer_bytes(const struct dns_answer *a)
{
    size_t bytes = sizeof(*a) + (a->canonical ? strlen(a->canonical) + 1 : 0);
    for (size_t i = 0; i < a->count; i++)
        bytes += sizeof(a->rrs[i]) + a->rrs[i].data.len + a->rrs[i].wire.len;
    return bytes;
}

void dns_answer_free(struct dns_answer *a)
{
    if (!a)
        return;
    for (size_t i = 0; i < a->count; i++) {
        free((void *)(uintptr_t)a->rrs[i].data.ptr);
        free((void *)(uintptr_t)a->rrs[i].wire.ptr);
    }
    free(a->rrs);
    free(a->canonical);
    free(a->fault);
    free(a);
}

enum dns_failure dns_failure_of(const struct dns_answer *a)
{
    CHECK(a->status == DNS_FAILED || a->status == DNS_PENDING);
    return a->status == DNS_PENDING ? DNS_SILENT
           : a->late                ? DNS_SILENT
           : a->bogus               ? DNS_BOGUS
           : a->refused             ? DNS_REFUSES
                                    : DNS_SERVFAIL;
}

const char *dns_failure_text(enum dns_failure failure)
{
    static const char *const texts[DNS_FAILURES] = {
        [DNS_SILENT] = "no answer in time (dns-timeout)",
        [DNS_BOGUS] = "not valid by DNSSEC (dnssec-bogus)",
        [DNS_REFUSES] = "its servers refuse to answer (dns-refused)",
        [DNS_SERVFAIL] = "its servers fail, or none is reached (dns-servfail)"};
    return texts[failure];
}

/* ---- as text ---- */

void dns_rr_print(enum dns_type type, const struct dns_rr *rr, struct buf *out)
{
    char text[INET6_ADDRSTRLEN] = "";
    if (type == DNS_A || type == DNS_AAAA) {
        inet_ntop(type == DNS_A ? AF_INET : AF_INET6, rr->data.ptr, text, sizeof(text));
        buf_add(out, span_of(text));
        return;
    }
    if (type == DNS_MX)
        buf_addf(out, "%u ", rr->preference);
    buf_add(out, rr->data);
}

bool dns_reverse_name(const char *ip, char *name_r)
{
    unsigned char b[16];
    size_t used = 0;
    if (inet_pton(AF_INET, ip, b) == 1) {
        snprintf(name_r, DNS_NAME_MAX + 1, "%u.%u.%u.%u.in-addr.arpa", b[3], b[2], b[1], b[0]);
        return true;
    }
    if (inet_pton(AF_INET6, ip, b) != 1)
        return false;
    for (size_t i = 16; i-- > 0;)
        used += (size_t)snprintf(name_r + used, DNS_NAME_MAX + 1 - used, "%x.%x.", b[i] & 15U,
                                 b[i] >> 4);
    snprintf(name_r + used, DNS_NAME_MAX + 1 - used, "ip6.arpa");
    return true;
}

/* ---- one answer exchanged ---- */

static const struct dns_answer *ask_overlay(void *context, const char *name, enum dns_type type)
{
    struct dns_overlay *o = context;
    if (type == o->type && strcmp(name, o->name) == 0)
        return o->answer;
    return o->behind->ask(o->behind->context, name, type);
}

void dns_overlay_init(struct dns_overlay *o, const struct dns *behind, const char *name,
                      enum dns_type type, const struct dns_answer *answer)
{
    *o = (struct dns_overlay){{ask_overlay, o}, behind, name, type, answer};
}

/* ---- zones ---- */

enum dns_status dns_zone(const struct dns *dns, const char *name, char *zone_r, bool *secure_r)
{
    *secure_r = false;
    while (dns_name_labels(name) > 0) {
        /* An alias would be followed, and the answer be about its target. */
        const struct dns_answer *alias = dns->ask(dns->context, name, DNS_CNAME);
        const struct dns_answer *soa = dns->ask(dns->context, name, DNS_SOA);
        if (alias->status == DNS_PENDING || soa->status == DNS_PENDING)
            return DNS_PENDING;
        if (soa->status == DNS_FAILED)
            return DNS_FAILED;
        if (soa->status == DNS_FOUND && alias->status != DNS_FOUND) {
            snprintf(zone_r, DNS_NAME_MAX + 1, "%s", name);
            *secure_r = soa->secure;
            return DNS_FOUND;
        }
        name += strcspn(name, ".");
        name += *name == '.';
    }
    return DNS_FAILED;
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
