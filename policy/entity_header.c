// SPDX-License-Identifier: BSD-2-Clause
/* entity_header.c - Only the label is changed, and only when the content was. */
#include "entity_header.h"

#include "downgrade.h"
#include "message.h"
#include "mime.h"
#include "transfer_encoding.h"

#include <string.h>

void entity_header_read(struct span header, struct entity_header *e)
{
    struct field f;
    e->type = e->encoding = SPAN_NONE;
    e->boundary_len = 0;
    if (message_find(header, SPAN("Content-Type"), 0, &f)) {
        struct span value = f.value;
        struct span type = span_take(&value, ';');
        e->type = span_trim(span_take(&type, '('));
        if (mime_parameter(f.value, SPAN("boundary"), e->boundary, sizeof(e->boundary)) &&
            span_is_ascii(span_of(e->boundary)))
            e->boundary_len = strlen(e->boundary);
    }
    if (message_find(header, SPAN("Content-Transfer-Encoding"), 0, &f)) {
        struct span value = f.value;
        e->encoding = span_trim(span_take(&value, '('));
    }
}

bool entity_header_is_identity(struct span encoding)
{
    return encoding.len == 0 || span_equal_nocase(encoding, SPAN("7bit")) ||
           span_equal_nocase(encoding, SPAN("8bit")) || span_equal_nocase(encoding, SPAN("binary"));
}

const char *entity_header_protects(struct span type)
{
    static const struct {
        const char *type, *why;
    } kinds[] = {
        {"multipart/signed", "in multipart/signed, which must not be changed (RFC 1847)"},
        {"multipart/encrypted", "in multipart/encrypted, which must not be changed (RFC 1847)"},
        {"application/pkcs7-mime",
         "in application/pkcs7-mime (S/MIME), which must not be changed (RFC 8551)"},
        {"application/x-pkcs7-mime",
         "in application/x-pkcs7-mime (S/MIME), which must not be changed (RFC 8551)"},
    };
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (span_equal_nocase(type, span_of(kinds[i].type)))
            return kinds[i].why;
    return NULL;
}

void entity_header_write(struct span header, enum entity_action action, enum entity_place place,
                         struct buf *out)
{
    static const enum transfer_encoding encodings[] = {[ENTITY_KEEP] = TRANSFER_IDENTITY,
                                                       [ENTITY_RELABEL] = TRANSFER_IDENTITY,
                                                       [ENTITY_ENCODE_TEXT] =
                                                           TRANSFER_QUOTED_PRINTABLE,
                                                       [ENTITY_ENCODE_BYTES] = TRANSFER_BASE64};
    const char *label = transfer_name(encodings[action]);
    bool encodes = action == ENTITY_ENCODE_TEXT || action == ENTITY_ENCODE_BYTES;
    bool version = false;
    bool type = false;
    struct field f;
    while (message_next_field(&header, &f)) {
        version = version || span_equal_nocase(f.name, SPAN("MIME-Version"));
        type = type || span_equal_nocase(f.name, SPAN("Content-Type"));
        bool is_label = span_equal_nocase(f.name, SPAN("Content-Transfer-Encoding"));
        if (action == ENTITY_RELABEL && is_label)
            buf_addf(out, "Content-Transfer-Encoding: %s\r\n", label);
        else if (place == ENTITY_TOP && !(encodes && is_label))
            buf_add(out, f.raw);
        else if (!(encodes && is_label))
            downgrade_quoted_field(&f, out);
    }
    if (encodes && !version && place != ENTITY_PART)
        buf_add(out, SPAN("MIME-Version: 1.0\r\n"));
    if (encodes && !type)
        buf_add(out, SPAN("Content-Type: text/plain; charset=unknown-8bit\r\n")); /* RFC 1428 */
    if (encodes)
        buf_addf(out, "Content-Transfer-Encoding: %s\r\n", label);
}
