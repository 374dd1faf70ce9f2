// SPDX-License-Identifier: BSD-2-Clause
/* returns_phrases.c - The table is read anew each time: it has some hundred rows. A message asks it
 * some times for each of its lines, and for each code within one. */
#include "returns_phrases.h"

#include "normal.h"
#include "returns_texts.h"

#include <stdio.h>

static const char *const names[RETURNS_PHRASE_LISTS] = {
#define RETURNS_PHRASE_NAME(name, word) word,
    RETURNS_PHRASES(RETURNS_PHRASE_NAME)
#undef RETURNS_PHRASE_NAME
};

/* ---- the table ---- */

enum { PHRASE_MAX = 100 };

/* The rows of a list, up to the next one. */
static struct span list_of(enum returns_phrases list)
{
    char head[40];
    int len = snprintf(head, sizeof(head), "\n[%s]\n", names[list]);
    struct span text = returns_texts[RETURNS_TEXT_PHRASES];
    size_t at = span_search(text, (struct span){head, (size_t)len});
    CHECK(at < text.len); /* the tests ask for all of them */
    text = span_from(text, at + (size_t)len);
    return span_first(text, span_search(text, SPAN("\n[")));
}

/* "octets 3c2b iso-2022-jp …": what the hexadecimal digits say. */
static struct span octets_of(struct span row, char *octets)
{
    size_t len = 0;
    span_take(&row, ' ');
    struct span digits = span_take(&row, ' ');
    for (size_t i = 0; i + 1 < digits.len && len < PHRASE_MAX; i += 2)
        octets[len++] =
            (char)(span_hex_value(digits.ptr[i]) << 4 | span_hex_value(digits.ptr[i + 1]));
    return (struct span){octets, len};
}

static bool next_phrase(struct span *rows, char *octets, struct span *phrase_r)
{
    while (rows->len > 0) {
        struct span row = span_take(rows, '\n');
        if (row.len == 0 || row.ptr[0] == '#')
            continue;
        bool hexadecimal = span_starts_nocase(row, SPAN("octets "));
        *phrase_r = hexadecimal ? octets_of(row, octets) : row;
        return true;
    }
    return false;
}

/* ---- texts ---- */

static bool is_white(uint32_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r') || c == 0xa0 || c == 0x3000;
}

static void add_folded(struct span character, uint32_t c, bool ascii, struct buf *out)
{
    if (is_white(c)) {
        if (out->len > 0 && out->ptr[out->len - 1] != ' ')
            buf_add_char(out, ' ');
    } else if (c == 0x2019) { /* a typographer's apostrophe */
        buf_add_char(out, '\'');
    } else if (ascii && c < 0x80) {
        buf_add_char(out, (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c));
    } else if (ascii) {
        buf_add(out, character);
    } else {
        normal_character_add(normal_lower(c), out);
    }
}

void returns_fold(struct span text, struct buf *out)
{
    bool octets = !span_is_utf8(text);
    while (text.len > 0) {
        uint32_t c = (unsigned char)text.ptr[0];
        size_t len = octets ? 1 : normal_character(text, &c);
        if (len == 0)
            len = 1;
        if (octets && c >= 0x80)
            buf_add_char(out, text.ptr[0]);
        else
            add_folded(span_first(text, len), c, octets, out);
        text = span_from(text, len);
    }
}

bool returns_phrase_in(enum returns_phrases list, struct span folded)
{
    char octets[PHRASE_MAX];
    struct span phrase;
    struct span rows = list_of(list);
    while (next_phrase(&rows, octets, &phrase))
        if (span_search(folded, phrase) < folded.len)
            return true;
    return false;
}

bool returns_phrase_begins(enum returns_phrases list, struct span folded)
{
    char octets[PHRASE_MAX];
    struct span phrase;
    struct span rows = list_of(list);
    while (next_phrase(&rows, octets, &phrase))
        if (span_starts_nocase(folded, phrase))
            return true;
    return false;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (unsigned char)c >= 0x80;
}

bool returns_phrase_ends(enum returns_phrases list, struct span folded)
{
    char octets[PHRASE_MAX];
    struct span phrase;
    struct span rows = list_of(list);
    while (next_phrase(&rows, octets, &phrase)) {
        size_t at = folded.len - (phrase.len < folded.len ? phrase.len : folded.len);
        if (span_ends_nocase(folded, phrase) && (at == 0 || !is_letter(folded.ptr[at - 1])))
            return true;
    }
    return false;
}
