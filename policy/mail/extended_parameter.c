// SPDX-License-Identifier: BSD-2-Clause
/* extended_parameter.c - Rewrites MIME parameters in the extended form of RFC 2231. All sections of
 * a parameter are joined, decoded and written again; ASCII parameters are not changed. */
#include "extended_parameter.h"

#include "mime_parameter.h"

#include <string.h>

enum { NAME_MAX_LEN = 200, SECTION_MIN = 24, PLAIN_LINE_MAX = 900 };

/* What a parameter says. */
struct said {
    struct span name;
    struct span language; /* "charset'language'" as it came; empty: none */
    struct buf text;
};

static bool is_attribute_char(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c != '\0' && strchr("!#$&+-.^_`{|}~", c));
}

static void add_extended(struct buf *out, struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (is_attribute_char(c))
            buf_add_char(out, (char)c);
        else
            buf_addf(out, "%%%02X", c);
    }
}

/* Length of the character at the front. */
static size_t character_length(struct span s, bool utf8)
{
    size_t len = 1;
    while (utf8 && len < s.len && ((unsigned char)s.ptr[len] & 0xc0) == 0x80)
        len++;
    return len;
}

/* As many whole characters as fit into `room`, with `start` in front, taken off `text`. */
static void take_section(struct span *text, bool utf8, size_t room, struct buf *out)
{
    char memory[16];
    while (text->len > 0) {
        struct span c = span_first(*text, character_length(*text, utf8));
        size_t len = 0;
        for (size_t i = 0; i < c.len; i++)
            len += is_attribute_char((unsigned char)c.ptr[i]) ? 1 : sizeof("%XX") - 1;
        if (out->len + len > room && len < sizeof(memory) && out->len > 0)
            return;
        add_extended(out, c);
        *text = span_from(*text, c.len);
    }
}

/* "utf-8'en'", of what came or of what the text is. */
static void add_charset(const struct said *s, bool utf8, struct buf *out)
{
    struct span language = s->language;
    struct span charset = span_take(&language, '\'');
    if (charset.len == 0 || utf8)
        charset = utf8 ? SPAN("utf-8") : SPAN("unknown-8bit"); /* RFC 1428 */
    language = span_take(&language, '\'');
    buf_addf(out, "%.*s'%.*s'", SPAN_ARG(charset), SPAN_ARG(language));
}

/* `name*=utf-8''…`, or in sections (RFC 2231 section 3 and 4.1). */
static void put_extended(struct encoded_writer *w, const struct said *s)
{
    struct span text = buf_span(&s->text);
    bool utf8 = span_is_utf8(text);
    size_t around = s->name.len + sizeof("\t*0000*=;") - 1;
    size_t room =
        around + SECTION_MIN < ENCODED_WORD_LINE_MAX ? ENCODED_WORD_LINE_MAX - around : SECTION_MIN;
    struct buf section;
    buf_init_peer(&section, 3 * text.len + 64);
    add_charset(s, utf8, &section);
    take_section(&text, utf8, room, &section);
    bool whole = text.len == 0;
    for (size_t number = 0; number == 0 || section.len > 0; number++) {
        struct buf line;
        buf_init_peer(&line, s->name.len + section.len + 64);
        buf_addf(&line, "\r\n\t%.*s*", SPAN_ARG(s->name));
        if (!whole)
            buf_addf(&line, "%zu*", number);
        buf_addf(&line, "=%.*s%s", SPAN_ARG(buf_span(&section)), text.len > 0 ? ";" : "");
        encoded_put(w, buf_span(&line));
        buf_fini_part(&line, w->out);
        buf_clear(&section);
        take_section(&text, utf8, room, &section);
    }
    buf_fini_part(&section, w->out);
    w->changed = true;
}

/* ---- what came ---- */

/* Take "charset'language'" off the front of an extended value. */
static void take_language(struct span *value, struct said *s)
{
    struct span rest = *value;
    span_take(&rest, '\'');
    span_take(&rest, '\'');
    struct span language = span_first(*value, value->len - rest.len);
    bool both = language.len > 1 && language.ptr[language.len - 1] == '\'' &&
                span_find(language, '\'') < language.len - 1;
    if (!both || language.len > 60 || !span_is_ascii(language))
        return;
    s->language = language;
    *value = rest;
}

/* Add what one section says. */
static void add_said(const struct mime_parameter *p, const struct mime_section *section,
                     struct said *s)
{
    struct span value = p->value;
    if (!section->extended) {
        mime_parameter_text(value, &s->text);
        return;
    }
    if (!section->numbered || section->number == 0)
        take_language(&value, s);
    mime_parameter_decode(value, &s->text);
}

/* All sections of what `first` begins, as they follow one another; their bytes. */
static struct span gather(const struct mime_parameter *first, struct span *rest, struct said *s)
{
    struct mime_parameter p = *first;
    struct mime_section section;
    struct span after = *rest;
    mime_parameter_section(p.name, &section);
    *s = (struct said){.name = section.base, .language = SPAN_NONE};
    buf_init_peer(&s->text, p.raw.len + rest->len);
    add_said(&p, &section, s);
    struct span run = p.raw;
    for (uint64_t number = 1; section.numbered && mime_parameter_next(&after, &p); number++) {
        mime_parameter_section(p.name, &section);
        if (!section.numbered || section.number != number ||
            !span_equal_nocase(section.base, s->name))
            break;
        add_said(&p, &section, s);
        run.len = (size_t)(p.raw.ptr - run.ptr) + p.raw.len;
        *rest = after;
    }
    return run;
}

/* What cannot be said: an octet that is not ASCII becomes '?'. */
static void put_masked(struct encoded_writer *w, struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        bool ascii = (unsigned char)s.ptr[i] < 0x80;
        encoded_put(w, ascii ? span_first(span_from(s, i), 1) : SPAN("?"));
    }
}

/* A section without those before it. */
static void put_stray(struct encoded_writer *w, const struct mime_parameter *p)
{
    struct buf text;
    struct buf line;
    buf_init_peer(&text, p->value.len);
    buf_init_peer(&line, 3 * p->value.len + p->name.len + 8);
    bool extended = span_ends_nocase(p->name, SPAN("*"));
    if (extended)
        mime_parameter_decode(p->value, &text);
    else
        mime_parameter_text(p->value, &text);
    buf_addf(&line, "\r\n\t%.*s%s=", SPAN_ARG(p->name), extended ? "" : "*");
    add_extended(&line, buf_span(&text));
    if (line.len <= PLAIN_LINE_MAX)
        encoded_put(w, buf_span(&line));
    else
        put_masked(w, p->raw);
    buf_fini_part(&text, w->out);
    buf_fini_part(&line, w->out);
    w->changed = true;
}

/* As it came, on a line of its own if there is no room here any more. */
static void put_as_it_is(struct encoded_writer *w, struct span raw)
{
    bool folded = raw.len > 0 && raw.ptr[0] == '\r';
    size_t len = span_find(raw, '\r');
    if (w->changed && !folded && span_trim(raw).len > 0 &&
        w->column + len >= ENCODED_WORD_LINE_MAX) {
        encoded_put(w, SPAN("\r\n\t"));
        encoded_take_space(&raw);
    }
    encoded_put(w, raw);
}

/* Is there a parameter `name` in the extended form? Who knows that form prefers it to a plain one,
 * who does not can read the plain one only when it is ASCII. */
static bool has_extended(struct span rest, struct span name)
{
    struct mime_parameter p;
    struct mime_section section;
    rest = span_from(rest, 1);
    while (mime_parameter_next(&rest, &p)) {
        mime_parameter_section(p.name, &section);
        if ((section.extended || section.numbered) && span_equal_nocase(section.base, name))
            return true;
    }
    return false;
}

static void put_parameter(struct encoded_writer *w, const struct mime_parameter *p,
                          struct span *rest)
{
    struct mime_section section;
    struct said s;
    mime_parameter_section(p->name, &section);
    bool first = !section.numbered || section.number == 0;
    bool writable = p->name.len > 0 && p->name.len <= NAME_MAX_LEN && span_is_ascii(p->name);
    encoded_put(w, SPAN(";"));
    if (span_is_ascii(p->raw) && !(section.numbered && first)) {
        put_as_it_is(w, p->raw);
    } else if (!writable) {
        put_masked(w, p->raw);
    } else if (!first) {
        put_stray(w, p);
    } else {
        struct span run = gather(p, rest, &s);
        if (span_is_ascii(run))
            put_as_it_is(w, run);
        else
            put_extended(w, &s);
        buf_fini_part(&s.text, w->out);
    }
}

void extended_parameters(struct encoded_writer *w, struct span value)
{
    struct span rest = span_from(value, mime_parameter_length(value));
    struct mime_parameter p;
    bool file = has_extended(rest, SPAN("filename"));
    bool name = has_extended(rest, SPAN("name"));
    encoded_octets(w, span_first(value, value.len - rest.len), false);
    rest = span_from(rest, 1);
    while (mime_parameter_next(&rest, &p)) {
        bool said_again = (file && span_equal_nocase(p.name, SPAN("filename"))) ||
                          (name && span_equal_nocase(p.name, SPAN("name")));
        if (!said_again || span_is_ascii(p.raw))
            put_parameter(w, &p, &rest);
    }
}
