// SPDX-License-Identifier: BSD-2-Clause
/* escape.c - Decides which characters reach a terminal or the log. */
#include "escape.h"

#include "normal.h"

#include <stdio.h>
#include <string.h>

static size_t print_unit(char *to, uint32_t unit)
{
    return (size_t)snprintf(to, ESCAPE_MAX, "\\u%04x", (unsigned)unit);
}

static size_t print_character(char *to, uint32_t c, enum escape_form form)
{
    if (form == ESCAPE_TEXT && c < 0x80)
        return (size_t)snprintf(to, ESCAPE_MAX, "\\x%02x", (unsigned)c);
    if (c < 0x10000)
        return print_unit(to, c);
    if (form == ESCAPE_TEXT)
        return (size_t)snprintf(to, ESCAPE_MAX, "\\U%08x", (unsigned)c);
    size_t len = print_unit(to, 0xd800 + ((c - 0x10000) >> 10)); /* RFC 8259 section 7 */
    return len + print_unit(to + len, 0xdc00 + ((c - 0x10000) & 0x3ff));
}

size_t escape_next(struct span *text, enum escape_form form, char text_r[ESCAPE_MAX])
{
    uint32_t c = (unsigned char)text->ptr[0];
    size_t len = c < 0x80 ? 1 : normal_character(*text, &c);
    struct span taken = span_first(*text, len > 0 ? len : 1);
    bool newline = form == ESCAPE_JSON && c == '\n'; /* between the values */
    *text = span_from(*text, taken.len);
    if (len == 0)
        return (size_t)snprintf(text_r, ESCAPE_MAX, "\\x%02x", (unsigned)(unsigned char)*taken.ptr);
    if ((c >= ' ' && c < 0x7f) || newline || (c >= 0x80 && !normal_disturbs(c))) {
        memcpy(text_r, taken.ptr, taken.len);
        text_r[taken.len] = '\0';
        return taken.len;
    }
    return print_character(text_r, c, form);
}

void escape(struct span text, enum escape_form form, struct buf *out)
{
    char piece[ESCAPE_MAX];
    while (text.len > 0) {
        size_t len = escape_next(&text, form, piece);
        buf_add(out, (struct span){piece, len});
    }
}

size_t escape_width(struct span text)
{
    return normal_width(text);
}
