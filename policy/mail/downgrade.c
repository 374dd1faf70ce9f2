// SPDX-License-Identifier: BSD-2-Clause
/* downgrade.c - Encodes header fields for hops without SMTPUTF8. The kind of the field decides what
 * may be encoded and how; a malformed field is encoded as unstructured text. */
#include "downgrade.h"

#include "address_parts.h"
#include "encoded_word.h"
#include "extended_parameter.h"
#include "fields.h"

#include <string.h>

enum kind { TEXT, ADDRESSES, IDENTIFIERS, LINKS, PARAMETERS, OCTETS, LINK };
enum outcome { DONE, LOCAL_PART, MALFORMED };

/* Fields that are neither text nor known to have addresses. A link may be folded anywhere (RFC 2369
 * section 2, RFC 2557 section 4.4.2). */
static const struct {
    const char *name;
    enum kind kind;
} kinds[] = {
    {"Content-Type", PARAMETERS},
    {"Content-Disposition", PARAMETERS},
    {"Message-ID", IDENTIFIERS},
    {"Resent-Message-ID", IDENTIFIERS},
    {"In-Reply-To", IDENTIFIERS},
    {"References", IDENTIFIERS},
    {"Content-ID", IDENTIFIERS},
    {"List-Id", IDENTIFIERS},
    {"List-Help", LINKS},
    {"List-Unsubscribe", LINKS},
    {"List-Subscribe", LINKS},
    {"List-Post", LINKS},
    {"List-Owner", LINKS},
    {"List-Archive", LINKS},
    {"Received", OCTETS},
    {"Return-Path", OCTETS},
    {"Date", OCTETS},
    {"Resent-Date", OCTETS},
    {"MIME-Version", OCTETS},
    {"Content-Transfer-Encoding", OCTETS},
    {"Content-Location", LINK},
    {"List-Unsubscribe-Post", OCTETS},
    {"Received-SPF", OCTETS},
    {"Authentication-Results", OCTETS},
    {"DKIM-Signature", OCTETS},
    {"ARC-Seal", OCTETS},
    {"ARC-Message-Signature", OCTETS},
    {"ARC-Authentication-Results", OCTETS},
};

static enum kind kind_of(struct span name)
{
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (span_equal_nocase(name, span_of(kinds[i].name)))
            return kinds[i].kind;
    const struct field_rule *rule = fields_find(name);
    bool addresses = rule && (rule->form == FORM_SENDER || rule->form == FORM_ADDRESSES);
    return addresses ? ADDRESSES : TEXT;
}

/* ---- words, comments and what is in angle brackets ---- */

/* Length of the comment at the front; 0: it does not end. */
static size_t comment_length(struct span s)
{
    size_t depth = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '\\')
            i++;
        else if (s.ptr[i] == '(')
            depth++;
        else if (s.ptr[i] == ')' && --depth == 0)
            return i + 1;
    }
    return 0;
}

/* Length of what begins with a quoted string, or is a run of unspecial characters; with the domain
 * when it is an address. 0: malformed. */
static size_t word_length(struct span s)
{
    size_t len = s.ptr[0] == '"' ? address_quoted_length(s) : 0;
    if (s.ptr[0] == '"' && (len == 0 || len == s.len || s.ptr[len] != '@'))
        return len;
    while (len < s.len && !strchr("()<>,;:\" \t\r\n", s.ptr[len]))
        len++;
    return len;
}

/* "<address>", or whatever stands in angle brackets. 0: malformed. */
static size_t angle_length(struct span s)
{
    size_t end = s.len > 1 && s.ptr[1] == '"' ? 1 + address_quoted_length(span_from(s, 1)) : 1;
    end += span_find(span_from(s, end), '>') + 1;
    return end > s.len ? 0 : end;
}

static enum outcome put_address(struct encoded_writer *w, struct span space, struct span address)
{
    char ascii[ADDRESS_DOMAIN_MAX + 1];
    size_t at = address.ptr[0] == '"' ? address_quoted_length(address) : span_find(address, '@');
    if (span_is_ascii(address)) {
        encoded_special(w, space, address);
        return DONE;
    }
    if (at >= address.len || address.ptr[at] != '@')
        return MALFORMED;
    if (!span_is_ascii(span_first(address, at)))
        return LOCAL_PART;
    if (!address_domain_ascii(span_from(address, at + 1), ascii))
        return MALFORMED;
    encoded_special(w, space, span_first(address, at + 1));
    encoded_put(w, span_of(ascii));
    return DONE;
}

static enum outcome put_angle(struct encoded_writer *w, enum kind kind, struct span space,
                              struct span angle)
{
    enum outcome outcome = DONE;
    struct span inside = span_trim(span_from(span_first(angle, angle.len - 1), 1));
    if (span_is_ascii(angle)) {
        encoded_special(w, space, angle);
        return DONE;
    }
    encoded_special(w, space, SPAN("<"));
    if (kind == ADDRESSES)
        outcome = put_address(w, SPAN_NONE, inside);
    else
        encoded_octets(w, inside, kind == LINKS);
    encoded_put(w, SPAN(">"));
    return outcome;
}

static void put_word(struct encoded_writer *w, struct span space, struct span word)
{
    struct buf says;
    buf_init_peer(&says, word.len);
    bool quoted = word.ptr[0] == '"' && word.len > 1;
    struct span inside = quoted ? span_from(span_first(word, word.len - 1), 1) : word;
    for (size_t i = 0; i < inside.len; i++) {
        if (quoted && inside.ptr[i] == '\\' && i + 1 < inside.len)
            i++;
        buf_add_char(&says, inside.ptr[i]);
    }
    encoded_word(w, space, word, buf_span(&says));
    buf_fini_part(&says, w->out);
}

/* The item at the front: how much of `s` it takes, 0 when it is malformed. */
static size_t item_length(struct span s)
{
    if (s.ptr[0] == '(')
        return comment_length(s);
    if (s.ptr[0] == '<')
        return angle_length(s);
    return strchr(",;:", s.ptr[0]) ? 1 : word_length(s);
}

static enum outcome put_structured(struct encoded_writer *w, enum kind kind, struct span value)
{
    enum outcome outcome = DONE;
    while (value.len > 0 && outcome == DONE) {
        struct span space = encoded_take_space(&value);
        size_t len = value.len > 0 ? item_length(value) : 0;
        struct span item = span_first(value, len);
        if (len == 0 && value.len > 0)
            return MALFORMED;
        value = span_from(value, len);
        char last = item.len > 0 ? item.ptr[item.len - 1] : '\0';
        if (item.len > 0 && item.ptr[0] == '(')
            encoded_comment(w, space, item);
        else if (item.len > 0 && item.ptr[0] == '<')
            outcome = put_angle(w, kind, space, item);
        else if (item.len == 0 || strchr(",;:", item.ptr[0]))
            encoded_special(w, space, item);
        else if (last != '"' && span_find(item, '@') < item.len && kind == ADDRESSES)
            outcome = put_address(w, space, item);
        else
            put_word(w, space, item);
    }
    return outcome;
}

/* ---- a field ---- */

static bool has_long_line(struct span s)
{
    while (s.len > 0)
        if (span_take(&s, '\n').len > MESSAGE_LINE_MAX + 1)
            return true;
    return false;
}

static enum outcome write_field(const struct field *f, enum kind kind, struct buf *out)
{
    struct encoded_writer w;
    enum outcome outcome = DONE;
    encoded_begin(&w, out, f->raw.len);
    encoded_put(&w, f->name);
    encoded_put(&w, SPAN(":"));
    switch (kind) {
    case TEXT:
        encoded_text(&w, f->value);
        break;
    case ADDRESSES:
    case IDENTIFIERS:
    case LINKS:
        outcome = put_structured(&w, kind, f->value);
        break;
    case PARAMETERS:
        extended_parameters(&w, f->value);
        break;
    case OCTETS:
    case LINK:
        encoded_octets(&w, f->value, kind == LINK);
        break;
    }
    encoded_end(&w);
    encoded_put(&w, SPAN("\r\n"));
    bool too_long = kind != TEXT && has_long_line(buf_span(out));
    return outcome == DONE && too_long ? MALFORMED : outcome;
}

static enum outcome downgrade(const struct field *f, struct buf *out)
{
    struct buf field;
    if (f->name.len == 0) { /* no field at all: nobody reads it */
        for (size_t i = 0; i < f->raw.len; i++)
            buf_add_char(out, (unsigned char)f->raw.ptr[i] < 0x80 ? f->raw.ptr[i] : '?');
        return DONE;
    }
    buf_init_peer(&field, out->limit);
    enum outcome outcome = write_field(f, kind_of(f->name), &field);
    if (outcome == DONE)
        buf_add(out, buf_span(&field));
    buf_fini_part(&field, out);
    return outcome == MALFORMED ? write_field(f, TEXT, out) : outcome;
}

bool downgrade_field(const struct field *f, struct buf *out)
{
    enum outcome outcome = DONE;
    if (span_is_ascii(f->raw))
        buf_add(out, f->raw);
    else
        outcome = downgrade(f, out);
    return outcome == DONE;
}

void downgrade_quoted_field(const struct field *f, struct buf *out)
{
    if (span_is_ascii(f->raw))
        buf_add(out, f->raw);
    else if (downgrade(f, out) != DONE)
        (void)write_field(f, TEXT, out);
}
