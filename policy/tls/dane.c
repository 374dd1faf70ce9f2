// SPDX-License-Identifier: BSD-2-Clause
/* dane.c - Which TLSA records speak for a host, if any (RFC 7672 section 2.2).
 *
 *   addresses secure - the end of the alias chain, then the name itself
 *   addresses insecure, the alias itself secure - the name itself
 *   addresses insecure - none; nothing is asked, as many such servers cannot answer it
 *
 * The first of them that has records ends the search, whether they can be used or not; so does one
 * that has no answer, as nobody can say then that there are none.
 */
#include "dane.h"

#include "secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { USAGE_TA = 2, USAGE_EE = 3, SHA256 = 1, SHA512 = 2 };

static const struct dns_answer *ask(const struct dns *dns, const char *name, enum dns_type type)
{
    return dns->ask(dns->context, name, type);
}

/* ---- records ---- */

/* How long the data is, by matching type; 0: as long as the certificate or its key. */
static const size_t lengths[] = {[0] = 0, [SHA256] = 32, [SHA512] = 64};

/* RFC 7672 section 3.1.3: the usages that name public authorities are of no use to mail. */
static bool is_usable(const struct dane_record *r)
{
    return (r->usage == USAGE_TA || r->usage == USAGE_EE) && r->selector <= 1 &&
           r->mtype < COUNT_OF(lengths) && r->data.len > 0 &&
           (lengths[r->mtype] == 0 || r->data.len == lengths[r->mtype]);
}

static struct dane_record read_record(struct span wire)
{
    return (struct dane_record){.usage = (unsigned char)wire.ptr[0],
                                .selector = (unsigned char)wire.ptr[1],
                                .mtype = (unsigned char)wire.ptr[2],
                                .data = span_from(wire, 3)};
}

static void add_record(struct dane_answer *answer, const struct dane_record *record)
{
    char *own = xcalloc(1, record->data.len + 1);
    memcpy(own, record->data.ptr, record->data.len);
    answer->records = xgrow(answer->records, answer->count + 1, sizeof(*answer->records));
    answer->records[answer->count] = *record;
    answer->records[answer->count++].data.ptr = own;
}

static void read_records(const struct dns_answer *a, struct dane_answer *answer)
{
    size_t bytes = 0;
    for (size_t i = 0; i < a->count && answer->count < DANE_RECORDS_MAX; i++) {
        if (a->rrs[i].wire.len < 3)
            continue;
        struct dane_record record = read_record(a->rrs[i].wire);
        if (!is_usable(&record) || bytes + record.data.len > DANE_BYTES_MAX)
            continue;
        bytes += record.data.len;
        add_record(answer, &record);
    }
    answer->state = answer->count > 0 ? DANE_FOUND : DANE_UNUSABLE;
}

/* ---- names ---- */

static void give_up(const struct dane_query *q, const struct dns_answer *a,
                    struct dane_answer *answer)
{
    answer->state = a->status == DNS_PENDING && !q->last ? DANE_PENDING : DANE_FAILED;
    answer->failure = dns_failure_of(a);
}

/* True: the search is over. */
static bool try_base(const struct dane_query *q, const struct dns *dns, const char *base,
                     struct dane_answer *answer)
{
    char name[DNS_NAME_MAX + 32];
    snprintf(name, sizeof(name), "_%u._tcp.%s", q->port, base);
    if (!dns_name_valid(span_of(name)))
        return false;
    const struct dns_answer *a = ask(dns, name, DNS_TLSA);
    snprintf(answer->asked, sizeof(answer->asked), "%.*s", DNS_NAME_MAX, name);
    if (a->status == DNS_PENDING || a->status == DNS_FAILED) {
        give_up(q, a, answer);
        return true;
    }
    if (a->status != DNS_FOUND || !a->secure)
        return false;
    snprintf(answer->base, sizeof(answer->base), "%s", base);
    read_records(a, answer);
    return true;
}

/* The chain is not secure as a whole. Is its first step? */
static bool alias_is_secure(const struct dane_query *q, const struct dns *dns,
                            struct dane_answer *answer)
{
    const struct dns_answer *a = ask(dns, q->host, DNS_CNAME);
    if (a->status == DNS_PENDING || a->status == DNS_FAILED) {
        give_up(q, a, answer);
        snprintf(answer->asked, sizeof(answer->asked), "%s", q->host);
    }
    return a->status == DNS_FOUND && a->secure;
}

void dane_evaluate(const struct dane_query *query, const struct dns *dns,
                   struct dane_answer *answer_r)
{
    *answer_r = (struct dane_answer){.state = DANE_NONE};
    if (!query->secure && (!query->canonical || !alias_is_secure(query, dns, answer_r)))
        return;
    if (query->secure && query->canonical && query->canonical[0] &&
        try_base(query, dns, query->canonical, answer_r))
        return;
    if (!try_base(query, dns, query->host, answer_r))
        answer_r->asked[0] = '\0';
}

void dane_answer_fini(struct dane_answer *answer)
{
    for (size_t i = 0; i < answer->count; i++)
        free((void *)(uintptr_t)answer->records[i].data.ptr);
    free(answer->records);
    *answer = (struct dane_answer){0};
}

/* ---- what TLS is judged by ---- */

static void add_name(struct dane *dane, const char *name)
{
    for (size_t i = 0; i < dane->name_count; i++)
        if (strcmp(dane->names[i], name) == 0)
            return;
    dane->names[dane->name_count++] = name;
}

void dane_make(const struct dane_answer *answer, bool secure_mx, const char *next_hop,
               const char *canonical_or_null, struct dane *dane_r)
{
    bool found = answer->state == DANE_FOUND;
    *dane_r = (struct dane){.records = found ? answer->records : NULL,
                            .count = found ? answer->count : 0};
    add_name(dane_r, answer->base);
    if (!secure_mx)
        return;
    add_name(dane_r, next_hop);
    if (canonical_or_null && canonical_or_null[0])
        add_name(dane_r, canonical_or_null);
}

static bool names_decide(const struct dane *dane)
{
    for (size_t i = 0; i < dane->count; i++)
        if (dane->records[i].usage == USAGE_TA)
            return true;
    return false;
}

void dane_digest(const struct dane *dane, unsigned char digest_r[DANE_DIGEST])
{
    struct buf all;
    buf_init(&all, DANE_BYTES_MAX + DANE_RECORDS_MAX * 32 + DANE_NAMES_MAX * (DNS_NAME_MAX + 8));
    size_t names = names_decide(dane) ? dane->name_count : 1;
    for (size_t i = 0; i < names; i++)
        buf_addf(&all, "%s\n", dane->names[i]);
    for (size_t i = 0; i < dane->count; i++) {
        const struct dane_record *r = &dane->records[i];
        buf_addf(&all, "%u %u %u %zu ", r->usage, r->selector, r->mtype, r->data.len);
        buf_add(&all, r->data);
    }
    CHECK(!all.overflow);
    secret_digest(buf_span(&all), digest_r);
    buf_fini(&all);
    digest_r[0] |= 1;
}
