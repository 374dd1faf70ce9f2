// SPDX-License-Identifier: BSD-2-Clause
/* span.h - Bytes that somebody else owns: a pointer and a length. Spans borrow; they are never
 * freed. */
#ifndef SPAN_H
#define SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct span {
    const char *ptr;
    size_t len;
};

/* A string literal as a span. */
#define SPAN(literal) ((struct span){literal, sizeof(literal) - 1})
#define SPAN_NONE ((struct span){"", 0})

/* For printf's "%.*s". */
#define SPAN_ARG(s) (int)(s).len, (s).ptr

/* Of a text without its zero. */
struct span span_of(const char *text);
bool span_equal(struct span a, struct span b);
bool span_equal_nocase(struct span a, struct span b); /* ASCII case only */
bool span_starts_nocase(struct span s, struct span prefix);
bool span_ends_nocase(struct span s, struct span suffix);

/* Bytes from `from` on; empty when `from` is past the end. */
struct span span_from(struct span s, size_t from);
/* The first `len` bytes, or all of them. */
struct span span_first(struct span s, size_t len);
/* Without spaces, tabs, CR and LF at either end. */
struct span span_trim(struct span s);

/* Where `c` first stands; s.len when it does not. */
size_t span_find(struct span s, char c);
/* How many bytes at the front are neither CR, LF nor NUL; `has_8bit` becomes true when one of them
 * is not ASCII. */
size_t span_text_run(struct span s, bool *has_8bit);
/* Where `what` first stands; s.len when it does not. */
size_t span_search(struct span s, struct span what);

/* Take the bytes before the first `c` off the front of `s`, and `c` too. All of `s` when there is
 * no `c`. */
struct span span_take(struct span *s, char c);

/* Decimal digits only, no sign, no blanks. False on anything else and on overflow. */
bool span_number(struct span s, uint64_t *number_r);

/* The value of a hexadecimal digit of either case; -1: it is none. */
int span_hex_value(char c);

/* Which of `count` names it is, as they are written. False when it is none. */
bool span_among(struct span s, const char *const *names, size_t count, size_t *index_r);

/* Copy into `text` and end it with a zero. False when it does not fit or holds a zero byte. */
bool span_copy(struct span s, char *text, size_t size);
/* The same of as much as fits; snprintf() takes twenty times as long for it. `size` is not 0. */
void span_put(struct span s, char *text, size_t size);

/* No octet over 127; control characters are allowed. */
bool span_is_ascii(struct span s);
/* Well-formed UTF-8 (RFC 3629): no overlong forms, no surrogates. */
bool span_is_utf8(struct span s);

#endif
