// SPDX-License-Identifier: BSD-2-Clause
/* unsubscribe_style.c - The page's style, around the sender's colour. Whatever that is, text in it
 * or on it has the contrast that WCAG 2.2 demands: the colour itself is used for areas only, with
 * black or white on them; for text and edges it is darkened, or lightened, until it can be read.
 */
#include "unsubscribe_page.h"

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

static double linear(uint32_t channel)
{
    double c = (double)(channel & 0xff) / 255;
    return c <= 0.04045 ? c / 12.92 : pow((c + 0.055) / 1.055, 2.4);
}

double unsubscribe_contrast(uint32_t a, uint32_t b)
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

uint32_t unsubscribe_text_on(uint32_t area)
{
    return unsubscribe_contrast(area, WHITE) >= readable_contrast ? WHITE : BLACK;
}

uint32_t unsubscribe_readable(uint32_t color, uint32_t background)
{
    uint32_t to = unsubscribe_text_on(background);
    uint32_t step = 0;
    while (step < 32 && unsubscribe_contrast(mix(color, to, step), background) < readable_contrast)
        step++;
    return mix(color, to, step);
}

void unsubscribe_style(uint32_t color, struct buf *out)
{
    buf_addf(out,
             ":root{color-scheme:light dark;--area:#%06x;--on:#%06x;--ink:#%06x;"
             "--page:#f3f4f6;--card:#%06x;--line:#d5d9df;--text:#1b1e22;--soft:#545b65;"
             "--good:#1b6e34;--good-area:#e9f6ed;--bad:#a1161d;--bad-area:#fdeeee}\n",
             color, unsubscribe_text_on(color), unsubscribe_readable(color, LIGHT_CARD),
             (unsigned)LIGHT_CARD);
    buf_addf(out,
             "@media(prefers-color-scheme:dark){:root{--ink:#%06x;--page:#121417;--card:#%06x;"
             "--line:#3a4048;--text:#eceef1;--soft:#b2b9c3;"
             "--good:#7fd897;--good-area:#17291d;--bad:#ffa3a3;--bad-area:#341a1c}}\n",
             unsubscribe_readable(color, DARK_CARD), (unsigned)DARK_CARD);
    buf_add(out,
            SPAN("*{box-sizing:border-box}\n"
                 "body{margin:0;background:var(--page);color:var(--text);"
                 "font:1.0625rem/1.55 system-ui,sans-serif;overflow-wrap:anywhere}\n"
                 ":lang(ar),:lang(fa){line-height:1.75}\n"
                 "main{max-width:34rem;margin:clamp(0rem,6vh,4rem) auto;padding:1.75rem;"
                 "background:var(--card);border:1px solid var(--line);"
                 "border-block-start:.375rem solid var(--area);"
                 "border-radius:.75rem;box-shadow:0 .5rem 2rem #0000000f}\n"
                 ".heading{display:flex;align-items:center;gap:.875rem}\n"
                 ".mark{flex:none;display:grid;place-items:center;inline-size:2.75rem;"
                 "block-size:2.75rem;border-radius:50%;background:var(--area);color:var(--on);"
                 "border:1px solid var(--ink);font-size:1.125rem}\n"
                 "h1{font-size:1.375rem;line-height:1.3;margin:0}\n"
                 "bdi[dir]{display:inline-block;max-inline-size:100%}\n"
                 "p{margin:.75rem 0}\n"
                 ".soft{color:var(--soft);font-size:.9375rem}\n"
                 ".note{display:flex;gap:.75rem;padding:.75rem 1rem;border-radius:.5rem}\n"
                 ".note::before{flex:none;font-weight:700}\n"
                 ".good{background:var(--good-area);color:var(--good)}\n"
                 ".good::before{content:'\\2713' / ''}\n"
                 ".bad{background:var(--bad-area);color:var(--bad)}\n"
                 ".bad::before{content:'!' / ''}\n"
                 "button{display:block;inline-size:100%;min-block-size:3rem;margin-block:.75rem 0;"
                 "padding:.625rem 1rem;font:inherit;text-align:start;cursor:pointer;"
                 "color:var(--ink);background:transparent;border:1px solid var(--ink);"
                 "border-radius:.5rem;overflow-wrap:anywhere}\n"
                 "button.first{color:var(--on);background:var(--area);font-weight:600}\n"
                 "button:hover{text-decoration:underline}\n"
                 "button:focus-visible{outline:3px solid var(--text);outline-offset:3px}\n"
                 ".apart{margin-block-start:1.5rem;padding-block-start:.75rem;"
                 "border-block-start:1px solid var(--line)}\n"
                 "@media(max-width:36rem){main{margin:0;padding:1.5rem "
                 "1.25rem;min-block-size:100vh;border-width:0;"
                 "border-block-start-width:.375rem;border-radius:0;box-shadow:none}}\n"));
}
