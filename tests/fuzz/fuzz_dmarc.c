// SPDX-License-Identifier: BSD-2-Clause
/* fuzz_dmarc.c - A DMARC record in both readings; lines of the input are the records of From domain and parents. */
#include "dmarc_deployed.h"

#include <string.h>

struct world {
    struct span lines[8];
    size_t count;
    struct dns_answer *answers[64];
    size_t asked;
};

static const struct dns_answer *ask(void *context, const char *name, enum dns_type type)
{
    struct world *w = context;
    size_t labels = dns_name_labels(name);
    struct dns_answer *a = dns_answer_new(DNS_NODATA, 60);
    CHECK(dns_name_valid(span_of(name)) && w->asked < 64);
    w->answers[w->asked++] = a;
    if (type == DNS_TXT && labels <= w->count && w->lines[labels - 1].len > 0) {
        a->status = DNS_FOUND;
        dns_answer_add(a, 0, w->lines[labels - 1]);
    }
    return a;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct suffixes *suffixes;
    static const char *const authors[] = {"example.com", "a.b.example.co.uk", "x.com", "a.b.c.d.e.f.g.h.example.com"};
    struct span rest = {(const char *)data, size};
    struct world w = {0};
    struct dmarc_answer strict;
    struct dmarc_reading deployed;
    if (!suffixes)
        suffixes = suffixes_new();
    while (rest.len > 0 && w.count < 8)
        w.lines[w.count++] = span_take(&rest, '\n');
    const struct dns dns = {ask, &w};
    struct dmarc_query q = {.author = authors[size % 4], .dkim_count = 1, .spf = {"mail.example.com", true}};
    q.dkim[0] = (struct dmarc_identifier){"example.com", size % 3 == 0};
    dmarc_check(&q, &dns, &strict);
    CHECK(strict.result == DMARC_PASS || strict.result == DMARC_FAIL || strict.result == DMARC_NONE);
    CHECK(strict.organizational_domain[0] && dns_name_within(q.author, strict.organizational_domain));
    dmarc_deployed_check(&q, &dns, suffixes, &deployed);
    CHECK(strstr(deployed.why, "contradicts") == NULL);
    while (w.asked > 0)
        dns_answer_free(w.answers[--w.asked]);
    return 0;
}
