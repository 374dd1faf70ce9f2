// SPDX-License-Identifier: BSD-2-Clause
/* fuzz_address.c - An address as MAIL and RCPT have it: what is read prints as it was, its canonical form is its own canonical
 * form, and rules of who may use it never say yes to what is none.
 */
#include "grammar.h"
#include "identity.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = {(const char *)data, size};
    struct identity identity = {.allowed = "club.test *.club.test \"a b\"@other.test"};
    struct address address;
    struct address again;
    struct grammar_mail mail;
    struct grammar_rcpt rcpt;
    struct buf one;
    struct buf two;
    (void)(grammar_mail(text, &mail) == GRAMMAR_OK);
    (void)(grammar_rcpt(text, size % 2, &rcpt) == GRAMMAR_OK);
    (void)grammar_is_helo(text);
    if (!address_parse(text, &address))
        return 0;
    CHECK(span_equal(address.text, text) && address.local.len + address.domain.len + 1 == text.len);
    (void)identity_may(&identity, &address);
    buf_init(&one, ADDRESS_CANONICAL_MAX);
    buf_init(&two, ADDRESS_CANONICAL_MAX);
    if (address_canonical(&address, &one) && address_parse(buf_span(&one), &again))
        CHECK(address_canonical(&again, &two) && span_equal(buf_span(&one), buf_span(&two)));
    buf_fini(&one);
    buf_fini(&two);
    return 0;
}
