// SPDX-License-Identifier: BSD-2-Clause
/* entity_header.c - Reads the MIME fields of an entity, decides whether its content may be changed,
 * and writes the header that belongs to converted content. Only fields that describe the encoding
 * change. */
#include "entity_header.h"

#include "address.h"
#include "downgrade.h"
#include "message.h"
#include "mime.h"
#include "mime_parameter.h"
#include "transfer_encoding.h"

#include <string.h>

/* ---- who takes it for what ---- */

static const struct {
    const char *type, *why;
} protected_types[] = {
    {"multipart/signed", "in multipart/signed, which must not be changed (RFC 1847)"},
    {"multipart/encrypted", "in multipart/encrypted, which must not be changed (RFC 1847)"},
    {"application/pgp-encrypted",
     "in application/pgp-encrypted, which must not be changed (RFC 3156)"},
    {"application/pkcs7-mime",
     "in application/pkcs7-mime (S/MIME), which must not be changed (RFC 8551)"},
    {"application/x-pkcs7-mime",
     "in application/x-pkcs7-mime (S/MIME), which must not be changed (RFC 8551)"},
    {"application/pkcs7-signature",
     "in application/pkcs7-signature (S/MIME), which must not be changed (RFC 8551)"},
    {"application/x-pkcs7-signature",
     "in application/x-pkcs7-signature (S/MIME), which must not be changed (RFC 8551)"},
};

/* "type/subtype" with comments and blanks around the tokens, and nothing else. */
static bool read_type(struct span s, struct buf *type)
{
    for (size_t part = 0; part < 2; part++) {
        size_t len = 0;
        if (!address_skip_cfws(&s))
            return false;
        while (len < s.len && s.ptr[len] > ' ' && s.ptr[len] != 0x7f &&
               !strchr("()<>@,;:\\\"/[]?=", s.ptr[len]))
            len++;
        buf_add(type, span_first(s, len));
        s = span_from(s, len);
        bool more =
            address_skip_cfws(&s) && (part == 0 ? s.len > 0 && s.ptr[0] == '/' : s.len == 0);
        if (len == 0 || !more)
            return false;
        if (part == 0)
            buf_add_char(type, '/');
        s = span_from(s, 1);
    }
    return !type->overflow;
}

/* Of a value that is not as it should be, some readers find a type all the same. */
static const char *protects_somehow(struct span value, bool *starved)
{
    const char *why = NULL;
    struct buf bare;
    buf_init_peer(&bare, value.len);
    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];
        if (c != ' ' && c != '\t' && c != '\r' && c != '\n')
            buf_add_char(&bare, (char)(c >= 'A' && c <= 'Z' ? c + 'a' - 'A' : c));
    }
    for (size_t i = 0; i < COUNT_OF(protected_types) && !why; i++)
        if (span_search(buf_span(&bare), span_of(protected_types[i].type)) < bare.len)
            why = protected_types[i].why;
    *starved = *starved || bare.starved;
    buf_fini(&bare);
    return why;
}

static const char *type_protects(struct span type)
{
    for (size_t i = 0; i < COUNT_OF(protected_types); i++)
        if (span_equal_nocase(type, span_of(protected_types[i].type)))
            return protected_types[i].why;
    return NULL;
}

/* Has a file name that makes S/MIME of application/octet-stream (RFC 8551 section 3.9)? */
static bool names_smime(struct span value, bool *starved)
{
    static const char *const ends[] = {".p7m", ".p7s", ".p7c", ".p7z"};
    struct mime_parameter p;
    struct mime_section section;
    struct buf name;
    bool found = false;
    buf_init_peer(&name, value.len);
    value = span_from(value, mime_parameter_length(value) + 1);
    while (!found && mime_parameter_next(&value, &p)) {
        mime_parameter_section(p.name, &section);
        if (!span_equal_nocase(section.base, SPAN("name")) &&
            !span_equal_nocase(section.base, SPAN("filename")))
            continue;
        if (section.extended)
            mime_parameter_decode(p.value, &name);
        else
            mime_parameter_text(p.value, &name);
        for (size_t i = 0; i < COUNT_OF(ends); i++)
            found = found || span_ends_nocase(span_trim(buf_span(&name)), span_of(ends[i]));
    }
    *starved = *starved || name.starved;
    buf_fini(&name);
    return found;
}

static void protect(struct entity_header *e, const char *why)
{
    e->protects = e->protects ? e->protects : why;
}

/* ---- reading ---- */

static void read_boundary(struct span value, struct entity_header *e)
{
    static const char why[] = "in a multipart whose boundary cannot be read";
    struct mime_parameter p;
    struct mime_section section;
    bool multipart = span_starts_nocase(e->type, SPAN("multipart/"));
    size_t count = 0;
    if (mime_parameter(value, SPAN("boundary"), e->boundary, sizeof(e->boundary)) &&
        span_is_ascii(span_of(e->boundary)))
        e->boundary_len = strlen(e->boundary);
    value = span_from(value, mime_parameter_length(value) + 1);
    while (multipart && mime_parameter_next(&value, &p)) {
        mime_parameter_section(p.name, &section);
        if (!span_equal_nocase(section.base, SPAN("boundary")))
            continue;
        if (count++ > 0 || section.numbered || section.extended || !p.plain)
            protect(e, why);
    }
}

/* The first counts; any of them may be what a reader takes. */
static void read_types(struct span header, struct entity_header *e)
{
    struct field f;
    struct span first = SPAN_NONE;
    size_t count = 0;
    const char *unlike = NULL;
    while (message_next_field(&header, &f)) {
        if (!span_equal_nocase(f.name, SPAN("Content-Type")))
            continue;
        struct buf text;
        buf_init(&text, ENTITY_TYPE_MAX);
        struct span said = span_first(f.value, mime_parameter_length(f.value));
        bool clear = read_type(said, &text);
        struct span type = clear ? buf_span(&text) : span_first(mime_token(said), ENTITY_TYPE_MAX);
        protect(e, clear ? type_protects(type) : protects_somehow(f.value, &e->starved));
        if (span_equal_nocase(type, SPAN("application/octet-stream")) &&
            names_smime(f.value, &e->starved))
            protect(e, "in S/MIME, by its name, which must not be changed (RFC 8551 3.9)");
        if (count++ == 0) {
            first = f.value;
            e->type =
                span_first(type, span_copy(type, e->type_text, sizeof(e->type_text)) * type.len);
            e->type.ptr = e->type_text;
            read_boundary(f.value, e);
        } else if (!span_equal_nocase(span_trim(first), span_trim(f.value))) {
            unlike = "under two Content-Type fields that differ";
        }
        buf_fini(&text);
    }
    protect(e, unlike);
}

void entity_header_read(struct span header, struct entity_header *e)
{
    struct field f;
    e->type = e->encoding = SPAN_NONE;
    e->protects = NULL;
    e->starved = false;
    e->boundary_len = 0;
    read_types(header, e);
    if (span_equal_nocase(e->type, SPAN("application/octet-stream")) &&
        message_find(header, SPAN("Content-Disposition"), 0, &f) &&
        names_smime(f.value, &e->starved))
        protect(e, "in S/MIME, by its name, which must not be changed (RFC 8551 3.9)");
    for (bool first = true; message_next_field(&header, &f);) {
        if (!span_equal_nocase(f.name, SPAN("Content-Transfer-Encoding")))
            continue;
        struct span encoding = mime_token(f.value);
        if (!first && !span_equal_nocase(encoding, e->encoding))
            protect(e, "under two Content-Transfer-Encoding fields that differ");
        e->encoding = first ? encoding : e->encoding;
        first = false;
    }
}

bool entity_header_is_identity(struct span encoding)
{
    return encoding.len == 0 || span_equal_nocase(encoding, SPAN("7bit")) ||
           span_equal_nocase(encoding, SPAN("8bit")) || span_equal_nocase(encoding, SPAN("binary"));
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
