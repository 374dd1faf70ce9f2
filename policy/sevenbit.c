// SPDX-License-Identifier: BSD-2-Clause
/* sevenbit.c - One recursive walk over MIME entities (RFC 2045, 2046).
 *
 * A multipart is copied line by line and its parts are entities again; message/rfc822 holds an
 * entity; everything else is a leaf. A leaf with 8-bit content is encoded and its
 * Content-Transfer-Encoding replaced.
 */
#include "sevenbit.h"

#include "message.h"
#include "mime.h"

static bool convert(struct mime_entity *e, struct buf *header_out, struct buf *body_out);

/* Copy the header; with `encoding`, in place of the old Content-Transfer-Encoding. */
static bool copy_header(const struct mime_entity *e, const char *encoding, struct buf *out)
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
    if (encoding && e->depth == 0 && !mime_version)
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

static bool convert_leaf(struct mime_entity *e, struct buf *header_out, struct buf *body_out)
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
static bool convert_inner(struct span bytes, const struct mime_entity *outer, struct buf *out)
{
    size_t header_len = 0;
    struct mime_entity inner = {.depth = outer->depth + 1};
    struct buf header;
    struct buf body;
    if (!message_header_length(bytes, &header_len) && header_len > 0 && span_is_ascii(bytes))
        return buf_add(out, bytes);
    inner.header = span_first(bytes, header_len);
    inner.body = span_from(bytes, header_len + 2);
    buf_init(&header, MESSAGE_HEADER_MAX);
    buf_init(&body, out->limit);
    bool ok = convert(&inner, &header, &body) && buf_add(out, buf_span(&header)) &&
              buf_add(out, SPAN("\r\n")) && buf_add(out, buf_span(&body));
    buf_fini(&header);
    buf_fini(&body);
    return ok;
}

/* The CRLF before a delimiter belongs to the delimiter (RFC 2046 section 5.1.1). */
static bool end_part(struct span part, bool in_part, const struct mime_entity *outer,
                     struct buf *out)
{
    bool crlf = span_ends_nocase(part, SPAN("\r\n"));
    if (crlf)
        part.len -= 2;
    bool ok =
        in_part ? convert_inner(part, outer, out) : !span_is_ascii(part) || buf_add(out, part);
    return ok && (!crlf || buf_add(out, SPAN("\r\n")));
}

static bool convert_multipart(struct mime_entity *e, struct buf *header_out, struct buf *body_out)
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
        if (closed || !mime_is_delimiter(line, e->boundary, &last)) {
            part.len += line.len;
            continue;
        }
        if (!end_part(part, in_part, e, body_out) || !buf_add(body_out, line))
            return false;
        part = (struct span){line.ptr + line.len, 0};
        in_part = !last;
        closed = last;
    }
    if (!end_part(part, in_part, e, body_out))
        return false;
    bool declared = span_equal_nocase(e->encoding, SPAN("8bit")) ||
                    span_equal_nocase(e->encoding, SPAN("binary"));
    return copy_header(e, declared ? "7bit" : NULL, header_out);
}

static bool convert(struct mime_entity *e, struct buf *header_out, struct buf *body_out)
{
    mime_read(e);
    if (e->depth > MIME_DEPTH_MAX)
        return false;
    if (span_starts_nocase(e->type, SPAN("multipart/")) && e->boundary[0])
        return convert_multipart(e, header_out, body_out);
    if (span_equal_nocase(e->type, SPAN("message/rfc822")) && !span_is_ascii(e->body))
        return copy_header(e, e->encoding.len > 0 ? "7bit" : NULL, header_out) &&
               convert_inner(e->body, e, body_out);
    return convert_leaf(e, header_out, body_out);
}

bool sevenbit_convert(struct span header, struct span body, struct buf *header_out,
                      struct buf *body_out)
{
    struct mime_entity top = {.header = header, .body = body};
    return convert(&top, header_out, body_out) && !header_out->overflow && !body_out->overflow;
}
