// SPDX-License-Identifier: BSD-2-Clause
/* shown.c - Finds addresses in display names, which most readers show instead of the address. */
#include "shown.h"

#include "address_parts.h"
#include "mime.h"
#include "normal.h"

#include <stdio.h>
#include <string.h>

/* Blanks between two encoded words are not shown (RFC 2047 section 6.2). */
static void join_words(struct span value, struct buf *out)
{
    while (value.len > 0) {
        size_t end = span_search(value, SPAN("?="));
        buf_add(out, span_first(value, end + 2));
        value = span_from(value, end + 2);
        size_t blanks = 0;
        while (blanks < value.len && strchr(" \t\r\n", value.ptr[blanks]))
            blanks++;
        if (span_starts_nocase(span_from(value, blanks), SPAN("=?")))
            value = span_from(value, blanks);
    }
}

/* As it is seen: without what nobody sees, and with what UTS 46 takes for a dot as one. What is no
 * UTF-8 stays. */
static size_t see(struct span text, char *text_r)
{
    size_t len = 0;
    for (size_t n = 0; text.len > 0; text = span_from(text, n)) {
        uint32_t c = 0;
        n = normal_character(text, &c);
        bool valid = n > 0;
        n = valid ? n : 1;
        if (valid && (c == 0x3002 || c == 0xff61))
            text_r[len++] = '.';
        else if (!valid || c < 0x80 || !normal_hides(span_first(text, n))) {
            memcpy(text_r + len, text.ptr, n);
            len += n;
        }
    }
    return len;
}

/* In these ASCII is ASCII, for every reader; UTF-16 is recognised by its zeros. */
static bool is_charset(struct span name)
{
    static const struct span known[] = {
        {"utf-8", 5},     {"utf8", 4},     {"us-ascii", 8}, {"ascii", 5},     {"iso-8859-", 9},
        {"iso8859-", 8},  {"windows-", 8}, {"cp125", 5},    {"koi8-", 5},     {"gb2312", 6},
        {"gbk", 3},       {"gb18030", 7},  {"big5", 4},     {"shift_jis", 9}, {"euc-", 4},
        {"iso-2022-", 9}, {"tis-620", 7},  {"utf-16", 6},   {"macintosh", 9}, {"latin1", 6}};
    for (size_t i = 0; i < COUNT_OF(known); i++)
        if (span_starts_nocase(name, known[i]))
            return true;
    return false;
}

static bool has_known_charsets(struct span value, char *name_r)
{
    for (size_t at = span_search(value, SPAN("=?")); at < value.len;
         at = span_search(value, SPAN("=?"))) {
        value = span_from(value, at + 2);
        struct span name = span_first(value, span_find(value, '?'));
        bool is_word = name.len + 2 < value.len && value.ptr[name.len + 2] == '?';
        if (is_word && !is_charset(name)) {
            (void)!span_copy(span_first(name, 40), name_r, SHOWN_MAX + 1);
            return false;
        }
        value = span_from(value, is_word ? name.len + 3 : 0);
        value = span_from(value, is_word ? span_search(value, SPAN("?=")) : 0);
    }
    return true;
}

/* An override; 0: none. */
static uint32_t find_override(struct span text)
{
    for (size_t n = 0; text.len > 0; text = span_from(text, n)) {
        uint32_t c = 0;
        n = normal_character(text, &c);
        if (n > 0 && (c == 0x202d || c == 0x202e))
            return c;
        n = n > 0 ? n : 1;
    }
    return 0;
}

static enum shown_fault fold(struct span text, char *text_r)
{
    char folded[ADDRESS_CANONICAL_LOCAL_MAX];
    size_t len = 0;
    uint32_t override = find_override(text);
    if (override) {
        snprintf(text_r, SHOWN_MAX + 1, "U+%04X", (unsigned) override);
        return SHOWN_REVERSED;
    }
    if (span_is_utf8(text) && normal_text(text, folded, &len) && len <= SHOWN_MAX)
        text = (struct span){folded, len};
    text_r[see(text, text_r)] = '\0';
    return SHOWN_OK;
}

enum shown_fault shown_text(struct span value, char *text_r)
{
    struct buf joined;
    struct buf decoded;
    char plain[ADDRESS_CANONICAL_LOCAL_MAX];
    size_t len = 0;
    text_r[0] = '\0';
    if (!has_known_charsets(value, text_r))
        return SHOWN_CHARSET;
    buf_init(&joined, value.len + 2);
    buf_init(&decoded, value.len + 2);
    join_words(value, &joined);
    mime_decode_words(buf_span(&joined), &decoded);
    struct span text = buf_span(&decoded);
    bool fits = text.len <= SHOWN_MAX;
    for (size_t i = 0; fits && i < text.len; i++) /* NUL: half of UTF-16 */
        if (text.ptr[i] != '\0' && text.ptr[i] != '\\' && text.ptr[i] != '"')
            plain[len++] = text.ptr[i];
    buf_fini(&joined);
    buf_fini(&decoded);
    return fits ? fold((struct span){plain, len}, text_r) : SHOWN_LONG;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

void shown_join(char *text)
{
    size_t len = 0;
    bool alone = false; /* the last one was a '.' behind blanks that were taken out */
    for (const char *p = text; *p;) {
        size_t blanks = 0;
        while (is_blank(p[blanks]))
            blanks++;
        const char *next = p + blanks;
        bool dot = blanks > 0 && next[0] == '.' && is_blank(next[1]);
        bool close = alone || dot || next[0] == '@' || (len > 0 && text[len - 1] == '@');
        if (blanks > 0 && !close)
            text[len++] = ' ';
        if (*next)
            text[len++] = *next;
        alone = dot;
        p = *next ? next + 1 : next;
    }
    text[len] = '\0';
}

static bool is_domain_char(unsigned char c)
{
    return address_is_atext(c) && (c >= 0x80 || !strchr("!#$%&'*+/=?^`{|}~", c));
}

bool shown_next(struct span *rest, struct address *address_r)
{
    for (size_t at = span_find(*rest, '@'); at < rest->len; at = span_find(*rest, '@')) {
        struct span s = *rest;
        size_t begin = at;
        size_t end = at + 1;
        while (begin > 0 &&
               (address_is_atext((unsigned char)s.ptr[begin - 1]) || s.ptr[begin - 1] == '.'))
            begin--;
        while (begin < at && s.ptr[begin] == '.')
            begin++;
        while (end < s.len && (is_domain_char((unsigned char)s.ptr[end]) || s.ptr[end] == '.'))
            end++;
        while (end > at + 1 && (s.ptr[end - 1] == '.' || s.ptr[end - 1] == '-'))
            end--;
        *rest = span_from(s, at + 1);
        struct span text = span_from(span_first(s, end), begin);
        if (address_parse(text, address_r) &&
            span_find(address_r->domain, '.') < address_r->domain.len)
            return true;
    }
    return false;
}
