// SPDX-License-Identifier: BSD-2-Clause
/* unsubscribe_style.c - The style sheet of the page (page/style.css), with colors derived from the
 * sender's color. Text has the contrast that WCAG 2.2 requires whatever the color is: the color
 * itself is used for areas only, with black or white text on it; for text and borders it is
 * darkened or lightened until it is readable. */
#include "unsubscribe_page.h"

#include "page_files.h"
#include "template.h"

#include <math.h>

enum { WHITE = 0xffffff, BLACK = 0x000000, LIGHT_CARD = 0xffffff, DARK_CARD = 0x1d2024 };

/* WCAG 2.2 success criterion 1.4.3. */
static const double readable_contrast = 4.5;

bool unsubscribe_color(struct span text, uint32_t *rgb_r)
{
    uint32_t rgb = 0;
    if (text.len != 7 || text.ptr[0] != '#')
        return false;
    for (size_t i = 1; i < text.len; i++) {
        int value = span_hex_value(text.ptr[i]);
        if (value < 0)
            return false;
        rgb = rgb << 4 | (uint32_t)value;
    }
    *rgb_r = rgb;
    return true;
}

bool unsubscribe_style_name(struct span name, uint32_t *rgb_r)
{
    static const char before[] = "style-";
    static const char after[] = ".css";
    char color[8] = "#";
    return name.len == sizeof(before) - 1 + 6 + sizeof(after) - 1 &&
           span_starts_nocase(name, SPAN(before)) && span_ends_nocase(name, SPAN(after)) &&
           span_copy(span_first(span_from(name, sizeof(before) - 1), 6), color + 1,
                     sizeof(color) - 1) &&
           unsubscribe_color(span_of(color), rgb_r);
}

static double linear(uint32_t channel)
{
    double c = (double)(channel & 0xff) / 255;
    return c <= 0.04045 ? c / 12.92 : pow((c + 0.055) / 1.055, 2.4);
}

/* 1 to 21 (WCAG 2.2). */
static double contrast(uint32_t a, uint32_t b)
{
    double la = 0.2126 * linear(a >> 16) + 0.7152 * linear(a >> 8) + 0.0722 * linear(a);
    double lb = 0.2126 * linear(b >> 16) + 0.7152 * linear(b >> 8) + 0.0722 * linear(b);
    return la > lb ? (la + 0.05) / (lb + 0.05) : (lb + 0.05) / (la + 0.05);
}

/* `step` of 32 on the way from one colour to the other. */
static uint32_t mix(uint32_t from, uint32_t to, uint32_t step)
{
    uint32_t mixed = 0;
    for (unsigned shift = 0; shift <= 16; shift += 8) {
        uint32_t a = from >> shift & 0xff;
        uint32_t b = to >> shift & 0xff;
        mixed |= (a * (32 - step) + b * step) / 32 << shift;
    }
    return mixed;
}

/* Black or white, whichever can be read on an area. */
static uint32_t text_on(uint32_t area)
{
    return contrast(area, WHITE) >= readable_contrast ? WHITE : BLACK;
}

/* For text: as near to `color` as can be read. */
static uint32_t readable(uint32_t color, uint32_t background)
{
    uint32_t to = text_on(background);
    uint32_t step = 0;
    while (step < 32 && contrast(mix(color, to, step), background) < readable_contrast)
        step++;
    return mix(color, to, step);
}

static void insert(const void *view, struct span word, struct buf *out)
{
    const uint32_t color = *(const uint32_t *)view;
    const struct {
        const char *name;
        uint32_t color;
    } colors[] = {{"area", color},          {"on", text_on(color)},
                  {"card", LIGHT_CARD},     {"ink", readable(color, LIGHT_CARD)},
                  {"dark-card", DARK_CARD}, {"dark-ink", readable(color, DARK_CARD)}};
    size_t i = 0;
    while (i < COUNT_OF(colors) && !span_equal(word, span_of(colors[i].name)))
        i++;
    CHECK(i < COUNT_OF(colors));
    buf_addf(out, "#%06x", colors[i].color);
}

void unsubscribe_style(uint32_t color, struct buf *out)
{
    static const struct template t = {.open = '<', .close = '>', .insert = insert};
    template_fill(&t, &color, page_files[PAGE_STYLE], out);
}
