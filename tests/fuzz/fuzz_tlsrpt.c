// SPDX-License-Identifier: BSD-2-Clause
/* fuzz_tlsrpt.c - A report as somebody sends it: what is read of it is whole, and says the same when it is written. */
#include "tlsrpt_read.h"
#include "tlsrpt_report.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *text)
{
    CHECK(text && span_is_utf8(span_of(text)));
}

static void check_policy(const struct tlsrpt_policy *p)
{
    check_text(p->type);
    check_text(p->domain);
    CHECK(p->ok <= TLSRPT_COUNT_MAX && p->failed <= TLSRPT_COUNT_MAX);
    for (size_t i = 0; i < p->string_count; i++)
        check_text(p->strings[i]);
    for (size_t i = 0; i < p->mx_host_count; i++)
        check_text(p->mx_hosts[i]);
    for (size_t i = 0; i < p->failure_count; i++) {
        const struct tlsrpt_failure *f = &p->failures[i];
        const char *const all[] = {f->result, f->sending_ip, f->mx_host, f->mx_helo, f->receiving_ip, f->information, f->reason};
        for (size_t t = 0; t < COUNT_OF(all); t++)
            check_text(all[t]);
        CHECK(f->sessions <= TLSRPT_COUNT_MAX);
    }
}

static void check_written(const struct tlsrpt_report *report)
{
    struct tlsrpt_reading again;
    struct buf text;
    buf_init(&text, 1 << 20);
    CHECK(tlsrpt_report_json(report, &text));
    tlsrpt_read(buf_span(&text), TLSRPT_LABEL_JSON, &again);
    CHECK(again.fault == TLSRPT_FAULT_READABLE && again.report.policy_count == report->policy_count);
    for (size_t i = 0; i < report->policy_count; i++) {
        const struct tlsrpt_policy *a = &report->policies[i], *b = &again.report.policies[i];
        CHECK(a->ok == b->ok && a->failed == b->failed && a->failure_count == b->failure_count && !a->type[0] == !b->type[0]);
        for (size_t f = 0; f < a->failure_count; f++)
            CHECK(a->failures[f].sessions == b->failures[f].sessions);
    }
    tlsrpt_reading_fini(&again);
    buf_fini(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tlsrpt_reading r;
    tlsrpt_read((struct span){(const char *)data, size}, (enum tlsrpt_label)(size % 3), &r);
    CHECK(*tlsrpt_fault_name(r.fault) || r.fault == TLSRPT_FAULT_READABLE);
    CHECK(r.warnings < (UINT64_C(1) << TLSRPT_WARNING_COUNT) && strlen(r.domain) < sizeof(r.domain));
    if (r.fault == TLSRPT_FAULT_READABLE) {
        check_text(r.report.organization);
        check_text(r.report.contact);
        check_text(r.report.id);
        for (size_t i = 0; i < r.report.policy_count; i++)
            check_policy(&r.report.policies[i]);
        check_written(&r.report);
    }
    tlsrpt_reading_fini(&r);
    return 0;
}
