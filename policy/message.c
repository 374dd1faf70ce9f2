// SPDX-License-Identifier: BSD-2-Clause
/* message.c - Reading a header field by field, and the rules it must keep.
 *
 * The rules are one table of fields (how often each may stand) and one loop over the lines. A
 * refusal names the field, the rule and what to change, because the reader is the person whose
 * application has just failed.
 */
#include "message.h"

#include "stream.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static const char *const signed_fields[] = {
    "From",
    "To",
    "Cc",
    "Subject",
    "Date",
    "Message-ID",
    "Reply-To",
    "In-Reply-To",
    "References",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    "List-Id",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "Feedback-ID",
    "Sender",
    NULL,
};

/* Single-instance fields of RFC 5322 section 3.6 and RFC 2045 section 3. */
static const char *const once[] = {
    "From",
    "Date",
    "To",
    "Cc",
    "Subject",
    "Message-ID",
    "Reply-To",
    "Sender",
    "In-Reply-To",
    "References",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
};

static const char *const removed[] = {
    "Bcc",
    "Resent-Bcc",
    "Return-Path",
    "Sealpost-Stream",
    "X-PM-Message-Stream",
    "Sealpost-Tag",
    "X-PM-Tag",
    "X-Mailgun-Tag",
    "Sealpost-Expires",
    "Sealpost-Idempotency-Key",
    "Resend-Idempotency-Key",
};

const char *const *message_signed_fields(void)
{
    return signed_fields;
}

static int find_name(const char *const *names, size_t count, struct span name)
{
    for (size_t i = 0; i < count && names[i]; i++)
        if (span_equal_nocase(name, span_of(names[i])))
            return (int)i;
    return -1;
}

bool message_is_removed(struct span name)
{
    return find_name(removed, COUNT_OF(removed), name) >= 0 ||
           span_starts_nocase(name, SPAN("Sealpost-Metadata-"));
}

bool message_speaks_as(const struct field *f, const char *host)
{
    struct span value = f->value;
    if (!span_equal_nocase(f->name, SPAN("Authentication-Results")) || !address_skip_cfws(&value))
        return false;
    size_t len = 0;
    if (value.len > 0 && value.ptr[0] == '"')
        value = span_from(value, 1);
    while (len < value.len && value.ptr[len] > ' ' && !strchr(";\"(", value.ptr[len]))
        len++;
    return span_equal_nocase(span_first(value, len), span_of(host));
}

/* Length of the line at the front, its LF included. */
static size_t line_length(struct span s)
{
    size_t at = span_find(s, '\n');
    return at < s.len ? at + 1 : s.len;
}

static bool is_name(struct span name)
{
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] <= ' ' || name.ptr[i] > '~')
            return false;
    return name.len > 0;
}

bool message_next_field(struct span *rest, struct field *field_r)
{
    if (rest->len == 0)
        return false;
    size_t len = line_length(*rest);
    while (len < rest->len && (rest->ptr[len] == ' ' || rest->ptr[len] == '\t'))
        len += line_length(span_from(*rest, len));
    struct span raw = span_first(*rest, len);
    *rest = span_from(*rest, len);
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
    while (message_next_field(&header, field_r))
        if (span_equal_nocase(field_r->name, name) && nth-- == 0)
            return true;
    return false;
}

static struct verdict malformed(const char *enhanced, struct span name, const char *rule)
{
    return verdict_make(550, enhanced, "Header field %.*s %s", (int)(name.len < 60 ? name.len : 60),
                        name.ptr, rule);
}

static struct verdict accept(void)
{
    return verdict_make(250, "2.0.0", "OK");
}

/* The lines of one field: lengths, folds, bytes. */
static struct verdict check_lines(const struct field *f, bool utf8)
{
    struct span rest = f->raw;
    for (bool first = true; rest.len > 0; first = false) {
        size_t len = line_length(rest);
        struct span line = span_first(rest, len);
        rest = span_from(rest, len);
        if (span_ends_nocase(line, SPAN("\r\n")))
            line.len -= 2;
        if (line.len > MESSAGE_LINE_MAX)
            return malformed("5.6.0", f->name,
                             "has a line of over 998 octets: fold it (RFC 5322 2.1.1)");
        if (!first && span_trim(line).len == 0)
            return malformed("5.6.0", f->name, "has a folded line of blanks only (RFC 5322 3.2.2)");
    }
    for (size_t i = 0; i < f->value.len; i++) {
        unsigned char c = (unsigned char)f->value.ptr[i];
        if ((c < ' ' && c != '\t' && c != '\r' && c != '\n') || c == 0x7f)
            return malformed("5.6.0", f->name,
                             "holds a control character: remove or encode it (RFC 2047)");
    }
    if (!span_is_ascii(f->value) && !utf8)
        return malformed("5.6.7", f->name,
                         "holds raw 8-bit text: encode it (RFC 2047) or send with SMTPUTF8");
    if (!span_is_utf8(f->value))
        return malformed("5.6.7", f->name, "is not valid UTF-8 (RFC 6532 3.1)");
    return accept();
}

/* One <left@right> of at most 500 octets: Gmail refuses others. */
static bool is_message_id(struct span value)
{
    value = span_trim(value);
    size_t at = span_find(value, '@');
    bool blank = false;
    for (size_t i = 0; i < value.len; i++)
        blank = blank || value.ptr[i] == ' ' || value.ptr[i] == '\t' || value.ptr[i] == '\r';
    return value.len > 4 && value.len <= MESSAGE_ID_MAX && !blank && value.ptr[0] == '<' &&
           value.ptr[value.len - 1] == '>' && at > 1 && at + 2 < value.len;
}

static bool is_idempotency_key(struct span name)
{
    return span_equal_nocase(name, SPAN("Sealpost-Idempotency-Key")) ||
           span_equal_nocase(name, SPAN("Resend-Idempotency-Key"));
}

/* What some fields must be like beyond the rules for all. */
static struct verdict check_content(const struct field *f)
{
    if (span_equal_nocase(f->name, SPAN("Message-ID")) && !is_message_id(f->value))
        return malformed("5.6.0", f->name,
                         "must be one <left@right> of at most 500 octets without blanks "
                         "(RFC 5322 3.6.4), or be left out: then it is added");
    if (is_idempotency_key(f->name) && span_trim(f->value).len > MESSAGE_ID_MAX)
        return malformed("5.6.0", f->name, "is over 500 octets");
    if (span_equal_nocase(f->name, SPAN("Subject")) && f->value.len > MESSAGE_SUBJECT_MAX)
        return malformed("5.6.0", f->name, "is over 998 octets, which receivers refuse");
    return accept();
}

static struct verdict check_field(const struct field *f, bool utf8, unsigned *seen)
{
    if (f->name.len == 0) {
        struct span line = span_trim(span_first(f->raw, line_length(f->raw)));
        return verdict_make(550, "5.6.0",
                            "Header line \"%.*s\" is no field: a name, a colon at once, a value; "
                            "then an empty line before the body (RFC 5322 2.2)",
                            (int)(line.len < 40 ? line.len : 40), line.ptr);
    }
    if (f->raw.len > MESSAGE_FIELD_MAX)
        return verdict_make(552, "5.3.4", "Header field %.*s is over 32 KB",
                            (int)(f->name.len < 60 ? f->name.len : 60), f->name.ptr);
    int which = find_name(once, COUNT_OF(once), f->name);
    if (which >= 0 && (*seen & (1U << which)))
        return malformed("5.6.0", f->name, "stands more than once: keep one (RFC 5322 3.6)");
    if (which >= 0)
        *seen |= 1U << which;
    struct verdict v = check_lines(f, utf8);
    return v.what == VERDICT_ACCEPT ? check_content(f) : v;
}

static struct verdict check_from(struct span value, struct message_summary *m)
{
    const char *why = "";
    if (!address_from_field(value, &m->from, &why))
        return malformed("5.6.0", SPAN("From"), why);
    if (!address_domain_ascii(m->from.domain, m->from_domain))
        return malformed("5.6.0", SPAN("From"), "has a domain that is no domain name");
    return accept();
}

static void note_field(struct message_summary *m, const struct field *f)
{
    m->has_date = m->has_date || span_equal_nocase(f->name, SPAN("Date"));
    m->has_message_id = m->has_message_id || span_equal_nocase(f->name, SPAN("Message-ID"));
    m->has_utf8 = m->has_utf8 || !span_is_ascii(f->value);
    if (span_equal_nocase(f->name, SPAN("Sealpost-Stream")) ||
        span_equal_nocase(f->name, SPAN("X-PM-Message-Stream")))
        m->stream = span_trim(f->value);
    bool key = is_idempotency_key(f->name);
    bool id = span_equal_nocase(f->name, SPAN("Message-ID"));
    if (id)
        m->message_id = span_trim(f->value);
    if (key || (id && !m->has_key))
        m->once = span_trim(f->value);
    m->has_key = m->has_key || key;
}

struct verdict message_check(struct span header, bool utf8, struct message_summary *summary_r)
{
    unsigned seen = 0;
    size_t fields = 0;
    size_t hops = 0;
    size_t named = 0;
    struct field f;
    struct span from = SPAN_NONE;
    struct message_summary *m = summary_r;
    *m = (struct message_summary){.stream = SPAN_NONE, .once = SPAN_NONE};
    if (header.len > MESSAGE_HEADER_MAX)
        return verdict_make(552, "5.3.4", "Message header is over 256 KB");
    while (message_next_field(&header, &f)) {
        struct verdict v = check_field(&f, utf8, &seen);
        if (v.what != VERDICT_ACCEPT)
            return v;
        note_field(m, &f);
        hops += span_equal_nocase(f.name, SPAN("Received"));
        named += find_name(signed_fields, COUNT_OF(signed_fields), f.name) >= 0;
        if (span_equal_nocase(f.name, SPAN("From")))
            from = f.value;
        if (++fields > MESSAGE_FIELDS_MAX || named > MESSAGE_SIGNED_MAX)
            return verdict_make(552, "5.3.4", "Message header has too many fields");
    }
    if (hops > MESSAGE_HOPS_MAX)
        return verdict_make(554, "5.4.6", "Message has passed %zu hosts: it is in a loop", hops);
    if (!(seen & 1U))
        return verdict_make(550, "5.6.0", "Message has no From field: add one (RFC 5322 3.6.2)");
    return check_from(from, m);
}

void message_date(int64_t unix_ms, char *text_r)
{
    static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t seconds = (time_t)(unix_ms / 1000);
    struct tm tm = {0};
    gmtime_r(&seconds, &tm);
    snprintf(text_r, 40, "%s, %02d %s %04d %02d:%02d:%02d +0000", days[tm.tm_wday % 7], tm.tm_mday,
             months[tm.tm_mon % 12], (tm.tm_year + 1900) % 10000, tm.tm_hour, tm.tm_min, tm.tm_sec);
}
