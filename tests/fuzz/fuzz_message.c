// SPDX-License-Identifier: BSD-2-Clause
/* fuzz_message.c - Headers: whatever is accepted has one From mailbox whose domain is in normal form. */
#include "message.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span bytes = {(const char *)data, size};
    struct message_summary summary;
    size_t header_len = 0;
    message_header_length(bytes, &header_len);
    struct verdict v = message_check(span_first(bytes, header_len), size % 2, &summary);
    CHECK(v.code >= 250 && v.text[0] != '\0');
    if (v.what == VERDICT_ACCEPT) {
        char again[ADDRESS_DOMAIN_MAX + 1];
        CHECK(address_domain_ascii(span_of(summary.from_domain), again) && strcmp(again, summary.from_domain) == 0);
    }
    return 0;
}
