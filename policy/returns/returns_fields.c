// SPDX-License-Identifier: BSD-2-Clause
/* returns_fields.c - Reads groups of fields: delivery status, feedback, disposition.
 *
 * In a delivery status empty lines part the groups. A group with an address, an action or a status
 * is about a recipient; the first, about the message, has none of them. Some servers leave the
 * empty line out: then fields of both, or of several recipients, stand in one group.
 */
#include "returns_fields.h"

#include "message.h"
#include "mime.h"
#include "normal.h"

#include <string.h>

static const struct {
    const char *word;
    enum returns_action action;
} actions[] = {{"failed", RETURNS_ACTION_FAILED},       {"failure", RETURNS_ACTION_FAILED},
               {"fail", RETURNS_ACTION_FAILED},         {"error", RETURNS_ACTION_FAILED},
               {"expired", RETURNS_ACTION_FAILED},      {"bounced", RETURNS_ACTION_FAILED},
               {"delayed", RETURNS_ACTION_DELAYED},     {"delay", RETURNS_ACTION_DELAYED},
               {"delivered", RETURNS_ACTION_DELIVERED}, {"deliverable", RETURNS_ACTION_DELIVERED},
               {"relayed", RETURNS_ACTION_RELAYED},     {"expanded", RETURNS_ACTION_EXPANDED}};

/* ---- texts ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\0';
}

/* Without a character at the end that was cut in two. */
static size_t whole_characters(const char *line, size_t used)
{
    while (used > 0 && ((unsigned char)line[used - 1] & 0xc0) == 0x80)
        used--;
    return used > 0 && (unsigned char)line[used - 1] >= 0xc0 ? used - 1 : used;
}

void returns_fields_line(struct span text, char *line_r, size_t size)
{
    size_t used = 0;
    size_t i = 0;
    text = span_trim(text);
    for (; i < text.len && used + 1 < size; i++) {
        bool blank = is_blank(text.ptr[i]);
        if (!blank || (used > 0 && line_r[used - 1] != ' '))
            line_r[used++] = blank ? ' ' : text.ptr[i];
    }
    if (i < text.len)
        used = whole_characters(line_r, used);
    while (used > 0 && line_r[used - 1] == ' ')
        used--;
    line_r[used] = '\0';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "5.1.1" at the front (RFC 3463 section 2): its length, 0 when it is none. */
static size_t status_length(struct span s)
{
    size_t at = 1;
    if (s.len < 5 || !strchr("245", s.ptr[0]))
        return 0;
    for (int part = 0; part < 2; part++) {
        size_t digits = 0;
        if (at == s.len || s.ptr[at++] != '.')
            return 0;
        while (at < s.len && is_digit(s.ptr[at]) && digits < 4)
            at++, digits++;
        if (digits == 0 || digits > 3)
            return 0;
    }
    bool ends = at == s.len || (s.ptr[at] != '.' && !is_digit(s.ptr[at])) ||
                (s.ptr[at] == '.' && (at + 1 == s.len || !is_digit(s.ptr[at + 1])));
    return ends ? at : 0;
}

void returns_fields_find_status(struct span text, char status_r[RETURNS_STATUS_MAX + 1])
{
    status_r[0] = '\0';
    for (size_t i = 0; i < text.len; i++) {
        char before = i > 0 ? text.ptr[i - 1] : ' ';
        size_t len = before == '.' || is_digit(before) ? 0 : status_length(span_from(text, i));
        if (len == 0)
            continue;
        span_put(span_first(span_from(text, i), len), status_r, RETURNS_STATUS_MAX + 1);
        return;
    }
}

/* ---- values with a type ---- */

/* "rfc822; a@b" and "smtp; 550 …" apart; what has no type is all value. */
static struct span take_type(struct span *value)
{
    size_t at = span_find(*value, ';');
    for (size_t i = 0; i < at && at < value->len; i++) {
        char c = value->ptr[i];
        bool token = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) ||
                     (c != '\0' && strchr("-_+ \t\r\n", c));
        if (!token)
            at = value->len;
    }
    struct span type = at < value->len ? span_trim(span_first(*value, at)) : SPAN_NONE;
    *value = span_trim(at < value->len ? span_from(*value, at + 1) : *value);
    return type;
}

/* "\x{f6}" at the front (RFC 6533 section 3): its length, 0 when it is none. */
static size_t embedded_length(struct span s, uint32_t *c_r)
{
    size_t at = 3;
    *c_r = 0;
    if (!span_equal(span_first(s, 3), SPAN("\\x{")))
        return 0;
    while (at < s.len && at < 9 && span_hex_value(s.ptr[at]) >= 0)
        *c_r = *c_r << 4 | (uint32_t)span_hex_value(s.ptr[at++]);
    return at > 3 && at < s.len && s.ptr[at] == '}' ? at + 1 : 0;
}

/* Append an address of type utf-8, in whichever of its three forms. */
static void add_unitext(struct span s, struct buf *out)
{
    while (s.len > 0) {
        uint32_t c;
        size_t len = embedded_length(s, &c);
        if (len > 0)
            normal_character_add(c, out);
        else
            buf_add_char(out, s.ptr[0]);
        s = span_from(s, len > 0 ? len : 1);
    }
}

bool returns_fields_is_address(struct span text)
{
    size_t at = span_find(text, '@');
    return at > 0 && at + 1 < text.len && text.len <= RETURNS_ADDRESS_MAX &&
           span_find(span_from(text, at + 1), '@') == text.len - at - 1;
}

/* An address without what is around it. */
static void take_address(struct span value, char *address_r)
{
    struct buf text;
    struct span type = take_type(&value);
    buf_init_peer(&text, RETURNS_ADDRESS_MAX * 8);
    if (span_starts_nocase(type, SPAN("utf-8")))
        add_unitext(value, &text);
    else
        buf_add(&text, value);
    struct span s = buf_span(&text);
    size_t open = span_find(s, '<');
    if (open < s.len)
        s = span_first(span_from(s, open + 1), span_find(span_from(s, open + 1), '>'));
    size_t route = s.len > 0 && s.ptr[0] == '@' ? span_find(s, ':') : s.len; /* RFC 5321 C */
    s = span_trim(route < s.len ? span_from(s, route + 1) : s);
    for (size_t i = 0; i < s.len; i++)
        if (is_blank(s.ptr[i]))
            s.len = i;
    if (!span_copy(s, address_r, RETURNS_ADDRESS_MAX + 1))
        address_r[0] = '\0';
    buf_fini(&text);
}

/* ---- delivery status ---- */

static enum returns_action action_of(struct span value)
{
    struct span word = mime_token(value);
    for (size_t i = 0; i < COUNT_OF(actions); i++)
        if (span_equal_nocase(word, span_of(actions[i].word)))
            return actions[i].action;
    return RETURNS_ACTION_UNSAID;
}

static void take_field(const struct field *f, struct returns_recipient *r)
{
    struct span value = f->value;
    struct span name = span_trim(f->name);
    if (span_equal_nocase(name, SPAN("Original-Recipient"))) {
        take_address(value, r->original);
    } else if (span_equal_nocase(name, SPAN("Final-Recipient"))) {
        take_address(value, r->final);
    } else if (span_equal_nocase(name, SPAN("Action"))) {
        r->action = action_of(value);
    } else if (span_equal_nocase(name, SPAN("Status"))) {
        value = span_trim(value);
        span_put(span_first(value, status_length(value)), r->status, sizeof(r->status));
    } else if (span_equal_nocase(name, SPAN("Diagnostic-Code")) && !r->reply[0]) {
        take_type(&value);
        returns_fields_line(value, r->reply, sizeof(r->reply));
    }
}

/* Where no action is said its status tells it. */
static enum returns_action action_by(const struct returns_recipient *r)
{
    if (r->action != RETURNS_ACTION_UNSAID)
        return r->action;
    switch (r->status[0]) {
    case '5':
        return RETURNS_ACTION_FAILED;
    case '4':
        return RETURNS_ACTION_DELAYED;
    case '2':
        return RETURNS_ACTION_DELIVERED;
    }
    return RETURNS_ACTION_UNSAID;
}

/* To whom we wrote (RFC 3464 section 2.3.1): who the last server took it for may be another. */
static void choose_address(struct returns_recipient *r)
{
    bool by_original = returns_fields_is_address(span_of(r->original));
    memcpy(r->address, by_original ? r->original : r->final, sizeof(r->address));
}

static size_t add_recipient(struct returns_recipient *r, struct returns_reading *reading)
{
    if (!r->original[0] && !r->final[0] && r->action == RETURNS_ACTION_UNSAID && !r->status[0])
        return 0;
    r->action = action_by(r);
    choose_address(r);
    if (reading->recipient_count == RETURNS_RECIPIENTS_MAX)
        reading->more = true;
    else
        reading->recipients[reading->recipient_count++] = *r;
    return 1;
}

/* Does a field say again who the recipient is: of another, without an empty line between them? */
static bool begins_another(const struct field *f, const struct returns_recipient *r)
{
    return (r->original[0] && span_equal_nocase(f->name, SPAN("Original-Recipient"))) ||
           (r->final[0] && span_equal_nocase(f->name, SPAN("Final-Recipient")));
}

static size_t read_group(struct span group, struct returns_reading *reading)
{
    struct returns_recipient r = {0};
    struct field f;
    size_t recipients = 0;
    while (recipients <= RETURNS_RECIPIENTS_MAX && message_next_field(&group, &f)) {
        if (begins_another(&f, &r)) {
            recipients += add_recipient(&r, reading);
            r = (struct returns_recipient){0};
        }
        take_field(&f, &r);
    }
    return recipients + add_recipient(&r, reading);
}

size_t returns_fields_status(struct span text, struct returns_reading *reading)
{
    size_t groups = 0;
    while (text.len > 0 && groups <= RETURNS_RECIPIENTS_MAX) {
        size_t end = span_search(text, SPAN("\r\n\r\n"));
        groups += read_group(span_first(text, end < text.len ? end + 2 : end), reading);
        text = span_from(text, end + 4);
    }
    return groups;
}

/* ---- feedback ---- */

static void lower_word(struct span value, char *word_r)
{
    struct span word = mime_token(value);
    size_t len = word.len < RETURNS_WORD_MAX ? word.len : RETURNS_WORD_MAX;
    for (size_t i = 0; i < len; i++)
        word_r[i] = (char)(word.ptr[i] >= 'A' && word.ptr[i] <= 'Z' ? word.ptr[i] + ('a' - 'A')
                                                                    : word.ptr[i]);
    word_r[len] = '\0';
}

static void add_reported(struct span value, struct returns_reading *reading)
{
    struct returns_recipient r = {0};
    take_address(value, r.address);
    if (!r.address[0])
        return;
    if (reading->recipient_count == RETURNS_RECIPIENTS_MAX)
        reading->more = true;
    else
        reading->recipients[reading->recipient_count++] = r;
}

/* Fields that stand behind an empty line count, too: a server puts a header of its own before. */
void returns_fields_feedback(struct span text, struct returns_reading *reading)
{
    static const char *const unwanted[] = {"abuse", "fraud", "virus", "complaint"};
    struct field f;
    unsigned types = 0;
    size_t index;
    while (message_next_field(&text, &f)) {
        if (span_equal_nocase(f.name, SPAN("Original-Rcpt-To")))
            add_reported(f.value, reading);
        if (span_equal_nocase(f.name, SPAN("Feedback-Type")) && types++ == 0)
            lower_word(f.value, reading->feedback_type);
    }
    reading->complaint = types == 1 && span_among(span_of(reading->feedback_type), unwanted,
                                                  COUNT_OF(unwanted), &index);
}

/* ---- disposition ---- */

bool returns_fields_is_deleted(struct span text)
{
    struct field f;
    if (!message_find(text, SPAN("Disposition"), 0, &f))
        return false;
    size_t at = span_find(f.value, ';');
    struct span type = span_from(f.value, at + 1);
    return span_equal_nocase(mime_token(span_first(type, span_find(type, '/'))), SPAN("deleted"));
}
