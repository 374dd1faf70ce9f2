// SPDX-License-Identifier: BSD-2-Clause
/* address.c - The one reader of mailboxes and domains.
 *
 * The From field is scanned once, left to right. Outside quotes and comments only a phrase, one
 * pair of angle brackets and blanks may stand; whatever could make another reader see a second
 * mailbox is refused, not interpreted.
 *
 * Text that is not ASCII is checked twice with the same grammar: as it stands, and in its normal
 * form, because a mapping makes '>', '=', '@' and blanks of characters that are none.
 */
#include "address.h"

#include "normal.h"

#include <string.h>

static bool is_atext(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           c >= 0x80 || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

static bool is_dot_string(struct span s)
{
    bool after_dot = true;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '.') {
            if (after_dot)
                return false;
            after_dot = true;
        } else if (is_atext((unsigned char)s.ptr[i])) {
            after_dot = false;
        } else {
            return false;
        }
    }
    return !after_dot;
}

/* How long the quoted string at the front is, quotes included; 0 when it does not end or holds
 * control bytes. */
static size_t quoted_length(struct span s)
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
        return quoted_length(local) == local.len;
    return is_dot_string(local);
}

/* Still one local part, whoever normalises it; and nothing in it that nobody sees. */
static bool stays_local(struct span local)
{
    char normal[ADDRESS_CANONICAL_LOCAL_MAX];
    size_t len = 0;
    return span_is_ascii(local) || (!normal_hides(local) && normal_text(local, normal, &len) &&
                                    is_local((struct span){normal, len}));
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

bool address_is_host(struct span text)
{
    return is_domain(text) && span_is_ascii(text);
}

bool address_parse(struct span text, struct address *address_r)
{
    size_t at = text.len > 0 && text.ptr[0] == '"' ? quoted_length(text) : span_find(text, '@');
    if (at == 0 || at > ADDRESS_LOCAL_MAX || at >= text.len || text.ptr[at] != '@' ||
        !span_is_utf8(text))
        return false;
    *address_r = (struct address){text, span_first(text, at), span_from(text, at + 1)};
    char ascii[ADDRESS_DOMAIN_MAX + 1];
    return is_local(address_r->local) && stays_local(address_r->local) &&
           address_domain_ascii(address_r->domain, ascii);
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

bool address_skip_cfws(struct span *s)
{
    size_t depth = 0;
    size_t i = 0;
    for (; i < s->len; i++) {
        char c = s->ptr[i];
        if (c == '(')
            depth++;
        else if (c == ')' && depth > 0)
            depth--;
        else if (c == '\\' && depth > 0)
            i++;
        else if (depth == 0 && c != ' ' && c != '\t' && c != '\r' && c != '\n')
            break;
    }
    *s = span_from(*s, i);
    return depth == 0;
}

static bool refuse(const char **why_r, const char *why)
{
    *why_r = why;
    return false;
}

/* `s` begins at '<': take `<addr>` and whatever blanks and comments follow; nothing else may. */
static bool take_angle(struct span s, struct address *address_r, const char **why_r)
{
    size_t end = s.len > 1 && s.ptr[1] == '"' ? 1 + quoted_length(span_from(s, 1)) : 1;
    end += span_find(span_from(s, end), '>');
    if (end >= s.len)
        return refuse(why_r, "has no closing '>'");
    if (!address_parse(span_trim(span_from(span_first(s, end), 1)), address_r))
        return refuse(why_r,
                      "holds something other than one address local@domain between '<' and '>'");
    s = span_from(s, end + 1);
    if (!address_skip_cfws(&s) || s.len > 0)
        return refuse(why_r, "holds more than one mailbox");
    return true;
}

/* One word of a phrase, or of a bare address: a quoted string or a run of anything unspecial. */
static size_t word_length(struct span s)
{
    if (s.ptr[0] == '"')
        return quoted_length(s);
    size_t len = 0;
    while (len < s.len &&
           (is_atext((unsigned char)s.ptr[len]) || s.ptr[len] == '.' || s.ptr[len] == '@'))
        len++;
    return len;
}

static bool read_mailbox(struct span value, struct address *address_r, const char **why_r)
{
    struct span words = SPAN_NONE; /* from the first word to the end of the last one */
    struct span s = value;
    size_t count = 0;
    bool at_sign = false;
    bool sound = address_skip_cfws(&s);
    while (sound && s.len > 0 && s.ptr[0] != '<') {
        size_t len = word_length(s);
        if (len == 0)
            return refuse(why_r, s.ptr[0] == '"'
                                     ? "holds a broken quoted string"
                                     : "must hold exactly one mailbox, no list and no group");
        if (count++ == 0)
            words.ptr = s.ptr;
        words.len = (size_t)(s.ptr + len - words.ptr);
        at_sign = at_sign || (s.ptr[0] != '"' && span_find(span_first(s, len), '@') < len);
        s = span_from(s, len);
        sound = address_skip_cfws(&s);
    }
    if (!sound)
        return refuse(why_r, "holds a comment that does not end");
    if (s.len > 0)
        return at_sign
                   ? refuse(why_r,
                            "holds an unquoted '@' beside the '<address>': quote the display name")
                   : take_angle(s, address_r, why_r);
    if (!address_parse(words, address_r))
        return refuse(why_r, "holds no valid address local@domain");
    return true;
}

/* Readers differ about '@' and angle brackets inside quotes; some find another domain there. */
static bool is_plain(struct span local)
{
    for (size_t i = 0; i < local.len; i++)
        if (strchr("@<>,;:()\\", local.ptr[i]))
            return false;
    return true;
}

bool address_from_field(struct span value, struct address *address_r, const char **why_r)
{
    if (!read_mailbox(value, address_r, why_r))
        return false;
    return is_plain(address_r->local) ||
           refuse(why_r, "has a quoted local part that readers understand in different ways");
}
