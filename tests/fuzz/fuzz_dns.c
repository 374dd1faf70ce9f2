// SPDX-License-Identifier: BSD-2-Clause
/* fuzz_dns.c - An answer: the first byte chooses the type, then each record with its length before it. */
#include "dns.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum dns_type types[] = {DNS_MX, DNS_A, DNS_AAAA, DNS_PTR, DNS_TXT, DNS_SRV, DNS_TLSA, DNS_CAA, DNS_SOA};
    enum dns_type type = types[size > 0 ? data[0] % COUNT_OF(types) : 0];
    struct dns_answer *a = dns_answer_new(DNS_FOUND, 60);
    struct buf text;
    for (size_t at = 1; at < size;) {
        struct span rest = {(const char *)data + at + 1, size - at - 1};
        struct span wire = span_first(rest, data[at]);
        dns_wire_add(a, type, wire);
        at += 1 + wire.len;
    }
    dns_answer_sort(a);
    buf_init(&text, 1024 * 1024);
    for (size_t i = 0; i < a->count; i++) {
        if (type == DNS_MX && a->rrs[i].data.len > 0)
            CHECK(dns_name_valid(a->rrs[i].data) && span_find(a->rrs[i].data, '\0') == a->rrs[i].data.len);
        dns_rr_print(type, &a->rrs[i], &text);
    }
    buf_fini(&text);
    dns_answer_free(a);
    return 0;
}
