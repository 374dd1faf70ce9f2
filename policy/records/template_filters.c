// SPDX-License-Identifier: BSD-2-Clause
/* template_filters.c - Escaping for each file format: characters that would end a string, or have a
 * meaning in it, and all that is not printable ASCII. */
#include "template_filters.h"

#include "records_format.h"

/* A string of HCL, Terraform's language: "${" and "%{" would begin a template; it has characters,
 * not octets. */
static void hcl(struct span text, struct buf *out)
{
    buf_add_char(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if ((c == '$' || c == '%') && i + 1 < text.len && text.ptr[i + 1] == '{')
            buf_add_char(out, c);
        records_octets((struct span){&c, 1}, RECORDS_UNICODE, out);
    }
    buf_add_char(out, '"');
}

/* A string as YAML 1.2 section 7.3.1 and JavaScript both read it. */
static void string(struct span text, struct buf *out)
{
    buf_add_char(out, '"');
    records_octets(text, RECORDS_HEX, out);
    buf_add_char(out, '"');
}

/* The inner quotes between the strings of a TXT record, and not the outer ones; octets in octal. */
static void inner(struct span text, struct buf *out)
{
    for (size_t i = 0; i < text.len; i += RECORDS_STRING_MAX) {
        buf_add(out, i > 0 ? SPAN("\"\"") : SPAN_NONE);
        records_octets(span_first(span_from(text, i), RECORDS_STRING_MAX), RECORDS_OCTAL, out);
    }
}

/* An identifier made of a name: dots become "_", and "_" becomes "__". */
static void label(struct span text, struct buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        buf_add(out, c == '.'   ? SPAN("_")
                     : c == '_' ? SPAN("__")
                     : c == '*' ? SPAN("any")
                                : (struct span){text.ptr + i, 1});
    }
}

static void lower(struct span text, struct buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        buf_add_char(out, c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c);
    }
}

static void semicolons(struct span text, struct buf *out)
{
    for (size_t i = 0; i < text.len; i++)
        buf_addf(out, text.ptr[i] == ';' ? "\\%c" : "%c", text.ptr[i]);
}

static void dot(struct span text, struct buf *out)
{
    buf_add(out, text);
    buf_add_char(out, '.');
}

static void unquoted(struct span text, struct buf *out)
{
    buf_add(out, records_unquoted(text));
}

/* "" where others write "@". */
static void apex(struct span text, struct buf *out)
{
    buf_add(out, span_equal(text, SPAN("@")) ? SPAN_NONE : text);
}

static const struct {
    const char *name;
    void (*add)(struct span text, struct buf *out);
} filters[] = {{"hcl", hcl},     {"string", string},         {"quoted", records_quote},
               {"inner", inner}, {"label", label},           {"lower", lower},
               {"dot", dot},     {"semicolons", semicolons}, {"unquoted", unquoted},
               {"apex", apex}};

void template_filter(struct span names, struct buf *text)
{
    uint64_t number = 0;
    while (names.len > 0) {
        struct span name = span_take(&names, ':');
        struct buf made;
        size_t i = 0;
        if (span_equal(name, SPAN("number"))) { /* which is written as it is */
            if (span_number(buf_span(text), &number))
                return;
            continue;
        }
        while (i < COUNT_OF(filters) && !span_equal(name, span_of(filters[i].name)))
            i++;
        CHECK(i < COUNT_OF(filters));
        buf_init(&made, 8 * RECORD_VALUE_MAX);
        filters[i].add(buf_span(text), &made);
        buf_fini(text);
        *text = made;
    }
}
