// SPDX-License-Identifier: BSD-2-Clause
/* returns_html.c - Tags go, blocks become lines. Nothing of a page is checked. */
#include "returns_html.h"

#include "check.h"

/* Elements that begin a line, and those of which nothing is read. */
static const char *const blocks[] = {"br", "p",  "div", "tr",  "li",
                                     "h1", "h2", "h3",  "pre", "table"};
static const char *const hidden[] = {"style", "script", "title"};

static const struct {
    const char *name, *text;
} entities[] = {{"lt;", "<"},   {"gt;", ">"},  {"amp;", "&"}, {"quot;", "\""},
                {"nbsp;", " "}, {"#64;", "@"}, {"#39;", "'"}, {"apos;", "'"}};

static bool is_one_of(struct span name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (span_equal_nocase(name, span_of(names[i])))
            return true;
    return false;
}

static bool is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* The element's name in "<p class=…>" or "</p>". */
static struct span name_of(struct span tag)
{
    struct span name = span_from(tag, span_starts_nocase(tag, SPAN("</")) ? 2 : 1);
    size_t len = 0;
    while (len < name.len && is_letter_or_digit(name.ptr[len]))
        len++;
    return span_first(name, len);
}

/* Take a tag off the front, and what is hidden behind it. */
static void take_tag(struct span *page, struct buf *out)
{
    struct span tag = span_first(*page, span_find(*page, '>'));
    struct span name = name_of(tag);
    bool opens = !span_starts_nocase(tag, SPAN("</"));
    *page = span_from(*page, tag.len + 1);
    if (is_one_of(name, blocks, COUNT_OF(blocks)))
        buf_add(out, SPAN("\r\n"));
    if (opens && is_one_of(name, hidden, COUNT_OF(hidden)))
        *page = span_from(*page, span_search(*page, SPAN("</")));
}

static size_t take_entity(struct span page, struct buf *out)
{
    for (size_t i = 0; i < COUNT_OF(entities); i++)
        if (span_starts_nocase(span_from(page, 1), span_of(entities[i].name))) {
            buf_add(out, span_of(entities[i].text));
            return span_of(entities[i].name).len + 1;
        }
    buf_add_char(out, '&');
    return 1;
}

void returns_html_text(struct span page, struct buf *out)
{
    while (page.len > 0 && !out->overflow) {
        size_t plain = 0;
        while (plain < page.len && page.ptr[plain] != '<' && page.ptr[plain] != '&')
            plain++;
        buf_add(out, span_first(page, plain));
        page = span_from(page, plain);
        if (page.len == 0)
            break;
        if (page.ptr[0] == '<')
            take_tag(&page, out);
        else
            page = span_from(page, take_entity(page, out));
    }
}
