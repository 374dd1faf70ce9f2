// SPDX-License-Identifier: BSD-2-Clause
/* message.c - Reads a header field by field and checks it.
 *
 * The rules for single fields are a table (fields.c); this file has the loop over the fields and
 * their lines, and the rules that apply to all of them.
 */
#include "message.h"

#include "fields.h"

#include <stdio.h>
#include <string.h>

bool message_leaves(const struct field *f)
{
    struct span value = f->value;
    const struct field_rule *rule = fields_find(f->name);
    if (!rule)
        return !span_starts_nocase(f->name, SPAN("Sealpost-Metadata-"));
    bool says_nothing = rule->drop_empty && address_skip_cfws(&value) && value.len == 0;
    return rule->fate != FIELD_REMOVED && !says_nothing;
}

/* A token, or a quoted string without its quotes and backslashes (RFC 8601 section 2.2). False: it
 * does not fit. */
static bool take_value(struct span s, char *text_r, size_t size)
{
    bool quoted = s.len > 0 && s.ptr[0] == '"';
    size_t len = 0;
    for (size_t i = quoted; i < s.len && len < size; i++) {
        if (quoted ? s.ptr[i] == '"' : s.ptr[i] <= ' ' || strchr(";\"(", s.ptr[i]))
            break;
        if (quoted && s.ptr[i] == '\\' && ++i == s.len)
            break;
        text_r[len++] = s.ptr[i];
    }
    if (len == size)
        return false;
    text_r[len] = '\0';
    return true;
}

bool message_speaks_as(const struct field *f, const char *host)
{
    struct span value = f->value;
    if (!span_equal_nocase(f->name, SPAN("Authentication-Results")) || !address_skip_cfws(&value))
        return false;
    char name[ADDRESS_DOMAIN_MAX + 1];
    return take_value(value, name, sizeof(name)) && span_equal_nocase(span_of(name), span_of(host));
}

/* Length of the line at the front, its LF included. */
static size_t line_length(struct span s)
{
    size_t at = span_find(s, '\n');
    return at < s.len ? at + 1 : s.len;
}

static size_t count_lines(struct span s)
{
    size_t count = 0;
    while (s.len > 0) {
        s = span_from(s, line_length(s));
        count++;
    }
    return count;
}

static bool is_name(struct span name)
{
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] <= ' ' || name.ptr[i] > '~')
            return false;
    return name.len > 0;
}

/* A field with its folds, or a line that is none. */
static struct span take_field(struct span *rest)
{
    size_t len = line_length(*rest);
    while (len < rest->len && (rest->ptr[len] == ' ' || rest->ptr[len] == '\t'))
        len += line_length(span_from(*rest, len));
    struct span raw = span_first(*rest, len);
    *rest = span_from(*rest, len);
    return raw;
}

bool message_next_field(struct span *rest, struct field *field_r)
{
    if (rest->len == 0)
        return false;
    struct span raw = take_field(rest);
    struct span value = raw;
    struct span name = span_take(&value, ':');
    bool valid = name.len < raw.len && is_name(name);
    if (span_ends_nocase(value, SPAN("\r\n")))
        value.len -= 2;
    *field_r = (struct field){raw, valid ? name : SPAN_NONE, value};
    return true;
}

bool message_header_length(struct span bytes, size_t *length_r)
{
    if (span_starts_nocase(bytes, SPAN("\r\n"))) {
        *length_r = 0;
        return true;
    }
    size_t at = span_search(bytes, SPAN("\r\n\r\n"));
    *length_r = at < bytes.len ? at + 2 : bytes.len;
    return at < bytes.len;
}

bool message_find(struct span header, struct span name, size_t nth, struct field *field_r)
{
    while (header.len > 0) {
        struct span raw = take_field(&header);
        bool seems =
            span_starts_nocase(raw, name) && raw.len > name.len && raw.ptr[name.len] == ':';
        if (seems && message_next_field(&raw, field_r) && field_r->name.len == name.len &&
            nth-- == 0)
            return true;
    }
    return false;
}

static struct verdict accept(void)
{
    return verdict_make(250, "2.0.0", "OK");
}

static struct verdict long_line(struct span name, size_t octets, size_t number)
{
    char text[160];
    snprintf(text, sizeof(text),
             "has %zu octets in line %zu of the message, %d at most: fold it, with a CRLF before a "
             "blank",
             octets, number, MESSAGE_LINE_MAX);
    return fields_refusal("5.6.0", name, text, "RFC 5322 2.1.1");
}

/* The lines of one field, which is the message's from line `number` on: lengths, folds, bytes. */
static struct verdict check_lines(const struct field *f, size_t number, bool utf8)
{
    struct span rest = f->raw;
    for (bool first = true; rest.len > 0; first = false, number++) {
        size_t len = line_length(rest);
        struct span line = span_first(rest, len);
        rest = span_from(rest, len);
        if (span_ends_nocase(line, SPAN("\r\n")))
            line.len -= 2;
        if (line.len > MESSAGE_LINE_MAX)
            return long_line(f->name, line.len, number);
        if (!first && span_trim(line).len == 0)
            return fields_refusal("5.6.0", f->name, "has a folded line of blanks only",
                                  "RFC 5322 3.2.2");
    }
    for (size_t i = 0; i < f->value.len; i++) {
        unsigned char c = (unsigned char)f->value.ptr[i];
        if ((c < ' ' && c != '\t' && c != '\r' && c != '\n') || c == 0x7f)
            return fields_refusal("5.6.0", f->name,
                                  "holds a control character: remove or encode it", "RFC 2047");
    }
    if (!span_is_ascii(f->value) && !utf8)
        return fields_refusal("5.6.7", f->name,
                              "holds raw 8-bit text: encode it (RFC 2047) or send with SMTPUTF8",
                              "");
    if (!span_is_utf8(f->value))
        return fields_refusal("5.6.7", f->name, "is not valid UTF-8", "RFC 6532 3.1");
    return accept();
}

static struct verdict no_field(const struct field *f)
{
    struct span line = span_trim(span_first(f->raw, line_length(f->raw)));
    struct span mark = span_from(line, span_starts_nocase(line, SPAN(">")) ? 1 : 0);
    if (span_starts_nocase(mark, SPAN("From ")) && mark.len > 5 && !strchr(": ", mark.ptr[5]))
        return verdict_make(550, "5.6.0",
                            "Header line \"%.*s\" is a separator of mbox files: leave it out "
                            "(RFC 5322 2.2)",
                            SPAN_ARG(span_first(line, 40)));
    return verdict_make(550, "5.6.0",
                        "Header line \"%.*s\" is not a header field: a name, a colon, a value; "
                        "then an empty line before the body (RFC 5322 2.2)",
                        SPAN_ARG(span_first(line, 40)));
}

static struct verdict check_field(const struct field *f, const struct field_rule *rule, size_t line,
                                  bool utf8, uint64_t *seen)
{
    if (f->name.len == 0)
        return no_field(f);
    if (f->raw.len > MESSAGE_FIELD_MAX)
        return verdict_make(552, "5.3.4", "Header field %.*s is over 32 KB",
                            SPAN_ARG(span_first(f->name, 60)));
    uint64_t bit = rule ? UINT64_C(1) << fields_index(rule) : 0;
    if ((*seen & bit) && rule->once)
        return fields_refusal("5.6.0", f->name, "occurs more than once: keep one", "RFC 5322 3.6");
    *seen |= bit;
    struct verdict v = check_lines(f, line, utf8);
    return v.what == VERDICT_ACCEPT && rule ? fields_check(rule, f) : v;
}

static struct verdict read_from(struct span value, struct message_summary *m)
{
    const char *why = "";
    if (!address_from_field(value, &m->from, &why) ||
        !address_domain_ascii(m->from.domain, m->from_domain))
        return fields_refusal("5.6.0", SPAN("From"), why, "RFC 5322 3.6.2");
    return accept();
}

/* RFC 8689 section 3: one value is defined. */
static bool waives_tls(const struct field *f)
{
    return span_equal_nocase(f->name, SPAN("TLS-Required")) &&
           span_equal_nocase(span_trim(f->value), SPAN("No"));
}

static void note_field(struct message_summary *m, const struct field *f,
                       const struct field_rule *rule)
{
    m->has_utf8 = m->has_utf8 || !span_is_ascii(f->value);
    m->tls_waived = m->tls_waived || waives_tls(f);
    if (!rule)
        return;
    m->senders += rule->form == FORM_SENDER;
    m->tls_verify = m->tls_verify || rule->form == FORM_TLS;
    if (span_equal_nocase(f->name, SPAN("Sealpost-Stream")) ||
        span_equal_nocase(f->name, SPAN("X-PM-Message-Stream")))
        m->stream = span_trim(f->value);
    bool key = rule->form == FORM_KEY;
    bool id = span_equal_nocase(f->name, SPAN("Message-ID")) &&
              fields_message_id(f->value, &m->message_id);
    if (key || (id && !m->has_key))
        m->once = key ? span_trim(f->value) : m->message_id;
    m->has_key = m->has_key || key;
}

struct verdict message_check(struct span header, bool utf8, struct message_summary *summary_r)
{
    uint64_t seen = 0;
    size_t fields = 0;
    size_t lines = 0;
    size_t hops = 0;
    size_t named = 0;
    struct field f;
    struct span from = SPAN_NONE;
    struct message_summary *m = summary_r;
    *m = (struct message_summary){.stream = SPAN_NONE, .once = SPAN_NONE, .message_id = SPAN_NONE};
    if (header.len > MESSAGE_HEADER_MAX)
        return verdict_make(552, "5.3.4", "Message header is over 256 KB");
    while (message_next_field(&header, &f)) {
        const struct field_rule *rule = fields_find(f.name);
        struct verdict v = check_field(&f, rule, lines + 1, utf8, &seen);
        if (v.what != VERDICT_ACCEPT)
            return v;
        note_field(m, &f, rule);
        lines += count_lines(f.raw);
        hops += span_equal_nocase(f.name, SPAN("Received"));
        named += rule && rule->fate == FIELD_SIGNED;
        if (rule && fields_index(rule) == 0)
            from = f.value;
        if (++fields > MESSAGE_FIELDS_MAX || named > MESSAGE_SIGNED_MAX)
            return verdict_make(552, "5.3.4", "Message header has too many fields");
    }
    if (hops > MESSAGE_HOPS_MAX)
        return verdict_make(554, "5.4.6", "Message has passed %zu hosts: it is in a loop", hops);
    if (!(seen & 1U))
        return verdict_make(550, "5.6.0", "Message has no From field: add one (RFC 5322 3.6.2)");
    return read_from(from, m);
}
