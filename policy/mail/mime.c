// SPDX-License-Identifier: BSD-2-Clause
/* mime.c - Walks the entities of a MIME message, and decodes base64 and quoted-printable. */
#include "mime.h"

#include "address.h"
#include "base64.h"
#include "message.h"
#include "mime_parameter.h"

#include <string.h>

/* ---- entities ---- */

bool mime_parameter(struct span value, struct span name, char *text_r, size_t size)
{
    struct mime_parameter p;
    value = span_from(value, mime_parameter_length(value) + 1);
    while (mime_parameter_next(&value, &p)) {
        struct buf text;
        if (!span_equal_nocase(p.name, name))
            continue;
        buf_init(&text, size - 1);
        mime_parameter_text(p.value, &text);
        struct span said = buf_span(&text);
        while (said.len > 0 && strchr(" \t", said.ptr[said.len - 1]))
            said.len--;
        bool ok = said.len > 0 && !text.overflow && span_copy(said, text_r, size);
        buf_fini(&text);
        return ok;
    }
    return false;
}

struct span mime_token(struct span value)
{
    struct span rest = value;
    struct span token = address_skip_cfws(&rest) ? rest : span_trim(value);
    return span_trim(span_take(&token, '('));
}

/* Fill in type, encoding and boundary from the header. */
static void read_header(struct mime_entity *e)
{
    struct field f;
    e->type = e->encoding = SPAN_NONE;
    e->boundary[0] = '\0';
    if (message_find(e->header, SPAN("Content-Type"), 0, &f)) {
        e->type = mime_token(span_first(f.value, mime_parameter_length(f.value)));
        if (!mime_parameter(f.value, SPAN("boundary"), e->boundary, sizeof(e->boundary)))
            e->boundary[0] = '\0';
    }
    if (message_find(e->header, SPAN("Content-Transfer-Encoding"), 0, &f))
        e->encoding = mime_token(f.value);
}

bool mime_is_text(const struct mime_entity *e)
{
    return e->type.len == 0 || span_starts_nocase(e->type, SPAN("text/"));
}

bool mime_is_delimiter(struct span line, const char *boundary, bool *last_r)
{
    struct span text = span_trim(line);
    if (!span_starts_nocase(line, SPAN("--")))
        return false;
    text = span_from(text, 2);
    struct span mark = span_of(boundary);
    if (text.len < mark.len || !span_equal(span_first(text, mark.len), mark))
        return false;
    text = span_from(text, mark.len);
    *last_r = span_equal(text, SPAN("--"));
    return text.len == 0 || *last_r;
}

struct walk {
    mime_on_leaf *on_leaf;
    void *context;
};

static void visit(const struct walk *w, struct mime_entity *e);

static void visit_part(const struct walk *w, struct span part, unsigned depth)
{
    size_t length = 0;
    bool ended = message_header_length(part, &length);
    struct mime_entity inner = {.header = span_first(part, length),
                                .body = ended ? span_from(part, length + 2) : SPAN_NONE,
                                .depth = depth};
    visit(w, &inner);
}

/* False when there is no delimiter at all. */
static bool visit_parts(const struct walk *w, const struct mime_entity *e)
{
    struct span rest = e->body;
    struct span part = span_first(rest, 0);
    bool in_part = false;
    bool last = false;
    bool found = false;
    while (rest.len > 0 && !last) {
        size_t at = span_find(rest, '\n');
        struct span line = span_first(rest, at < rest.len ? at + 1 : at);
        rest = span_from(rest, line.len);
        if (!mime_is_delimiter(line, e->boundary, &last)) {
            part.len += line.len;
            continue;
        }
        if (in_part)
            visit_part(w, part, e->depth + 1);
        part = (struct span){line.ptr + line.len, 0};
        in_part = found = true;
    }
    if (in_part && !last)
        visit_part(w, part, e->depth + 1);
    return found;
}

static void visit(const struct walk *w, struct mime_entity *e)
{
    read_header(e);
    bool holds = span_starts_nocase(e->type, SPAN("multipart/")) && e->boundary[0];
    if (!holds || e->depth >= MIME_DEPTH_MAX || !visit_parts(w, e))
        w->on_leaf(w->context, e);
}

void mime_leaves(struct span header, struct span body, mime_on_leaf *on_leaf, void *context)
{
    const struct walk w = {on_leaf, context};
    struct mime_entity top = {.header = header, .body = body};
    visit(&w, &top);
}

/* ---- encodings ---- */

/* What "=" begins at the front of `s`: how many bytes it has, 0 when it stands for itself. */
static size_t escape(struct span s, struct buf *out)
{
    struct span line_end = span_from(s, 1);
    if (span_starts_nocase(line_end, SPAN("\r\n")))
        return 3; /* a soft line break */
    int high = s.len > 2 ? span_hex_value(s.ptr[1]) : -1;
    int low = s.len > 2 ? span_hex_value(s.ptr[2]) : -1;
    if (high < 0 || low < 0)
        return 0;
    buf_add_char(out, (char)(high << 4 | low));
    return 3;
}

static void decode_quoted(struct span text, bool underscores, struct buf *out)
{
    while (text.len > 0) {
        size_t plain = 0;
        while (plain < text.len && text.ptr[plain] != '=' &&
               !(underscores && text.ptr[plain] == '_'))
            plain++;
        buf_add(out, span_first(text, plain));
        text = span_from(text, plain);
        size_t taken = text.len > 0 && text.ptr[0] == '=' ? escape(text, out) : 0;
        if (taken == 0 && text.len > 0) {
            buf_add_char(out, text.ptr[0] == '_' ? ' ' : text.ptr[0]);
            taken = 1;
        }
        text = span_from(text, taken);
    }
}

static void decode_base64(struct span text, struct buf *out)
{
    struct buf bare;
    struct buf bytes;
    buf_init(&bare, text.len);
    buf_init(&bytes, text.len);
    for (struct span rest = text; rest.len > 0;)
        buf_add(&bare, span_trim(span_take(&rest, '\n')));
    bool ok = base64_decode(buf_span(&bare), &bytes);
    buf_add(out, ok ? buf_span(&bytes) : text);
    buf_fini(&bare);
    buf_fini(&bytes);
}

void mime_decode(struct span encoding, struct span body, struct buf *out)
{
    if (span_equal_nocase(encoding, SPAN("quoted-printable")))
        decode_quoted(body, false, out);
    else if (span_equal_nocase(encoding, SPAN("base64")))
        decode_base64(body, out);
    else
        buf_add(out, body);
}

/* The encoded word at the front of `s`: its length, 0 when there is none. */
static size_t decode_word(struct span s, struct buf *out)
{
    struct span rest = span_from(s, 2);
    struct span charset = span_take(&rest, '?');
    struct span how = span_take(&rest, '?');
    struct span text = span_first(rest, span_search(rest, SPAN("?=")));
    size_t taken = (size_t)(text.ptr - s.ptr) + text.len + 2;
    if (charset.len == 0 || taken > s.len || span_find(text, ' ') < text.len)
        return 0;
    if (span_equal_nocase(how, SPAN("Q")))
        decode_quoted(text, true, out);
    else if (span_equal_nocase(how, SPAN("B")))
        decode_base64(text, out);
    else
        return 0;
    return taken;
}

void mime_decode_words(struct span value, struct buf *out)
{
    while (value.len > 0) {
        size_t taken = span_starts_nocase(value, SPAN("=?")) ? decode_word(value, out) : 0;
        if (taken == 0) {
            buf_add_char(out, value.ptr[0]);
            taken = 1;
        }
        value = span_from(value, taken);
    }
}
