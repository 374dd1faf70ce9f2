// SPDX-License-Identifier: BSD-2-Clause
/* address.c - Parses mailboxes and domains.
 *
 * Text that is not ASCII is checked twice with the same grammar, as it is and in its normal form,
 * because normalization can produce '>', '=', '@' or blanks.
 */
#include "address.h"

#include "address_parts.h"
#include "normal.h"

#include <string.h>

bool address_is_atext(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           c >= 0x80 || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

bool address_is_dot_string(struct span s)
{
    bool after_dot = true;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '.') {
            if (after_dot)
                return false;
            after_dot = true;
        } else if (address_is_atext((unsigned char)s.ptr[i])) {
            after_dot = false;
        } else {
            return false;
        }
    }
    return !after_dot;
}

size_t address_quoted_length(struct span s)
{
    for (size_t i = 1; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c == '"')
            return i + 1;
        if (c < ' ' || c == 0x7f)
            return 0;
        if (c == '\\') {
            if (i + 1 >= s.len || (unsigned char)s.ptr[i + 1] < ' ' || s.ptr[i + 1] == 0x7f)
                return 0;
            i++;
        }
    }
    return 0;
}

static bool is_local(struct span local)
{
    if (local.len > 0 && local.ptr[0] == '"')
        return address_quoted_length(local) == local.len;
    return address_is_dot_string(local);
}

/* Still one local part, whoever normalises it; and nothing in it that nobody sees. */
static bool stays_local(struct span local)
{
    char normal[ADDRESS_CANONICAL_LOCAL_MAX];
    size_t len = 0;
    return span_is_ascii(local) || (!normal_hides(local) && normal_text(local, normal, &len) &&
                                    is_local((struct span){normal, len}));
}

/* Quotes and backslashes hide nothing: a server takes them off first (Postfix:
 * resolve_dequoted_address). */
bool address_is_routed(const struct address *address)
{
    struct span local = address->local;
    return span_find(local, '%') < local.len || span_find(local, '!') < local.len ||
           span_find(local, '@') < local.len;
}

static bool is_label_char(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' ||
           c == '_' || c >= 0x80;
}

static bool is_label(struct span label)
{
    if (label.len == 0 || label.ptr[0] == '-' || label.ptr[label.len - 1] == '-')
        return false;
    for (size_t i = 0; i < label.len; i++)
        if (!is_label_char((unsigned char)label.ptr[i]))
            return false;
    return true;
}

static bool is_domain(struct span domain)
{
    if (domain.len == 0 || domain.len > 255 || domain.ptr[domain.len - 1] == '.')
        return false;
    struct span rest = domain;
    while (rest.len > 0)
        if (!is_label(span_take(&rest, '.')))
            return false;
    return true;
}

/* No name ends so, and programs that connect take what does for an IPv4 address: 0x7f000001, 127.1
 * (inet_aton, and the URL standard's "ends in a number"). */
static bool ends_in_number(struct span name)
{
    struct span last = SPAN_NONE;
    while (name.len > 0)
        last = span_take(&name, '.');
    bool hex = span_starts_nocase(last, SPAN("0x"));
    for (size_t i = hex ? 2 : 0; i < last.len; i++)
        if (hex ? span_hex_value(last.ptr[i]) < 0 : last.ptr[i] < '0' || last.ptr[i] > '9')
            return false;
    return true;
}

bool address_is_host(struct span text)
{
    return is_domain(text) && span_is_ascii(text) && !ends_in_number(text);
}

/* Take it apart at the '@' that ends the local part. */
static bool split(struct span text, struct address *address_r)
{
    size_t at =
        text.len > 0 && text.ptr[0] == '"' ? address_quoted_length(text) : span_find(text, '@');
    if (at == 0 || at >= text.len || text.ptr[at] != '@' || !span_is_utf8(text))
        return false;
    *address_r = (struct address){text, span_first(text, at), span_from(text, at + 1)};
    return is_local(address_r->local) && stays_local(address_r->local);
}

bool address_parse(struct span text, struct address *address_r)
{
    char ascii[ADDRESS_DOMAIN_MAX + 1];
    return split(text, address_r) && address_r->local.len <= ADDRESS_LOCAL_MAX &&
           address_domain_ascii(address_r->domain, ascii);
}

bool address_is_literal(struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] <= ' ' || text.ptr[i] > '~' || text.ptr[i] == '\\' ||
            (i > 0 && text.ptr[i] == '[') || (i + 1 < text.len && text.ptr[i] == ']'))
            return false;
    return text.len > 2 && text.ptr[0] == '[' && text.ptr[text.len - 1] == ']';
}

bool address_is_written(struct span text)
{
    struct address a;
    char ascii[ADDRESS_DOMAIN_MAX + 1];
    return split(text, &a) && a.local.len <= ADDRESS_WRITTEN_LOCAL_MAX &&
           (address_is_literal(a.domain) || address_domain_ascii(a.domain, ascii));
}

static bool labels_fit(struct span domain)
{
    while (domain.len > 0) {
        struct span label = span_take(&domain, '.');
        if (label.len == 0 || label.len > 63)
            return false;
    }
    return true;
}

static bool has_a_label(struct span domain)
{
    while (domain.len > 0)
        if (span_starts_nocase(span_take(&domain, '.'), SPAN("xn--")))
            return true;
    return false;
}

/* The normal form of a domain that is no plain ASCII is taken only if it keeps the grammar itself,
 * and is its own normal form. */
static bool normalise(struct span domain, char *ascii_r)
{
    char again[ADDRESS_DOMAIN_MAX + 1];
    return normal_domain(domain, ascii_r) && address_is_host(span_of(ascii_r)) &&
           normal_domain(span_of(ascii_r), again) && strcmp(ascii_r, again) == 0;
}

bool address_domain_ascii(struct span domain, char *ascii_r)
{
    if (!is_domain(domain))
        return false;
    if (!span_is_ascii(domain) || has_a_label(domain))
        return normalise(domain, ascii_r) && labels_fit(span_of(ascii_r));
    if (domain.len > ADDRESS_DOMAIN_MAX || !labels_fit(domain))
        return false;
    for (size_t i = 0; i < domain.len; i++) {
        char c = domain.ptr[i];
        ascii_r[i] = (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
    }
    ascii_r[domain.len] = '\0';
    return true;
}

bool address_domain_changes(struct span domain, char *ascii_r)
{
    return !span_is_ascii(domain) && address_domain_ascii(domain, ascii_r) &&
           !normal_domain_stays(domain, ascii_r);
}
