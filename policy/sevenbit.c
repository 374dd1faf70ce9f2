// SPDX-License-Identifier: BSD-2-Clause
/* sevenbit.c - One recursive walk over MIME entities (RFC 2045, 2046).
 *
 * A multipart is copied line by line and its parts are entities again; message/rfc822 holds an
 * entity; everything else is a leaf. A leaf with 8-bit content is encoded and its
 * Content-Transfer-Encoding replaced.
 */
#include "sevenbit.h"

#include "message.h"

enum { DEPTH_MAX = 20, BOUNDARY_MAX = 70 };

struct entity {
    struct span header, body;
    struct span type;     /* "text/plain" without parameters; empty when absent */
    struct span encoding; /* Content-Transfer-Encoding; empty when absent */
    char boundary[BOUNDARY_MAX + 1];
    bool top;
};

static bool convert(struct entity *e, unsigned depth, struct buf *header_out, struct buf *body_out);

/* The value of parameter `name` in a Content-Type value, quotes and backslashes removed. */
static bool read_parameter(struct span value, struct span name, char *text_r, size_t size)
{
    span_take(&value, ';');
    while (value.len > 0) {
        struct span key = span_trim(span_take(&value, '='));
        value = span_trim(value);
        bool quoted = value.len > 0 && value.ptr[0] == '"';
        size_t used = 0;
        size_t i = quoted;
        for (; i < value.len && (quoted ? value.ptr[i] != '"' : value.ptr[i] != ';'); i++) {
            if (quoted && value.ptr[i] == '\\' && i + 1 < value.len)
                i++;
            if (used + 1 < size)
                text_r[used++] = value.ptr[i];
        }
        while (!quoted && used > 0 && (text_r[used - 1] == ' ' || text_r[used - 1] == '\t'))
            used--;
        text_r[used] = '\0';
        if (span_equal_nocase(key, name))
            return used > 0;
        value = span_from(value, i);
        span_take(&value, ';');
    }
    return false;
}

static void read_entity(struct entity *e)
{
    struct field f;
    e->type = e->encoding = SPAN_NONE;
    e->boundary[0] = '\0';
    if (message_find(e->header, SPAN("Content-Type"), 0, &f)) {
        struct span value = f.value;
        e->type = span_trim(span_take(&value, ';'));
        if (!read_parameter(f.value, SPAN("boundary"), e->boundary, sizeof(e->boundary)))
            e->boundary[0] = '\0';
    }
    if (message_find(e->header, SPAN("Content-Transfer-Encoding"), 0, &f))
        e->encoding = span_trim(f.value);
}

/* Copy the header; with `encoding`, in place of the old Content-Transfer-Encoding. */
static bool copy_header(const struct entity *e, const char *encoding, struct buf *out)
{
    struct span rest = e->header;
    struct field f;
    bool mime_version = false;
    if (!span_is_ascii(e->header))
        return false;
    while (message_next_field(&rest, &f)) {
        mime_version = mime_version || span_equal_nocase(f.name, SPAN("MIME-Version"));
        if (!encoding || !span_equal_nocase(f.name, SPAN("Content-Transfer-Encoding")))
            buf_add(out, f.raw);
    }
    if (encoding && e->top && !mime_version)
        buf_add(out, SPAN("MIME-Version: 1.0\r\n"));
    if (encoding && e->type.len == 0)
        buf_add(out, SPAN("Content-Type: text/plain; charset=unknown-8bit\r\n")); /* RFC 1428 */
    if (encoding)
        buf_addf(out, "Content-Transfer-Encoding: %s\r\n", encoding);
    return !out->overflow;
}

/* RFC 2045 section 6.7; text lines keep their CRLF. */
static void quoted_printable(struct span body, struct buf *out)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t column = 0;
    for (size_t i = 0; i < body.len; i++) {
        unsigned char c = (unsigned char)body.ptr[i];
        struct span next = span_from(body, i);
        if (span_starts_nocase(next, SPAN("\r\n"))) {
            buf_add(out, SPAN("\r\n"));
            column = 0;
            i++;
            continue;
        }
        bool last_blank = (c == ' ' || c == '\t') &&
                          (next.len == 1 || span_starts_nocase(span_from(next, 1), SPAN("\r\n")));
        bool literal = (c >= ' ' && c <= '~' && c != '=') || c == '\t';
        literal = literal && !last_blank && !(column == 0 && (c == '.' || c == 'F'));
        if (column + (literal ? 1 : 3) > 75) {
            buf_add(out, SPAN("=\r\n"));
            column = 0;
        }
        if (literal) {
            buf_add_char(out, (char)c);
        } else {
            char escaped[3] = {'=', hex[c >> 4], hex[c & 15]};
            buf_add(out, (struct span){escaped, 3});
        }
        column += literal ? 1 : 3;
    }
}

static void base64(struct span body, struct buf *out)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < body.len; i += 3) {
        const unsigned char *p = (const unsigned char *)body.ptr + i;
        size_t left = body.len - i;
        unsigned bits =
            (unsigned)p[0] << 16 | (left > 1 ? (unsigned)p[1] << 8 : 0) | (left > 2 ? p[2] : 0U);
        char four[4] = {alphabet[bits >> 18], alphabet[bits >> 12 & 63],
                        left > 1 ? alphabet[bits >> 6 & 63] : '=',
                        left > 2 ? alphabet[bits & 63] : '='};
        buf_add(out, (struct span){four, 4});
        if (i % 57 == 54 || left <= 3)
            buf_add(out, SPAN("\r\n"));
    }
}

static bool convert_leaf(struct entity *e, struct buf *header_out, struct buf *body_out)
{
    bool declared_8bit = span_equal_nocase(e->encoding, SPAN("8bit")) ||
                         span_equal_nocase(e->encoding, SPAN("binary"));
    bool declared_7bit = e->encoding.len == 0 || span_equal_nocase(e->encoding, SPAN("7bit"));
    if (span_is_ascii(e->body))
        return copy_header(e, declared_8bit ? "7bit" : NULL, header_out) &&
               buf_add(body_out, e->body);
    if (!declared_8bit &&
        !declared_7bit) /* base64 or quoted-printable with raw 8-bit in it: escape it as text */
        return false;
    bool text = e->type.len == 0 || span_starts_nocase(e->type, SPAN("text/"));
    if (text)
        quoted_printable(e->body, body_out);
    else
        base64(e->body, body_out);
    return copy_header(e, text ? "quoted-printable" : "base64", header_out) && !body_out->overflow;
}

/* An entity inside: header, empty line, body. */
static bool convert_inner(struct span bytes, unsigned depth, struct buf *out)
{
    size_t header_len = 0;
    struct entity inner = {0};
    struct buf header;
    struct buf body;
    if (!message_header_length(bytes, &header_len) && header_len > 0 && span_is_ascii(bytes))
        return buf_add(out, bytes);
    inner.header = span_first(bytes, header_len);
    inner.body = span_from(bytes, header_len + 2);
    buf_init(&header, MESSAGE_HEADER_MAX);
    buf_init(&body, out->limit);
    bool ok = convert(&inner, depth + 1, &header, &body) && buf_add(out, buf_span(&header)) &&
              buf_add(out, SPAN("\r\n")) && buf_add(out, buf_span(&body));
    buf_fini(&header);
    buf_fini(&body);
    return ok;
}

/* Is this line "--boundary" or "--boundary--"? */
static bool is_delimiter(struct span line, const char *boundary, bool *last_r)
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

/* The CRLF before a delimiter belongs to the delimiter (RFC 2046 section 5.1.1). */
static bool end_part(struct span part, bool in_part, unsigned depth, struct buf *out)
{
    bool crlf = span_ends_nocase(part, SPAN("\r\n"));
    if (crlf)
        part.len -= 2;
    bool ok =
        in_part ? convert_inner(part, depth, out) : !span_is_ascii(part) || buf_add(out, part);
    return ok && (!crlf || buf_add(out, SPAN("\r\n")));
}

static bool convert_multipart(struct entity *e, unsigned depth, struct buf *header_out,
                              struct buf *body_out)
{
    struct span rest = e->body;
    struct span part = span_first(rest, 0);
    bool in_part = false;
    bool closed = false;
    while (rest.len > 0) {
        size_t at = span_find(rest, '\n');
        struct span line = span_first(rest, at < rest.len ? at + 1 : at);
        bool last = false;
        rest = span_from(rest, line.len);
        if (closed || !is_delimiter(line, e->boundary, &last)) {
            part.len += line.len;
            continue;
        }
        if (!end_part(part, in_part, depth, body_out) || !buf_add(body_out, line))
            return false;
        part = (struct span){line.ptr + line.len, 0};
        in_part = !last;
        closed = last;
    }
    if (!end_part(part, in_part, depth, body_out))
        return false;
    bool declared = span_equal_nocase(e->encoding, SPAN("8bit")) ||
                    span_equal_nocase(e->encoding, SPAN("binary"));
    return copy_header(e, declared ? "7bit" : NULL, header_out);
}

static bool convert(struct entity *e, unsigned depth, struct buf *header_out, struct buf *body_out)
{
    read_entity(e);
    if (depth > DEPTH_MAX)
        return false;
    if (span_starts_nocase(e->type, SPAN("multipart/")) && e->boundary[0])
        return convert_multipart(e, depth, header_out, body_out);
    if (span_equal_nocase(e->type, SPAN("message/rfc822")) && !span_is_ascii(e->body))
        return copy_header(e, e->encoding.len > 0 ? "7bit" : NULL, header_out) &&
               convert_inner(e->body, depth, body_out);
    return convert_leaf(e, header_out, body_out);
}

bool sevenbit_convert(struct span header, struct span body, struct buf *header_out,
                      struct buf *body_out)
{
    struct entity top = {.header = header, .body = body, .top = true};
    return convert(&top, 0, header_out, body_out) && !header_out->overflow && !body_out->overflow;
}
