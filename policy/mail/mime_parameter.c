// SPDX-License-Identifier: BSD-2-Clause
/* mime_parameter.c - Parses MIME parameters in one pass, from semicolon to semicolon; malformed
 * values are returned as they are. */
#include "mime_parameter.h"

#include "address.h"

#include <string.h>

/* A longer or deeper one is none, so that time stays linear when comments do not end: whatever
 * stands in COMMENT_MAX bytes, no more than DEPTH_MAX parentheses there are looked at that far. */
enum { COMMENT_MAX = 256, DEPTH_MAX = 4 };

/* Length of the comment at the front; 1 when it does not end: then its parenthesis is a character
 * like any other. */
static size_t comment_length(struct span s)
{
    size_t depth = 0;
    for (size_t i = 0; i < s.len && i < COMMENT_MAX; i++) {
        if (s.ptr[i] == '\\')
            i++;
        else if (s.ptr[i] == '(' && ++depth > DEPTH_MAX)
            return 1;
        else if (s.ptr[i] == ')' && --depth == 0)
            return i + 1;
    }
    return 1;
}

/* Of a backslash: with what it quotes, where a comment before it would have read it so. */
static size_t backslash_length(struct span s)
{
    return s.len > 1 && (s.ptr[1] == '(' || s.ptr[1] == '\\') ? 2 : 1;
}

static size_t quoted_length(struct span s)
{
    size_t i = 1;
    while (i < s.len && s.ptr[i] != '"')
        i += s.ptr[i] == '\\' ? 2 : 1;
    return i < s.len ? i + 1 : s.len;
}

size_t mime_parameter_length(struct span s)
{
    size_t i = 0;
    while (i < s.len && s.ptr[i] != ';') {
        size_t len = 1;
        if (s.ptr[i] == '"')
            len = quoted_length(span_from(s, i));
        else if (s.ptr[i] == '(')
            len = comment_length(span_from(s, i));
        else if (s.ptr[i] == '\\')
            len = backslash_length(span_from(s, i));
        i += len;
    }
    return i;
}

/* Without comments and blanks at the front; as it is when a comment does not end. */
static struct span skip(struct span s)
{
    struct span rest = s;
    return address_skip_cfws(&rest) ? rest : span_trim(s);
}

static bool ends(struct span s)
{
    return address_skip_cfws(&s) && s.len == 0;
}

static size_t token_length(struct span s, const char *before)
{
    size_t len = 0;
    while (len < s.len && !strchr(before, s.ptr[len]))
        len++;
    return len;
}

bool mime_parameter_next(struct span *rest, struct mime_parameter *p_r)
{
    if (rest->len == 0)
        return false;
    struct span raw = span_first(*rest, mime_parameter_length(*rest));
    *rest = span_from(*rest, raw.len + 1);
    *p_r = (struct mime_parameter){.raw = raw, .name = SPAN_NONE, .value = SPAN_NONE};
    struct span s = skip(raw);
    struct span name = span_first(s, token_length(s, " \t\r\n(=\""));
    s = skip(span_from(s, name.len));
    if (name.len == 0 || s.len == 0 || s.ptr[0] != '=')
        return true;
    s = skip(span_from(s, 1));
    bool quoted = s.len > 0 && s.ptr[0] == '"';
    size_t len = quoted ? quoted_length(s) : token_length(s, " \t\r\n(\"");
    bool closed = !quoted || (len > 1 && s.ptr[len - 1] == '"');
    p_r->name = name;
    p_r->plain = closed && len > 0 && ends(span_from(s, len));
    p_r->value = p_r->plain || quoted ? span_first(s, len) : span_trim(s);
    return true;
}

void mime_parameter_text(struct span value, struct buf *out)
{
    bool quoted = value.len > 0 && value.ptr[0] == '"';
    for (size_t i = quoted; i < value.len && !(quoted && value.ptr[i] == '"'); i++) {
        if (quoted && value.ptr[i] == '\\' && i + 1 < value.len)
            i++;
        if (value.ptr[i] != '\r' && value.ptr[i] != '\n')
            buf_add_char(out, value.ptr[i]);
    }
}

void mime_parameter_section(struct span name, struct mime_section *s_r)
{
    struct span number = name;
    *s_r = (struct mime_section){.extended = span_ends_nocase(name, SPAN("*"))};
    name.len -= s_r->extended;
    number = name;
    struct span base = span_take(&number, '*');
    s_r->numbered = base.len < name.len && span_number(number, &s_r->number);
    s_r->base = s_r->numbered ? base : name;
}

void mime_parameter_decode(struct span text, struct buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        bool escaped = text.ptr[i] == '%' && i + 2 < text.len;
        int high = escaped ? span_hex_value(text.ptr[i + 1]) : -1;
        int low = escaped ? span_hex_value(text.ptr[i + 2]) : -1;
        bool octet = high >= 0 && low >= 0;
        buf_add_char(out, (char)(octet ? high << 4 | low : text.ptr[i]));
        i += octet ? 2 : 0;
    }
}
