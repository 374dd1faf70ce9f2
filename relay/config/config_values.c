// SPDX-License-Identifier: BSD-2-Clause
/* config_values.c - Converts values to and from text. Numbers may have a unit from their type's
 * table; a number that is not a multiple of the setting's own unit is refused. Every refusal names
 * the setting, its value, what is allowed, and the most similar word. */
#include "config_values.h"

#include "similar.h"
#include "unsubscribe_page.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct unit {
    const char *name; /* NULL ends a table */
    int64_t times;
};

static const struct unit times[] = {{"s", 1},     {"m", 60},     {"h", 3600},
                                    {"d", 86400}, {"w", 604800}, {NULL, 0}};
static const struct unit sizes[] = {{"K", 1L << 10}, {"KB", 1L << 10}, {"KiB", 1L << 10},
                                    {"M", 1L << 20}, {"MB", 1L << 20}, {"MiB", 1L << 20},
                                    {"G", 1L << 30}, {"GB", 1L << 30}, {"GiB", 1L << 30},
                                    {"B", 1},        {NULL, 0}};
static const struct unit none[] = {{NULL, 0}};

/* How the numbers are written. */
static const struct number {
    const struct unit *units;
    int64_t own;    /* how many of the table's units the setting counts in */
    int64_t stored; /* how many of the member's make one of the setting's */
    const char *syntax, *noun, *unit;
} numbers[] = {
    [CONFIG_NUMBER] = {none, 1, 1, "a number", "a number", ""},
    [CONFIG_SECONDS] = {times, 1, 1, "a time: seconds, or a number with s, m, h, d or w, as 5m",
                        "a time", "s"},
    [CONFIG_MILLISECONDS] = {times, 1, 1000,
                             "a time: seconds, or a number with s, m, h, d or w, as 5m", "a time",
                             "s"},
    [CONFIG_TIMES] = {times, 1, 1000,
                      "times: seconds, or numbers with s, m, h, d or w, as {1m, 5m}", "times", "s"},
    [CONFIG_DAYS] = {times, 86400, 1, "a time in whole days, as 180, 180d or 26w",
                     "a number of days", ""},
    [CONFIG_BYTES] = {sizes, 1, 1, "a size: bytes, or a number with K, M or G, as 25M", "a size",
                      ""},
    [CONFIG_MEBIBYTES] = {sizes, 1L << 20, 1, "a size in whole MiB, as 512, 512M or 2G",
                          "a number of MiB", ""}};

static bool is_number(const struct config_setting *s)
{
    return s->type >= CONFIG_NUMBER;
}

bool config_is_list(const struct config_setting *s)
{
    return s->type == CONFIG_TEXTS || s->type == CONFIG_TIMES;
}

static void *at(const void *base, size_t offset)
{
    return (char *)(uintptr_t)base + offset;
}

/* ---- numbers ---- */

static bool parse(struct span text, const struct number *n, int64_t *number_r)
{
    uint64_t number = 0;
    size_t digits = 0;
    while (digits < text.len && text.ptr[digits] >= '0' && text.ptr[digits] <= '9')
        digits++;
    struct span unit = span_trim(span_from(text, digits));
    if (digits == 0 || digits > 10 || !span_number(span_first(text, digits), &number))
        return false;
    *number_r = (int64_t)number;
    for (const struct unit *u = n->units; unit.len > 0 && u->name; u++) {
        if (!span_equal_nocase(unit, span_of(u->name)))
            continue;
        int64_t all = (int64_t)number * u->times;
        *number_r = all / n->own;
        return all % n->own == 0 && *number_r < INT_MAX;
    }
    return unit.len == 0 && *number_r < INT_MAX;
}

static void store(const struct config_setting *s, void *base, int64_t number)
{
    if (s->size == sizeof(bool))
        *(bool *)at(base, s->at) = number != 0;
    else if (s->size == sizeof(uint32_t))
        *(uint32_t *)at(base, s->at) = (uint32_t)number;
    else
        *(int64_t *)at(base, s->at) = number;
}

static int64_t load(const struct config_setting *s, const void *base)
{
    return s->size == sizeof(bool)       ? *(const bool *)at(base, s->at)
           : s->size == sizeof(uint32_t) ? *(const uint32_t *)at(base, s->at)
                                         : *(const int64_t *)at(base, s->at);
}

/* ---- what is allowed ---- */

static void list_words(const struct config_setting *s, struct buf *out)
{
    for (const char *const *word = s->words + s->min; *word; word++)
        buf_addf(out, "%s\"%s\"", word == s->words + s->min ? "" : word[1] ? ", " : " or ", *word);
}

static void say_range(const struct config_setting *s, struct buf *out)
{
    const struct number *n = &numbers[s->type];
    if (s->max == CONFIG_MOST)
        buf_addf(out, "%s from %lld%s on", n->noun, (long long)s->min, n->unit);
    else
        buf_addf(out, "%s from %lld to %lld%s%s", n->noun, (long long)s->min, (long long)s->max,
                 n->unit[0] ? " " : "", n->unit);
}

void config_value_allowed(const struct config_setting *s, struct buf *out)
{
    const char *special = s->fault ? s->fault("\n") : NULL; /* which is never good */
    if (s->words)
        list_words(s, out);
    else if (is_number(s) && !special)
        say_range(s, out);
    else if (s->type == CONFIG_COLOR)
        buf_add(out, SPAN("a color, as \"#1a5fb4\""));
    else
        buf_addf(out, "%s", special ? special : "any text");
}

/* `allowed` NULL: what the row says. */
static bool refuse(const struct config_setting *s, const char *text, const char *allowed,
                   char *why_r)
{
    struct similar near;
    struct buf what;
    char hint[100];
    buf_init(&what, CONFIG_WHY_MAX);
    similar_init(&near, text);
    for (const char *const *word = s->words; word && *word; word++)
        similar_try(&near, span_of(*word));
    similar_text(&near, hint, sizeof(hint));
    if (allowed)
        buf_addf(&what, "%s", allowed);
    else
        config_value_allowed(s, &what);
    snprintf(why_r, CONFIG_WHY_MAX, "setting \"%s\" is \"%.200s\": allowed is %s%s", s->name, text,
             buf_text(&what), hint);
    buf_fini(&what);
    return false;
}

/* ---- one type each ---- */

static bool find_word(const struct config_setting *s, const char *text, size_t *index_r)
{
    size_t count = 0;
    while (s->words[count])
        count++;
    return span_among(span_of(text), s->words, count, index_r) && *index_r >= (size_t)s->min;
}

static bool take_text(const struct config_setting *s, void *base, const char *text, char *why_r)
{
    if (span_copy(span_of(text), at(base, s->at), s->size))
        return true;
    snprintf(why_r, CONFIG_WHY_MAX, "setting \"%s\" is longer than %zu bytes", s->name,
             s->size - 1);
    return false;
}

static bool is_full(const struct config_setting *s, size_t count, size_t most, char *why_r)
{
    if (most > 0 && count >= most)
        snprintf(why_r, CONFIG_WHY_MAX, "setting \"%s\" has more than %zu values", s->name, most);
    return most > 0 && count >= most;
}

static bool add_text(const struct config_setting *s, void *base, const char *text, char *why_r)
{
    char ***list = at(base, s->at);
    size_t *count = at(base, s->count_at);
    if (is_full(s, *count, (size_t)s->max, why_r))
        return false;
    *list = xgrow(*list, *count + 1, sizeof(**list));
    (*list)[(*count)++] = xstrdup(text);
    return true;
}

static bool add_time(const struct config_setting *s, void *base, int64_t ms, char *why_r)
{
    size_t *count = at(base, s->count_at);
    if (is_full(s, *count, s->size / sizeof(int64_t), why_r))
        return false;
    ((int64_t *)at(base, s->at))[(*count)++] = ms;
    return true;
}

static bool take(const struct config_setting *s, void *base, const char *text, bool checked,
                 char *why_r)
{
    int64_t number = 0;
    uint32_t color = 0;
    size_t index = 0;
    if (s->type == CONFIG_TEXT)
        return take_text(s, base, text, why_r);
    if (s->type == CONFIG_TEXTS)
        return add_text(s, base, text, why_r);
    if (s->type == CONFIG_COLOR) {
        if (!unsubscribe_color(span_of(text), &color))
            return refuse(s, text, NULL, why_r);
        number = color;
    } else if (s->type == CONFIG_WORD) {
        number = find_word(s, text, &index) ? (int64_t)index : 0;
    } else {
        const struct number *n = &numbers[s->type];
        if (!parse(span_trim(span_of(text)), n, &number))
            return refuse(s, text, n->syntax, why_r);
        if (checked && (number < s->min || number > s->max))
            return refuse(s, text, NULL, why_r);
        number *= n->stored;
    }
    if (s->type == CONFIG_TIMES)
        return add_time(s, base, number, why_r);
    store(s, base, number);
    return true;
}

static bool is_plain(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            return false;
    return true;
}

bool config_value_take(const struct config_setting *s, void *base, const char *text, char *why_r)
{
    size_t index = 0;
    bool empty = !text[0] && !config_is_list(s) && s->fallback && !s->fallback[0];
    const char *allowed = s->fault && !empty ? s->fault(text) : NULL;
    if (!is_plain(text)) { /* it would reach logs, commands and header fields */
        snprintf(why_r, CONFIG_WHY_MAX, "setting \"%s\" holds a control character", s->name);
        return false;
    }
    if (allowed || (s->words && !find_word(s, text, &index)))
        return refuse(s, text, allowed, why_r);
    return (!text[0] && s->type == CONFIG_COLOR && !s->fallback) ||
           take(s, base, text, true, why_r);
}

void config_value_take_default(const struct config_setting *s, void *base)
{
    char why[CONFIG_WHY_MAX];
    if (s->fallback && !config_is_list(s))
        CHECK(take(s, base, s->fallback, false, why));
}

/* ---- to text ---- */

bool config_value_is_none(const struct config_setting *s, const void *base)
{
    if (config_is_list(s))
        return *(const size_t *)at(base, s->count_at) == 0;
    if (s->type == CONFIG_TEXT)
        return *(const char *)at(base, s->at) == '\0';
    int64_t unset = s->size == sizeof(uint32_t) ? (int64_t)UINT32_MAX : -1; /* all bits */
    return load(s, base) == (s->flags & CONFIG_BESIDE ? unset : 0);
}

void config_quote(const char *text, struct buf *out)
{
    buf_add_char(out, '"');
    for (; *text; text++) {
        if (strchr("\"\\$", *text))
            buf_add_char(out, '\\');
        buf_add_char(out, *text);
    }
    buf_add_char(out, '"');
}

static void print_list(const struct config_setting *s, const void *base, struct buf *out)
{
    size_t count = *(const size_t *)at(base, s->count_at);
    for (size_t i = 0; i < count; i++) {
        buf_addf(out, "%s", i > 0 ? ", " : "");
        if (s->type == CONFIG_TIMES)
            buf_addf(out, "%lld", (long long)((const int64_t *)at(base, s->at))[i] / 1000);
        else
            config_quote((*(char ***)at(base, s->at))[i], out);
    }
}

void config_value_print(const struct config_setting *s, const void *base, struct buf *out)
{
    if (config_is_list(s)) {
        buf_add(out, SPAN("{"));
        print_list(s, base, out);
        buf_add(out, SPAN("}"));
    } else if (s->type == CONFIG_TEXT) {
        config_quote(at(base, s->at), out);
    } else if (s->type == CONFIG_WORD) {
        buf_addf(out, "\"%s\"", s->words[load(s, base)]);
    } else if (s->type == CONFIG_COLOR) {
        buf_addf(out, "\"#%06x\"", (unsigned)load(s, base));
    } else {
        buf_addf(out, "%lld", (long long)(load(s, base) / numbers[s->type].stored));
    }
}
