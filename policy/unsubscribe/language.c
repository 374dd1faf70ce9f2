// SPDX-License-Identifier: BSD-2-Clause
/* language.c - Texts are looked up by scanning the language's file. A page needs about twenty of
 * them, and a file has two pages, so there is no index. */
#include "language.h"

#include "check.h"
#include "language_files.h"
#include "template.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

const char *language_name(enum language language)
{
    static const char *const names[] = {
#define LANGUAGE_NAME(constant, name) [LANGUAGE_##constant] = (name),
        LANGUAGES(LANGUAGE_NAME)
#undef LANGUAGE_NAME
    };
    CHECK((unsigned)language < LANGUAGE_COUNT);
    return names[language];
}

/* ---- the reader's ---- */

/* "q=0.8" in thousandths; 1000 when it says nothing. */
static unsigned weight_of(struct span parameters)
{
    size_t at = span_search(parameters, SPAN("q="));
    unsigned weight = 0;
    unsigned scale = 1000;
    if (at >= parameters.len)
        return 1000;
    struct span q = span_trim(span_from(parameters, at + 2));
    for (size_t i = 0; i < q.len && i < 5; i++) {
        if (q.ptr[i] == '.')
            continue;
        if (q.ptr[i] < '0' || q.ptr[i] > '9')
            break;
        weight += (unsigned)(q.ptr[i] - '0') * scale;
        scale /= 10;
    }
    return weight > 1000 ? 1000 : weight;
}

/* By the primary subtag; a reader of Chinese in other characters is better served by these than by
 * English. "in" is what Indonesian was called, and some programs still say so. */
static bool find_tag(struct span tag, enum language *language_r)
{
    struct span primary = span_first(tag, span_find(tag, '-'));
    if (span_equal_nocase(primary, SPAN("in")))
        primary = SPAN("id");
    for (unsigned i = 0; i < LANGUAGE_COUNT; i++)
        if (span_equal_nocase(primary, span_of(language_name((enum language)i)))) {
            *language_r = (enum language)i;
            return true;
        }
    return false;
}

enum language language_accept(struct span accept)
{
    enum language best = LANGUAGE_EN;
    unsigned best_weight = 0;
    accept = span_first(accept, 1000);
    while (accept.len > 0) {
        struct span entry = span_take(&accept, ',');
        struct span tag = span_trim(span_take(&entry, ';'));
        enum language language = LANGUAGE_EN;
        unsigned weight = weight_of(entry);
        if (weight > best_weight && find_tag(tag, &language)) {
            best = language;
            best_weight = weight;
        }
    }
    return best;
}

/* ---- texts ---- */

struct span language_file(enum language language)
{
    CHECK((unsigned)language < LANGUAGE_COUNT);
    return language_files[language];
}

struct span language_text(enum language language, const char *key)
{
    struct span rest = language_file(language);
    struct span wanted = span_of(key);
    while (rest.len > 0) {
        struct span line = span_take(&rest, '\n');
        if (line.len > wanted.len + 3 && span_equal(span_first(line, wanted.len), wanted) &&
            span_equal(span_first(span_from(line, wanted.len), 3), SPAN(" = ")))
            return span_from(line, wanted.len + 3);
    }
    return SPAN_NONE;
}

/* ---- times ---- */

/* Append the n-th of the texts between bars. */
static void add_part(struct span list, int n, struct buf *out)
{
    struct span part = SPAN_NONE;
    for (int i = 0; i <= n; i++)
        part = span_take(&list, '|');
    buf_add(out, part);
}

/* In the language's digits, which may have several bytes each. */
static void add_digits(enum language language, const char *number, struct buf *out)
{
    struct span digits = language_text(language, "digits");
    size_t each = digits.len / 10;
    for (const char *p = number; *p; p++) {
        if (*p >= '0' && *p <= '9')
            buf_add(out, span_first(span_from(digits, (size_t)(*p - '0') * each), each));
        else
            buf_add_char(out, *p);
    }
}

/* Many languages write the first day of a month as the first, and others as one. */
static void add_day(enum language language, int day, struct buf *out)
{
    char number[16];
    snprintf(number, sizeof(number), "%d", day);
    if (day == 1)
        buf_add(out, language_text(language, "first"));
    else
        add_digits(language, number, out);
}

struct moment {
    enum language language;
    struct tm tm;
};

static void add_pattern(const struct moment *m, const char *pattern, struct buf *out);

static void insert(const void *view, struct span mark, struct buf *out)
{
    const struct moment *m = view;
    char number[32];
    if (span_equal(mark, SPAN("day"))) {
        add_day(m->language, m->tm.tm_mday, out);
    } else if (span_equal(mark, SPAN("month"))) {
        add_part(language_text(m->language, "months"), m->tm.tm_mon, out);
    } else if (span_equal(mark, SPAN("year"))) {
        snprintf(number, sizeof(number), "%d", m->tm.tm_year + 1900);
        add_digits(m->language, number, out);
    } else if (span_equal(mark, SPAN("clock"))) {
        snprintf(number, sizeof(number), "%02d:%02d", m->tm.tm_hour, m->tm.tm_min);
        add_digits(m->language, number, out);
    } else if (span_equal(mark, SPAN("date"))) {
        add_pattern(m, "date", out);
    }
}

static void add_pattern(const struct moment *m, const char *pattern, struct buf *out)
{
    static const struct template t = {.open = '{', .close = '}', .insert = insert};
    template_fill(&t, m, language_text(m->language, pattern), out);
}

static void add_moment(enum language language, int64_t at_ms, const char *pattern, struct buf *out)
{
    struct moment m = {.language = language};
    time_t at_s = (time_t)(at_ms / 1000);
    gmtime_r(&at_s, &m.tm);
    add_pattern(&m, pattern, out);
}

void language_date(enum language language, int64_t at_ms, struct buf *out)
{
    add_moment(language, at_ms, "date", out);
}

void language_moment(enum language language, int64_t at_ms, struct buf *out)
{
    add_moment(language, at_ms, "moment", out);
}
