// SPDX-License-Identifier: BSD-2-Clause
/* spf_macro.c - Expands SPF macros (RFC 7208 section 7). */
#include "spf_terms.h"

#include <stdio.h>
#include <string.h>

/* ---- letters ---- */

/* %{i}: dotted for IPv4, dotted nibbles for IPv6. */
static void print_dotted(const struct ip *ip, char *text_r)
{
    static const char hex[] = "0123456789ABCDEF";
    if (!ip->v6) {
        ip_print(ip, text_r);
        return;
    }
    for (size_t i = 0; i < 32; i++) {
        unsigned nibble = i % 2 ? ip->bytes[i / 2] & 15U : (unsigned)ip->bytes[i / 2] >> 4;
        text_r[2 * i] = hex[nibble];
        text_r[2 * i + 1] = '.';
    }
    text_r[63] = '\0';
}

/* Values before transformers; what is made here goes to `text`. */
static struct span value_s(const struct spf_macros *m, char *text)
{
    (void)text;
    return m->sender;
}

static struct span value_l(const struct spf_macros *m, char *text)
{
    (void)text;
    return m->local;
}

static struct span value_o(const struct spf_macros *m, char *text)
{
    (void)text;
    return m->domain_of_sender;
}

static struct span value_d(const struct spf_macros *m, char *text)
{
    (void)text;
    return span_of(m->domain);
}

static struct span value_i(const struct spf_macros *m, char *text)
{
    print_dotted(m->ip, text);
    return span_of(text);
}

static struct span value_p(const struct spf_macros *m, char *text)
{
    (void)text;
    const char *name = m->validated(m->context);
    return name ? span_of(name) : (struct span){NULL, 0}; /* pending */
}

static struct span value_h(const struct spf_macros *m, char *text)
{
    (void)text;
    return m->helo;
}

static struct span value_v(const struct spf_macros *m, char *text)
{
    (void)text;
    return m->ip->v6 ? SPAN("ip6") : SPAN("in-addr");
}

static struct span value_c(const struct spf_macros *m, char *text)
{
    ip_print(m->ip, text);
    return span_of(text);
}

static struct span value_r(const struct spf_macros *m, char *text)
{
    (void)text;
    return m->receiver;
}

static struct span value_t(const struct spf_macros *m, char *text)
{
    snprintf(text, 64, "%lld", (long long)(m->now_ms / 1000));
    return span_of(text);
}

static const struct letter {
    char letter;
    bool explanation; /* only in explanations (section 7.2) */
    struct span (*value)(const struct spf_macros *m, char *text);
} letters[] = {
    {'s', false, value_s}, {'l', false, value_l}, {'o', false, value_o}, {'d', false, value_d},
    {'i', false, value_i}, {'p', false, value_p}, {'h', false, value_h}, {'v', false, value_v},
    {'c', true, value_c},  {'r', true, value_r},  {'t', true, value_t},
};

static const struct letter *find_letter(char c)
{
    for (size_t i = 0; i < COUNT_OF(letters); i++)
        if (letters[i].letter == (c | 0x20))
            return &letters[i];
    return NULL;
}

/* ---- reading ---- */

struct macro {
    const struct letter *letter; /* NULL for %%, %_ and %- */
    bool upper;                  /* expanded URL-escaped */
    bool reverse;
    unsigned keep; /* labels from the right; 0: all */
    const char *delimiters;
    size_t delimiter_count;
    struct span literal;
};

static bool is_delimiter(char c)
{
    return c != '\0' && strchr(".-+,/_=", c) != NULL;
}

/* Read the macro at the front of `s`, which begins with '%'; its length, 0 when it is malformed. */
static size_t read_macro(struct span s, bool explanation, struct macro *m)
{
    static const char plain[] = "%_-";
    static const char *const literals[] = {"%", " ", "%20"};
    *m = (struct macro){.literal = SPAN_NONE};
    if (s.len < 2)
        return 0;
    const char *at = s.ptr[1] ? strchr(plain, s.ptr[1]) : NULL;
    if (at) {
        m->literal = span_of(literals[at - plain]);
        return 2;
    }
    size_t i = 2;
    if (s.ptr[1] != '{' || i >= s.len)
        return 0;
    m->upper = s.ptr[i] >= 'A' && s.ptr[i] <= 'Z';
    m->letter = find_letter(s.ptr[i++]);
    if (!m->letter || (m->letter->explanation && !explanation))
        return 0;
    size_t digits = i;
    for (; i < s.len && s.ptr[i] >= '0' && s.ptr[i] <= '9'; i++)
        if (m->keep < 1000)
            m->keep = m->keep * 10 + (unsigned)(s.ptr[i] - '0');
    if (i > digits && m->keep == 0)
        return 0;
    if (i < s.len && (s.ptr[i] == 'r' || s.ptr[i] == 'R')) {
        m->reverse = true;
        i++;
    }
    m->delimiters = s.ptr + i;
    while (i < s.len && is_delimiter(s.ptr[i]))
        i++;
    m->delimiter_count = (size_t)(s.ptr + i - m->delimiters);
    return i < s.len && s.ptr[i] == '}' ? i + 1 : 0;
}

bool spf_macro_valid(struct span text, bool explanation)
{
    struct macro m;
    for (size_t i = 0; i < text.len;) {
        char c = text.ptr[i];
        size_t used = c == '%' ? read_macro(span_from(text, i), explanation, &m) : 1;
        if (used == 0 || c < ' ' || c > '~' || (c == ' ' && !explanation))
            return false;
        i += used;
    }
    return true;
}

/* ---- expansion ---- */

/* Section 7.3: unreserved characters of RFC 3986 stay. */
static void add_escaped(struct buf *out, struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                     (c != '\0' && strchr("-._~", c));
        if (plain)
            buf_add_char(out, (char)c);
        else
            buf_addf(out, "%%%02X", c);
    }
}

static bool splits(const struct macro *m, char c)
{
    return m->delimiter_count > 0 ? memchr(m->delimiters, c, m->delimiter_count) != NULL : c == '.';
}

enum { PARTS_MAX = 512 };

/* Split, reverse, keep the last ones, join with dots. */
static void transform(const struct macro *m, struct span value, struct buf *out)
{
    struct span parts[PARTS_MAX];
    size_t count = 0;
    size_t start = 0;
    for (size_t i = 0; i <= value.len && count < PARTS_MAX; i++) {
        if (i < value.len && !splits(m, value.ptr[i]))
            continue;
        parts[count++] = span_from(span_first(value, i), start);
        start = i + 1;
    }
    size_t first = m->keep > 0 && m->keep < count ? count - m->keep : 0;
    for (size_t i = first; i < count; i++) {
        struct span part = parts[m->reverse ? count - 1 - i : i];
        if (i > first)
            buf_add_char(out, '.');
        if (m->upper)
            add_escaped(out, part);
        else
            buf_add(out, part);
    }
}

static bool expand_one(const struct macro *m, const struct spf_macros *from, struct buf *out)
{
    char text[64];
    if (!m->letter) {
        buf_add(out, m->literal);
        return true;
    }
    struct span value = m->letter->value(from, text);
    if (value.ptr)
        transform(m, value, out);
    return value.ptr != NULL;
}

bool spf_macro_expand(struct span text, const struct spf_macros *from, struct buf *out)
{
    struct macro m;
    while (text.len > 0) {
        size_t percent = span_find(text, '%');
        buf_add(out, span_first(text, percent));
        text = span_from(text, percent);
        if (text.len == 0)
            break;
        size_t used = read_macro(text, true, &m);
        CHECK(used > 0);
        if (!expand_one(&m, from, out))
            return false;
        text = span_from(text, used);
    }
    return true;
}
