// SPDX-License-Identifier: BSD-2-Clause
/* fuzz_address.c - An address as MAIL and RCPT have it: what is read prints as it was, its normal and its canonical form are
 * their own, what is said of it to a peer is the same address in one path, and rules of who may use it never say yes to what
 * is none.
 */
#include "compose.h"
#include "grammar.h"
#include "identity.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_normal(const struct address *address)
{
    char domain[ADDRESS_DOMAIN_MAX + 1];
    char again[ADDRESS_DOMAIN_MAX + 1];
    CHECK(address_domain_ascii(address->domain, domain));
    CHECK(strspn(domain, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == strlen(domain));
    CHECK(address_domain_ascii(span_of(domain), again) && strcmp(domain, again) == 0);
}

/* RCPT TO, read as the peer will read it. */
static void check_said(const struct address *address, bool smtputf8)
{
    struct grammar_rcpt rcpt;
    struct address heard;
    struct buf said;
    struct buf line;
    char domain[ADDRESS_DOMAIN_MAX + 1];
    char again[ADDRESS_DOMAIN_MAX + 1];
    buf_init(&said, 2 * ADDRESS_MAX);
    buf_init(&line, 4 * ADDRESS_MAX);
    if (compose_address(address->text, smtputf8, &said) == COMPOSE_SAID) {
        buf_addf(&line, "TO:<%s>", buf_text(&said));
        CHECK(smtputf8 || span_is_ascii(buf_span(&line)));
        CHECK(grammar_rcpt(buf_span(&line), smtputf8, &rcpt) == GRAMMAR_OK && rcpt.original.len == 0 && rcpt.notify == 0);
        CHECK(address_parse(rcpt.address, &heard) && span_equal(heard.local, address->local));
        CHECK(address_domain_ascii(heard.domain, domain) && address_domain_ascii(address->domain, again));
        CHECK(strcmp(domain, again) == 0);
    }
    buf_fini(&said);
    buf_fini(&line);
}

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
    check_normal(&address);
    check_said(&address, false);
    check_said(&address, true);
    buf_init(&one, ADDRESS_CANONICAL_MAX);
    buf_init(&two, ADDRESS_CANONICAL_MAX);
    if (address_canonical(&address, &one) && address_parse(buf_span(&one), &again))
        CHECK(address_canonical(&again, &two) && span_equal(buf_span(&one), buf_span(&two)));
    buf_fini(&one);
    buf_fini(&two);
    return 0;
}
