// SPDX-License-Identifier: BSD-2-Clause
/* span.c - Functions that read a span never read past its end. */
#include "span.h"

#include <string.h>
#include <strings.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

struct span span_of(const char *text)
{
    return (struct span){text, strlen(text)};
}

bool span_equal(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* Letters of one kind differ in this bit: what differs elsewhere needs no closer look. */
enum { CASE_BIT = 0x20 };

bool span_equal_nocase(struct span a, struct span b)
{
    if (a.len != b.len || a.len == 0)
        return a.len == b.len;
    return ((a.ptr[0] ^ b.ptr[0]) & ~CASE_BIT) == 0 && strncasecmp(a.ptr, b.ptr, a.len) == 0;
}

bool span_starts_nocase(struct span s, struct span prefix)
{
    return s.len >= prefix.len && span_equal_nocase(span_first(s, prefix.len), prefix);
}

bool span_ends_nocase(struct span s, struct span suffix)
{
    return s.len >= suffix.len && span_equal_nocase(span_from(s, s.len - suffix.len), suffix);
}

struct span span_from(struct span s, size_t from)
{
    return from < s.len ? (struct span){s.ptr + from, s.len - from} : SPAN_NONE;
}

struct span span_first(struct span s, size_t len)
{
    return (struct span){s.ptr, len < s.len ? len : s.len};
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct span span_trim(struct span s)
{
    while (s.len > 0 && is_blank(s.ptr[0]))
        s = span_from(s, 1);
    while (s.len > 0 && is_blank(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

size_t span_find(struct span s, char c)
{
    const char *at = s.len > 0 ? memchr(s.ptr, c, s.len) : NULL;
    return at ? (size_t)(at - s.ptr) : s.len;
}

#if defined(__SSE2__)
/* 16 bytes at a time, while all of them are text. */
static size_t wide_text_run(struct span s, bool *has_8bit)
{
    size_t i = 0;
    for (; i + 16 <= s.len; i += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(s.ptr + i));
        __m128i ends = _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('\r')),
                                    _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('\n')),
                                                 _mm_cmpeq_epi8(bytes, _mm_setzero_si128())));
        if (_mm_movemask_epi8(ends) != 0)
            break;
        *has_8bit = *has_8bit || _mm_movemask_epi8(bytes) != 0;
    }
    return i;
}
#else
static size_t wide_text_run(struct span s, bool *has_8bit)
{
    (void)s;
    (void)has_8bit;
    return 0;
}
#endif

size_t span_text_run(struct span s, bool *has_8bit)
{
    size_t i = wide_text_run(s, has_8bit);
    unsigned char all = 0;
    while (i < s.len && s.ptr[i] != '\r' && s.ptr[i] != '\n' && s.ptr[i] != '\0')
        all |= (unsigned char)s.ptr[i++];
    *has_8bit = *has_8bit || all >= 0x80;
    return i;
}

size_t span_search(struct span s, struct span what)
{
    if (s.len == 0 || what.len == 0)
        return s.len;
    const char *at = memmem(s.ptr, s.len, what.ptr, what.len);
    return at ? (size_t)(at - s.ptr) : s.len;
}

struct span span_take(struct span *s, char c)
{
    size_t at = span_find(*s, c);
    struct span taken = span_first(*s, at);
    *s = span_from(*s, at + 1);
    return taken;
}

bool span_number(struct span s, uint64_t *number_r)
{
    uint64_t number = 0;
    if (s.len == 0)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
        if (__builtin_mul_overflow(number, UINT64_C(10), &number) ||
            __builtin_add_overflow(number, (uint64_t)(s.ptr[i] - '0'), &number))
            return false;
    }
    *number_r = number;
    return true;
}

int span_hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool span_among(struct span s, const char *const *names, size_t count, size_t *index_r)
{
    for (size_t i = 0; i < count; i++) {
        if (span_equal(s, span_of(names[i]))) {
            *index_r = i;
            return true;
        }
    }
    return false;
}

bool span_copy(struct span s, char *text, size_t size)
{
    if (s.len >= size || span_find(s, '\0') < s.len)
        return false;
    if (s.len > 0)
        memcpy(text, s.ptr, s.len);
    text[s.len] = '\0';
    return true;
}

void span_put(struct span s, char *text, size_t size)
{
    s = span_first(s, size - 1);
    if (s.len > 0)
        memcpy(text, s.ptr, s.len);
    text[s.len] = '\0';
}

bool span_is_ascii(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.ptr[i] >= 0x80)
            return false;
    return true;
}

/* How long the UTF-8 sequence at the front is; 0 when it is malformed (RFC 3629 section 4). */
static size_t sequence_length(const unsigned char *p, size_t left)
{
    static const struct {
        unsigned char first_min, first_max, second_min, second_max;
        size_t len;
    } forms[] = {
        {0x00, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (p[0] < forms[i].first_min || p[0] > forms[i].first_max)
            continue;
        if (forms[i].len > left)
            return 0;
        if (forms[i].len > 1 && (p[1] < forms[i].second_min || p[1] > forms[i].second_max))
            return 0;
        for (size_t k = 2; k < forms[i].len; k++)
            if (p[k] < 0x80 || p[k] > 0xbf)
                return 0;
        return forms[i].len;
    }
    return 0;
}

bool span_is_utf8(struct span s)
{
    size_t at = 0;
    while (at < s.len) {
        size_t len = sequence_length((const unsigned char *)s.ptr + at, s.len - at);
        if (len == 0)
            return false;
        at += len;
    }
    return true;
}
