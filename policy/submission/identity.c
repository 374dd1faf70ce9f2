// SPDX-License-Identifier: BSD-2-Clause
/* identity.c - Evaluates a credential's list of domains and addresses; the first rule that matches
 * allows. */
#include "identity.h"

#include <string.h>

static bool is_star_domain(struct span rule)
{
    return span_starts_nocase(rule, SPAN("*."));
}

bool identity_rule_valid(struct span rule)
{
    char ascii[ADDRESS_DOMAIN_MAX + 1];
    struct address address;
    if (span_equal(rule, SPAN("*")))
        return true;
    if (is_star_domain(rule))
        rule = span_from(rule, 2);
    return address_domain_ascii(rule, ascii) || address_parse(rule, &address);
}

static bool rule_allows(struct span rule, const struct address *address, const char *domain)
{
    struct address exact;
    char ascii[ADDRESS_DOMAIN_MAX + 1];
    if (span_equal(rule, SPAN("*")))
        return true;
    if (is_star_domain(rule))
        return address_domain_ascii(span_from(rule, 2), ascii) &&
               strlen(domain) > strlen(ascii) + 1 &&
               span_ends_nocase(span_of(domain), span_of(ascii)) &&
               domain[strlen(domain) - strlen(ascii) - 1] == '.';
    if (address_domain_ascii(rule, ascii))
        return strcmp(ascii, domain) == 0;
    return address_parse(rule, &exact) && address_domain_ascii(exact.domain, ascii) &&
           strcmp(ascii, domain) == 0 && span_equal_nocase(exact.local, address->local);
}

bool identity_may(const struct identity *identity, const struct address *address)
{
    char domain[ADDRESS_DOMAIN_MAX + 1];
    struct span rules = span_of(identity->allowed);
    if (!address_domain_ascii(address->domain, domain))
        return false;
    while (rules.len > 0)
        if (rule_allows(span_take(&rules, ' '), address, domain))
            return true;
    return false;
}

bool identity_may_name(const struct identity *identity, struct span stream)
{
    struct span streams = span_of(identity->streams);
    bool all = streams.len == 0 || span_equal(stream, span_of(identity->stream));
    while (!all && streams.len > 0)
        all = span_equal(span_take(&streams, ' '), stream);
    return all;
}

struct verdict identity_refusal(const struct identity *identity, const char *where,
                                struct span address)
{
    return verdict_make(550, "5.7.1", "%s %.*s is not allowed for \"%.64s\", which may use: %.200s",
                        where, SPAN_ARG(span_first(address, 80)), identity->name,
                        identity->allowed[0] ? identity->allowed : "nothing");
}

bool identity_is_name(struct span name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            !(c && strchr(".-_+@", c)))
            return false;
    }
    return name.len >= 1 && name.len <= ADDRESS_MAX;
}
