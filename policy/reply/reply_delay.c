// SPDX-License-Identifier: BSD-2-Clause
/* reply_delay.c - When a server that has asked to come later wants to see us again: "try again in
 * 300 seconds", "retry in 00:04:59". */
#include "reply.h"

#include <ctype.h>

enum { SECOND_MS = 1000, MINUTE_MS = 60 * SECOND_MS, HOUR_MS = 60 * MINUTE_MS };
enum { NUMBER_MAX = 100000 };

static const struct {
    const char *word; /* the longer before what it begins with */
    int64_t ms;
} units[] = {{"seconds", SECOND_MS}, {"second", SECOND_MS}, {"secs", SECOND_MS},
             {"sec", SECOND_MS},     {"s", SECOND_MS},      {"minutes", MINUTE_MS},
             {"minute", MINUTE_MS},  {"mins", MINUTE_MS},   {"min", MINUTE_MS},
             {"hours", HOUR_MS},     {"hour", HOUR_MS},     {"h", HOUR_MS}};

static bool is_letter(struct span text, size_t i)
{
    return i < text.len && isalpha((unsigned char)text.ptr[i]);
}

static bool is_digit(struct span text, size_t i)
{
    return i < text.len && isdigit((unsigned char)text.ptr[i]);
}

/* The number there, and the text behind it; -1: it is too large to mean a time. */
static int64_t take_number(struct span *text)
{
    int64_t number = 0;
    size_t i = 0;
    for (; is_digit(*text, i); i++)
        if (number >= 0)
            number = number > NUMBER_MAX ? -1 : number * 10 + (text->ptr[i] - '0');
    *text = span_from(*text, i);
    return number;
}

/* 0: there is none. */
static int64_t unit_of(struct span text)
{
    size_t i = 0;
    while (i < text.len && (text.ptr[i] == ' ' || text.ptr[i] == '-'))
        i++;
    text = span_from(text, i);
    for (i = 0; i < COUNT_OF(units); i++) {
        struct span word = span_of(units[i].word);
        if (span_starts_nocase(text, word) && !is_letter(text, word.len) &&
            !is_digit(text, word.len))
            return units[i].ms;
    }
    return 0;
}

/* Behind the hours, ":04:59". -1: it is no such time. */
static int64_t clock_ms(int64_t hours, struct span text)
{
    int64_t parts[2] = {0, 0};
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        if (text.len < 3 || text.ptr[0] != ':' || !is_digit(text, 1) || !is_digit(text, 2) ||
            is_digit(text, 3))
            return -1;
        text = span_from(text, 1);
        parts[i] = take_number(&text);
    }
    return hours * HOUR_MS + parts[0] * MINUTE_MS + parts[1] * SECOND_MS;
}

int64_t reply_delay_ms(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!is_digit(text, i) || (i > 0 && (is_letter(text, i - 1) || is_digit(text, i - 1) ||
                                             text.ptr[i - 1] == '.' || text.ptr[i - 1] == ':')))
            continue;
        struct span rest = span_from(text, i);
        int64_t number = take_number(&rest);
        int64_t clock = clock_ms(number, rest);
        int64_t ms = number < 0 ? 0 : clock >= 0 ? clock : number * unit_of(rest);
        if (ms > 0)
            return ms;
    }
    return 0;
}
