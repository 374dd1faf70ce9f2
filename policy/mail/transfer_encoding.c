// SPDX-License-Identifier: BSD-2-Clause
/* transfer_encoding.c - Quoted-printable keeps line ends; base64 encodes them as bytes. */
#include "transfer_encoding.h"

#include "base64.h"

#include <string.h>

enum { QUOTED_COLUMNS = 75, QUOTED_GROWS = 4 }; /* an escape, and its share of soft line breaks */

const char *transfer_name(enum transfer_encoding encoding)
{
    static const char *const names[] = {[TRANSFER_IDENTITY] = "7bit",
                                        [TRANSFER_QUOTED_PRINTABLE] = "quoted-printable",
                                        [TRANSFER_BASE64] = "base64"};
    return names[encoding];
}

void transfer_begin(struct transfer_encoder *e, enum transfer_encoding encoding)
{
    e->encoding = encoding;
    e->column = e->held_len = 0;
}

/* Does it stand for itself? Not what some host would take for a dot line, "From " or a boundary. */
static bool is_literal(unsigned char c, size_t column)
{
    return ((c >= ' ' && c <= '~' && c != '=') || c == '\t') &&
           !(column == 0 && (c == '.' || c == 'F' || c == '-'));
}

static void quoted_text(struct transfer_encoder *e, struct span text, struct buf *out)
{
    static const char hex[] = "0123456789ABCDEF";
    char *start = buf_reserve(out, QUOTED_GROWS * text.len + 8);
    char *to = start;
    for (size_t i = 0; i < text.len && to; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        bool last_blank = i + 1 == text.len && (c == ' ' || c == '\t'); /* may end the line */
        bool literal = is_literal(c, e->column) && !last_blank;
        size_t width = literal ? 1 : 3;
        if (e->column + width > QUOTED_COLUMNS) {
            *to++ = '=';
            *to++ = '\r';
            *to++ = '\n';
            literal = is_literal(c, 0) && !last_blank;
            width = literal ? 1 : 3;
            e->column = 0;
        }
        *to++ = literal ? (char)c : '=';
        if (!literal) {
            *to++ = hex[c >> 4];
            *to++ = hex[c & 15];
        }
        e->column += width;
    }
    if (to)
        buf_commit(out, (size_t)(to - start));
}

static void base64_line(struct transfer_encoder *e, struct buf *out)
{
    if (!base64_encode((struct span){(const char *)e->held, e->held_len}, out))
        out->overflow = true;
    buf_add(out, SPAN("\r\n"));
    e->held_len = 0;
}

static void base64_bytes(struct transfer_encoder *e, struct span bytes, struct buf *out)
{
    while (bytes.len > 0) {
        struct span piece = span_first(bytes, sizeof(e->held) - e->held_len);
        memcpy(e->held + e->held_len, piece.ptr, piece.len);
        e->held_len += piece.len;
        bytes = span_from(bytes, piece.len);
        if (e->held_len == sizeof(e->held))
            base64_line(e, out);
    }
}

void transfer_text(struct transfer_encoder *e, struct span text, struct buf *out)
{
    switch (e->encoding) {
    case TRANSFER_IDENTITY:
        buf_add(out, text);
        break;
    case TRANSFER_QUOTED_PRINTABLE:
        quoted_text(e, text, out);
        break;
    case TRANSFER_BASE64:
        base64_bytes(e, text, out);
        break;
    }
}

void transfer_line_end(struct transfer_encoder *e, struct buf *out)
{
    if (e->encoding == TRANSFER_BASE64)
        base64_bytes(e, SPAN("\r\n"), out);
    else
        buf_add(out, SPAN("\r\n"));
    e->column = 0;
}

void transfer_end(struct transfer_encoder *e, struct buf *out)
{
    if (e->held_len > 0)
        base64_line(e, out);
    e->encoding = TRANSFER_IDENTITY;
}
