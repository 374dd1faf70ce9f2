// SPDX-License-Identifier: BSD-2-Clause
/* date.c - Dates of header fields (RFC 5322 section 3.3): parsed strictly, written in UTC. */
#include "message.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
/* Section 4.3. Single letters and all other names mean nothing that can be relied on. */
static const char *const zones[] = {"UT",  "GMT", "EST", "EDT", "CST",
                                    "CDT", "MST", "MDT", "PST", "PDT"};

static bool refuse(const char **why_r, const char *why)
{
    *why_r = why;
    return false;
}

/* The next run without blanks and comments, up to and without any of `ends`. */
static struct span take_word(struct span *s, const char *ends)
{
    size_t len = 0;
    if (!address_skip_cfws(s))
        return SPAN_NONE;
    while (len < s->len && s->ptr[len] > ' ' && s->ptr[len] != '(' && !strchr(ends, s->ptr[len]))
        len++;
    struct span word = span_first(*s, len);
    *s = span_from(*s, len);
    return word;
}

static bool take_char(struct span *s, char c)
{
    if (!address_skip_cfws(s) || s->len == 0 || s->ptr[0] != c)
        return false;
    *s = span_from(*s, 1);
    return true;
}

static bool is_named(struct span word, const char *const *names, size_t count, size_t *index_r)
{
    for (*index_r = 0; *index_r < count; (*index_r)++)
        if (span_equal_nocase(word, span_of(names[*index_r])))
            return true;
    return false;
}

static bool number(struct span word, size_t least, size_t most, unsigned *number_r)
{
    uint64_t n = 0;
    bool ok = word.len >= least && word.len <= most && span_number(word, &n);
    *number_r = (unsigned)n;
    return ok;
}

static bool is_leap(unsigned year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static unsigned days_in(unsigned year, size_t month)
{
    static const unsigned char lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return lengths[month] + (month == 1 && is_leap(year) ? 1U : 0U);
}

/* Sunday is 0 (Sakamoto's method). */
static size_t weekday(unsigned year, size_t month, unsigned day)
{
    static const unsigned char shift[] = {0, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4};
    unsigned y = month < 2 ? year - 1 : year;
    return (y + y / 4 - y / 100 + y / 400 + shift[month] + day) % 7;
}

/* "[Thu,] 26 Nov 2026" */
static bool take_day(struct span *s, const char **why_r)
{
    size_t named = COUNT_OF(days);
    size_t month = 0;
    unsigned day = 0;
    unsigned year = 0;
    struct span word = take_word(s, ",");
    if (take_char(s, ',')) {
        if (!is_named(word, days, COUNT_OF(days), &named))
            return refuse(why_r, "does not begin with an English day of the week, as Thu");
        word = take_word(s, ",");
    }
    if (!number(word, 1, 2, &day))
        return refuse(why_r, "has no day of the month in one or two digits where it must be");
    if (!is_named(take_word(s, ""), months, COUNT_OF(months), &month))
        return refuse(why_r, "has no English month of three letters, as Nov, behind the day");
    if (!number(take_word(s, ""), 4, 4, &year) || year < 1900)
        return refuse(why_r, "has no year of four digits behind the month");
    if (day < 1 || day > days_in(year, month))
        return refuse(why_r, "names a day that its month does not have");
    return named == COUNT_OF(days) || named == weekday(year, month, day) ||
           refuse(why_r, "names a day of the week that its date does not have");
}

/* "14:36[:47]" */
static bool take_time(struct span *s, const char **why_r)
{
    unsigned hour = 0;
    unsigned minute = 0;
    unsigned second = 0;
    bool ok = number(take_word(s, ":"), 2, 2, &hour) && take_char(s, ':') &&
              number(take_word(s, ":"), 2, 2, &minute);
    if (ok && take_char(s, ':'))
        ok = number(take_word(s, ":"), 2, 2, &second);
    return (ok && hour < 24 && minute < 60 && second <= 60) ||
           refuse(why_r, "has no time of day, as 14:36:47, behind the year");
}

static bool take_zone(struct span *s, const char **why_r)
{
    unsigned zone = 0;
    size_t ignored = 0;
    struct span word = take_word(s, "");
    bool sign = word.len == 5 && (word.ptr[0] == '+' || word.ptr[0] == '-');
    bool ok = is_named(word, zones, COUNT_OF(zones), &ignored) ||
              (sign && number(span_from(word, 1), 4, 4, &zone) && zone % 100 < 60);
    return ok || refuse(why_r, "has no zone, as +0000, behind the time");
}

bool message_date_valid(struct span value, const char **why_r)
{
    return take_day(&value, why_r) && take_time(&value, why_r) && take_zone(&value, why_r) &&
           ((address_skip_cfws(&value) && value.len == 0) ||
            refuse(why_r, "has something after the zone, or a comment that does not end"));
}

void message_add_lacking(const struct message_lacks *lacks, struct buf *out)
{
    char text[40];
    if (lacks->date) {
        message_date(lacks->created_ms, text);
        BUF_ADD(out, SPAN("Date: "), span_of(text), SPAN("\r\n"));
    }
    if (lacks->id)
        BUF_ADD(out, SPAN("Message-ID: <"), span_of(lacks->name), SPAN("@"),
                span_of(lacks->hostname), SPAN(">\r\n"));
}

void message_date(int64_t unix_ms, char *text_r)
{
    time_t seconds = (time_t)(unix_ms / 1000);
    struct tm tm = {0};
    gmtime_r(&seconds, &tm);
    snprintf(text_r, 40, "%s, %02d %s %04d %02d:%02d:%02d +0000", days[tm.tm_wday % 7], tm.tm_mday,
             months[tm.tm_mon % 12], (tm.tm_year + 1900) % 10000, tm.tm_hour, tm.tm_min, tm.tm_sec);
}
