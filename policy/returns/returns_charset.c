// SPDX-License-Identifier: BSD-2-Clause
/* returns_charset.c - Charsets by a table of characters, read where it is needed. No library
 * converts: iconv() loads its tables from files. */
#include "returns_charset.h"

#include "mime.h"
#include "normal.h"
#include "returns_texts.h"

#include <string.h>

enum { UPPER_HALF = 128, CHARACTERS_ON_A_LINE = 32 };

/* The rows of characters of a charset; none when it is not in the table. */
static struct span rows_of(struct span charset)
{
    struct span rest = returns_texts[RETURNS_TEXT_CHARSETS];
    while (rest.len > 0) {
        struct span names = span_take(&rest, '\n');
        if (!span_equal(span_take(&names, ' '), SPAN("charset")))
            continue;
        while (names.len > 0)
            if (span_equal_nocase(span_take(&names, ' '), charset))
                return rest;
    }
    return SPAN_NONE;
}

/* The four rows as one character for each octet. */
static void read_rows(struct span rows, struct span characters_r[UPPER_HALF])
{
    size_t count = 0;
    for (int row = 0; row < UPPER_HALF / CHARACTERS_ON_A_LINE; row++) {
        struct span line = span_take(&rows, '\n');
        while (line.len > 0 && count < UPPER_HALF) {
            uint32_t c;
            size_t len = normal_character(line, &c);
            CHECK(len > 0);
            characters_r[count++] = span_first(line, len);
            line = span_from(line, len);
        }
    }
    CHECK(count == UPPER_HALF); /* the tests convert each of them */
}

/* Two octets of UTF-16 (RFC 2781). */
static uint32_t unit(const char *at, bool little)
{
    unsigned char first = (unsigned char)at[0];
    unsigned char second = (unsigned char)at[1];
    return little ? (uint32_t)second << 8 | first : (uint32_t)first << 8 | second;
}

static void add_utf16(struct span text, bool little, struct buf *out)
{
    for (size_t i = 0; i + 1 < text.len; i += 2) {
        uint32_t c = unit(text.ptr + i, little);
        bool high = c >= 0xd800 && c < 0xdc00 && i + 3 < text.len;
        uint32_t low = high ? unit(text.ptr + i + 2, little) : 0;
        if (low >= 0xdc00 && low < 0xe000) {
            c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
            i += 2;
        }
        if (c != 0xfeff)
            normal_character_add(c, out);
    }
}

/* Which octet comes first the text says itself, or the name. */
static bool is_utf16(struct span charset, struct span text, bool *little_r)
{
    *little_r = span_equal_nocase(charset, SPAN("utf-16le")) ||
                span_equal(span_first(text, 2), SPAN("\xff\xfe"));
    return span_starts_nocase(charset, SPAN("utf-16"));
}

void returns_to_utf8(struct span charset, struct span text, struct buf *out)
{
    struct span characters[UPPER_HALF];
    bool little;
    if (is_utf16(charset, text, &little)) {
        add_utf16(text, little, out);
        return;
    }
    struct span rows = span_is_ascii(text) ? SPAN_NONE : rows_of(charset);
    if (rows.len == 0) {
        buf_add(out, text);
        return;
    }
    read_rows(rows, characters);
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c < UPPER_HALF)
            buf_add_char(out, text.ptr[i]);
        else
            buf_add(out, characters[c - UPPER_HALF]);
    }
}

enum { WORD_LONG = 500 }; /* RFC 2047 has 75; some write longer ones */

/* How long the encoded word at the front is: "=?charset?B?text?="; 0: there is none. */
static size_t word_length(struct span s, struct span *charset_r)
{
    struct span rest = span_first(span_from(s, 2), WORD_LONG);
    if (!span_equal(span_first(s, 2), SPAN("=?")))
        return 0;
    *charset_r = span_take(&rest, '?');
    *charset_r = span_first(*charset_r, span_find(*charset_r, '*')); /* RFC 2231 section 5 */
    span_take(&rest, '?');
    size_t end = span_search(rest, SPAN("?="));
    bool whole =
        end < rest.len && charset_r->len > 0 && span_find(*charset_r, ' ') == charset_r->len;
    return whole ? (size_t)(rest.ptr - s.ptr) + end + 2 : 0;
}

static void decode_word(struct span charset, struct span word, struct buf *out)
{
    struct buf octets;
    buf_init_peer(&octets, word.len);
    mime_decode_words(word, &octets);
    returns_to_utf8(charset, buf_span(&octets), out);
    buf_fini_part(&octets, out);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

void returns_words(struct span value, struct buf *out)
{
    size_t kept = 0; /* what was written when an encoded word ended: blanks go before the next */
    bool after_word = false;
    while (value.len > 0) {
        struct span charset;
        size_t len = word_length(value, &charset);
        if (len > 0) {
            if (after_word)
                out->len = kept;
            decode_word(charset, span_first(value, len), out);
            kept = out->len;
        } else {
            if (value.ptr[0] != '\r' && value.ptr[0] != '\n')
                buf_add_char(out, value.ptr[0]);
        }
        after_word = len > 0 || (after_word && is_space(value.ptr[0]));
        value = span_from(value, len > 0 ? len : 1);
    }
}
