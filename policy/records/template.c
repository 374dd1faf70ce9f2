// SPDX-License-Identifier: BSD-2-Clause
/* template.c - A plan printed by a template: the files of formats/, which the build embeds.
 *
 * A line that begins with "@" says what is done with those behind it, up to its "@end":
 *     @each LIST             once for each of the list
 *     @if FIELD WORD...      when the field is one of the words; @unless: when it is not
 *     @if any LIST...        when one of these lists has something; @if none LIST...
 *     @elif ..., @else       otherwise
 *     @ TEXT                 a comment
 * Other lines are printed, with "<field:filter...>" filled in. Lists and fields: template_words.c;
 * filters: template_filters.c. A word that is not known there ends the program: the tests print
 * all. */
#include "template.h"

static struct span run(const struct template_view *v, struct span text, bool live, struct buf *out);

static bool has_any(const struct template_view *v, struct span lists)
{
    while (lists.len > 0) {
        size_t count = 0;
        template_enter *enter = template_list(v, span_take(&lists, ' '), &count);
        for (size_t i = 0; i < count; i++) {
            struct template_view inner = *v;
            if (enter(&inner, i))
                return true;
        }
    }
    return false;
}

static bool is_among(const struct template_view *v, struct span field, struct span words)
{
    struct buf text;
    bool found = false;
    buf_init(&text, 8 * RECORD_VALUE_MAX);
    template_insert(v, field, &text);
    while (words.len > 0 && !found)
        found = span_equal(span_take(&words, ' '), buf_span(&text));
    buf_fini(&text);
    return found;
}

static bool holds(const struct template_view *v, struct span verb, struct span words)
{
    if (span_equal(verb, SPAN("else")))
        return true;
    struct span first = span_take(&words, ' ');
    if (span_equal(first, SPAN("any")) || span_equal(first, SPAN("none")))
        return has_any(v, words) == span_equal(first, SPAN("any"));
    return is_among(v, first, words) != span_equal(verb, SPAN("unless"));
}

/* From behind its line to behind its "@end"; returns the rest. */
static struct span branch(const struct template_view *v, struct span verb, struct span words,
                          struct span text, bool live, struct buf *out)
{
    while (!span_equal(verb, SPAN("end"))) {
        bool taken = live && holds(v, verb, words);
        text = run(v, text, taken, out);
        live = live && !taken;
        words = span_take(&text, '\n');
        verb = span_from(span_take(&words, ' '), 1);
    }
    return text;
}

static struct span each(const struct template_view *v, struct span name, struct span text,
                        bool live, struct buf *out)
{
    size_t count = 0;
    size_t nth = 0;
    template_enter *enter = template_list(v, name, &count);
    for (size_t i = 0; live && i < count; i++) {
        struct template_view inner = *v;
        if (!enter(&inner, i))
            continue;
        inner.nth = ++nth;
        run(&inner, text, true, out);
    }
    text = run(v, text, false, out);
    span_take(&text, '\n');
    return text;
}

static void print_line(const struct template_view *v, struct span line, struct buf *out)
{
    while (line.len > 0) {
        size_t plain = span_find(line, '<');
        buf_add(out, span_first(line, plain));
        line = span_from(line, plain);
        if (line.len == 0)
            break;
        line = span_from(line, 1);
        template_insert(v, span_take(&line, '>'), out);
    }
    buf_add_char(out, '\n');
}

/* Up to the "@end", "@elif" or "@else" that is not of a block within; returns what begins there. */
static struct span run(const struct template_view *v, struct span text, bool live, struct buf *out)
{
    while (text.len > 0) {
        struct span rest = text;
        struct span line = span_take(&rest, '\n');
        struct span words = line;
        struct span verb = span_take(&words, ' ');
        if (line.len == 0 || line.ptr[0] != '@') {
            if (live)
                print_line(v, line, out);
            text = rest;
            continue;
        }
        verb = span_from(verb, 1);
        if (span_equal(verb, SPAN("end")) || span_equal(verb, SPAN("elif")) ||
            span_equal(verb, SPAN("else")))
            return text;
        if (span_equal(verb, SPAN("each")))
            text = each(v, words, rest, live, out);
        else
            text = verb.len == 0 ? rest : branch(v, verb, words, rest, live, out);
    }
    return text;
}

void records_format_print(const struct records_format *format, const struct records_plan *plan,
                          unsigned ttl_s, struct buf *out)
{
    const struct template_view v = {.plan = plan, .ttl_s = ttl_s};
    run(&v, (struct span){(const char *)format->text, format->len}, true, out);
}
