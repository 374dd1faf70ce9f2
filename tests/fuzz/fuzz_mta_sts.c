// SPDX-License-Identifier: BSD-2-Clause
/* fuzz_mta_sts.c - TXT records and the text of a policy: what is taken is what the standards allow, and no more. */
#include "mta_sts.h"
#include "tlsrpt_record.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_policy(struct span body)
{
    struct mta_sts_policy policy;
    enum mta_sts_fault fault = mta_sts_policy_read(body, &policy);
    CHECK(*mta_sts_fault_name(fault) || fault == MTA_STS_SOUND);
    if (fault == MTA_STS_SOUND) {
        CHECK(policy.max_age_s <= MTA_STS_AGE_MAX_S && (policy.mx.len > 0 || policy.mode == MTA_STS_MODE_NONE));
        for (struct span rest = buf_span(&policy.mx); rest.len > 0;) {
            struct span pattern = span_take(&rest, '\n');
            bool wild = span_starts_nocase(pattern, SPAN("*."));
            CHECK(address_is_host(span_from(pattern, wild ? 2 : 0)));
            CHECK(wild || mta_sts_matches(&policy, pattern)); /* a host is its own pattern */
        }
        CHECK(!mta_sts_matches(&policy, SPAN("")) && !mta_sts_matches(&policy, SPAN("[192.0.2.1]")));
    }
    mta_sts_policy_fini(&policy);
}

static void check_records(struct span text)
{
    char id[MTA_STS_ID_MAX + 1];
    char mailbox[2 * ADDRESS_MAX + 1];
    struct tlsrpt_record record;
    struct address parsed;
    struct dns_answer *a = dns_answer_new(DNS_FOUND, 1);
    while (text.len > 0)
        dns_answer_add(a, 0, span_take(&text, '\n'));
    CHECK((mta_sts_record_read(a, id) == MTA_STS_RECORD) <= (strlen(id) > 0));
    CHECK((tlsrpt_record_read(a, &record) == TLSRPT_WANTS_REPORTS) == (record.count > 0));
    for (size_t i = 0; i < record.count; i++) {
        CHECK(span_is_ascii(record.rua[i].uri));
        if (record.rua[i].address[0] && tlsrpt_rua_mailbox(&record.rua[i], mailbox))
            CHECK(address_parse(span_of(mailbox), &parsed));
    }
    dns_answer_free(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span all = {(const char *)data, size};
    check_policy(all);
    check_records(all);
    return 0;
}
