// SPDX-License-Identifier: BSD-2-Clause
/* tlsrpt_time.c - The dates of reports (RFC 3339), and those that lack their time or zone. */
#include "tlsrpt_parts.h"

#include <string.h>
#include <time.h>

/* So many digits off the front, of a number in a range. */
static bool take_digits(struct span *s, size_t digits, int least, int most, int *number_r)
{
    uint64_t number = 0;
    if (s->len < digits || !span_number(span_first(*s, digits), &number))
        return false;
    *s = span_from(*s, digits);
    *number_r = (int)number;
    return *number_r >= least && *number_r <= most;
}

static bool take(struct span *s, const char *among)
{
    bool there = s->len > 0 && s->ptr[0] && strchr(among, s->ptr[0]);
    *s = span_from(*s, there);
    return there;
}

static bool take_date(struct span *s, struct tm *tm)
{
    bool ok = take_digits(s, 4, 1970, 9999, &tm->tm_year) && take(s, "-") &&
              take_digits(s, 2, 1, 12, &tm->tm_mon) && take(s, "-") &&
              take_digits(s, 2, 1, 31, &tm->tm_mday);
    tm->tm_year -= 1900;
    tm->tm_mon -= 1;
    return ok;
}

static bool take_time(struct span *s, struct tm *tm)
{
    if (!(take_digits(s, 2, 0, 23, &tm->tm_hour) && take(s, ":") &&
          take_digits(s, 2, 0, 59, &tm->tm_min) && take(s, ":") &&
          take_digits(s, 2, 0, 60, &tm->tm_sec)))
        return false;
    if (!take(s, ".,"))
        return true;
    bool some = false;
    while (take(s, "0123456789"))
        some = true;
    return some;
}

/* Seconds before UTC; no zone is a warning. */
static bool take_zone(struct tlsrpt_reading *r, struct span *s, int *seconds_r)
{
    int hours = 0;
    int minutes = 0;
    *seconds_r = 0;
    if (take(s, "Zz"))
        return true;
    if (s->len == 0) {
        tlsrpt_warn(r, TLSRPT_WARNING_NO_ZONE);
        return true;
    }
    int sign = s->ptr[0] == '-' ? -1 : 1;
    if (!take(s, "+-") || !take_digits(s, 2, 0, 23, &hours))
        return false;
    take(s, ":");
    if (!take_digits(s, 2, 0, 59, &minutes))
        return false;
    *seconds_r = sign * (hours * 3600 + minutes * 60);
    return true;
}

int64_t tlsrpt_time_read(struct tlsrpt_reading *r, struct span text)
{
    struct tm tm = {0};
    int ahead_s = 0;
    struct span rest = span_trim(text);
    if (!take_date(&rest, &tm))
        return 0;
    if (rest.len == 0)
        tlsrpt_warn(r, TLSRPT_WARNING_NO_TIME);
    else if (!take(&rest, "Tt ") || !take_time(&rest, &tm) || !take_zone(r, &rest, &ahead_s) ||
             rest.len > 0)
        return 0;
    return (int64_t)timegm(&tm) - ahead_s;
}
