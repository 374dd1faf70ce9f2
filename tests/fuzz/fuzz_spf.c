// SPDX-License-Identifier: BSD-2-Clause
/* fuzz_spf.c - An SPF record and what its names lead to, in both readings: lines of the input are the answers. */
#include "spf.h"
#include "spf_deployed.h"

#include <string.h>

enum { ANSWERS_MAX = 64 };

/* The first line is the record of the domain; others are given to whatever is asked for, in turn. */
struct world {
    struct span lines[ANSWERS_MAX];
    size_t count;
    struct dns_answer *answers[4096];
    size_t asked;
};

static const struct dns_answer *ask(void *context, const char *name, enum dns_type type)
{
    struct world *w = context;
    CHECK(dns_name_valid(span_of(name)) && w->asked < 4096);
    uint32_t hash = (uint32_t)type;
    for (const char *p = name; *p; p++)
        hash = hash * 31 + (unsigned char)*p;
    struct span line = w->count ? w->lines[strcmp(name, "d.test") == 0 ? 0 : hash % w->count] : SPAN_NONE;
    struct dns_answer *a = dns_answer_new(line.len ? DNS_FOUND : hash % 3 ? DNS_NXDOMAIN : DNS_FAILED, 60);
    w->answers[w->asked++] = a;
    if (a->status != DNS_FOUND)
        return a;
    size_t address = type == DNS_A ? 4 : 16;
    if (type == DNS_TXT)
        dns_answer_add(a, 0, line);
    else if ((type == DNS_MX || type == DNS_PTR) && dns_name_valid(line))
        dns_answer_add(a, 1, line);
    else if ((type == DNS_A || type == DNS_AAAA) && line.len >= address)
        dns_answer_add(a, 0, span_first(line, address));
    return a;
}

static void forget(struct world *w)
{
    while (w->asked > 0)
        dns_answer_free(w->answers[--w->asked]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span rest = {(const char *)data, size};
    struct world w = {0};
    while (rest.len > 0 && w.count < ANSWERS_MAX)
        w.lines[w.count++] = span_take(&rest, '\n');
    const struct dns dns = {ask, &w};
    struct spf_query q = {.sender = SPAN("strong-bad@d.test"), .helo = SPAN("helo.test"), .receiver = SPAN_NONE};
    struct spf_answer strict;
    struct spf_reading deployed;
    q.ip.v6 = size % 2;
    spf_check(&q, &dns, &strict);
    CHECK(strict.result != SPF_PENDING && strict.terms <= 11 && strict.voids <= 3);
    forget(&w);
    spf_deployed_check(&q, &dns, &deployed);
    CHECK(deployed.result != SPF_PENDING);
    forget(&w);
    return 0;
}
