// SPDX-License-Identifier: BSD-2-Clause
/* fuzz_message.c - Headers: whatever is accepted has one From mailbox whose domain is in normal form, a Message-ID that is one,
 * no line that is too long, and means the same once more.
 */
#include "admit.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_accepted(struct span header, const struct message_summary *s)
{
    char again[ADDRESS_DOMAIN_MAX + 1];
    struct field f;
    struct address address;
    const char *why = NULL;
    CHECK(address_domain_ascii(span_of(s->from_domain), again) && strcmp(again, s->from_domain) == 0);
    CHECK(address_parse(s->from.text, &address));
    CHECK(s->message_id.len == 0 || (s->message_id.ptr[0] == '<' && s->message_id.ptr[s->message_id.len - 1] == '>'));
    CHECK(s->senders >= 1);
    while (message_next_field(&header, &f)) {
        CHECK(f.name.len > 0);
        (void)message_leaves(&f);
        for (struct span rest = f.raw; rest.len > 0;)
            CHECK(span_take(&rest, '\n').len <= MESSAGE_LINE_MAX + 1);
        if (span_equal_nocase(f.name, SPAN("Date")))
            CHECK(message_date_valid(f.value, &why));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span bytes = {(const char *)data, size};
    struct message_summary summary;
    struct admission admission;
    struct identity identity = {.name = "app", .allowed = "b.test \"a\"@c.test"};
    size_t header_len = 0;
    message_header_length(bytes, &header_len);
    struct span header = span_first(bytes, header_len);
    struct verdict v = message_check(header, size % 2, &summary);
    CHECK(v.code >= 250 && v.text[0] != '\0');
    if (v.what == VERDICT_ACCEPT)
        check_accepted(header, &summary);
    struct admit_input in = {.identity = &identity, .sender = SPAN_NONE, .header = header, .smtputf8 = size % 2};
    struct verdict whole = admit_message(&in, &admission);
    CHECK(v.what == VERDICT_ACCEPT || whole.what != VERDICT_ACCEPT);
    return 0;
}
