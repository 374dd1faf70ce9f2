// SPDX-License-Identifier: BSD-2-Clause
/* fields.c - The table of header fields: how often each may occur, its syntax, and what becomes of
 * it.
 *
 * A field without a row is not checked or signed. A refusal names the field, the rule and what to
 * write instead, because it is read by the person whose application has just failed. Fields without
 * meaning are left out; fields with meaning are never repaired.
 */
#include "fields.h"

#include "address_parts.h"

#include <assert.h>
#include <stdio.h>

#define NAME(text)             \
    {                          \
        text, sizeof(text) - 1 \
    } /* ended by a zero, too */

static const struct field_rule rules[] = {
    /* name, once, form, drop when empty, fate, section */
    {NAME("From"), true, FORM_SENDER, false, FIELD_SIGNED, "RFC 5322 3.6.2"},
    {NAME("Sender"), true, FORM_SENDER, false, FIELD_SIGNED, "RFC 5322 3.6.2"},
    {NAME("Reply-To"), true, FORM_ADDRESSES, false, FIELD_SIGNED, "RFC 5322 3.6.2"},
    {NAME("To"), true, FORM_ADDRESSES, false, FIELD_SIGNED, "RFC 5322 3.6.3"},
    {NAME("Cc"), true, FORM_ADDRESSES, true, FIELD_SIGNED, "RFC 5322 3.6.3"},
    {NAME("Bcc"), false, FORM_TEXT, false, FIELD_REMOVED, "RFC 5322 3.6.3"},
    {NAME("Subject"), true, FORM_SUBJECT, false, FIELD_SIGNED, "RFC 5322 3.6.5"},
    {NAME("Date"), true, FORM_DATE, false, FIELD_SIGNED, "RFC 5322 3.3"},
    {NAME("Message-ID"), true, FORM_ID, false, FIELD_SIGNED, "RFC 5322 3.6.4"},
    {NAME("In-Reply-To"), true, FORM_TEXT, true, FIELD_SIGNED, "RFC 5322 3.6.4"},
    {NAME("References"), true, FORM_TEXT, true, FIELD_SIGNED, "RFC 5322 3.6.4"},
    {NAME("Return-Path"), false, FORM_TEXT, false, FIELD_REMOVED, "RFC 5321 4.4"},

    {NAME("Resent-From"), false, FORM_SENDER, false, FIELD_SIGNED, "RFC 5322 3.6.6"},
    {NAME("Resent-Sender"), false, FORM_SENDER, false, FIELD_SIGNED, "RFC 5322 3.6.6"},
    {NAME("Resent-To"), false, FORM_ADDRESSES, false, FIELD_SIGNED, "RFC 5322 3.6.6"},
    {NAME("Resent-Cc"), false, FORM_ADDRESSES, true, FIELD_SIGNED, "RFC 5322 3.6.6"},
    {NAME("Resent-Bcc"), false, FORM_TEXT, false, FIELD_REMOVED, "RFC 5322 3.6.6"},
    {NAME("Resent-Date"), false, FORM_DATE, false, FIELD_SIGNED, "RFC 5322 3.6.6"},
    {NAME("Resent-Message-ID"), false, FORM_ID, false, FIELD_SIGNED, "RFC 5322 3.6.6"},

    {NAME("MIME-Version"), true, FORM_TEXT, false, FIELD_SIGNED, "RFC 2045 4"},
    {NAME("Content-Type"), true, FORM_TEXT, false, FIELD_SIGNED, "RFC 2045 5"},
    {NAME("Content-Transfer-Encoding"), true, FORM_TEXT, false, FIELD_SIGNED, "RFC 2045 6"},
    {NAME("Content-Disposition"), true, FORM_TEXT, false, FIELD_SIGNED, "RFC 2183 2"},
    {NAME("Auto-Submitted"), true, FORM_TEXT, false, FIELD_SIGNED, "RFC 3834 5"},
    {NAME("Disposition-Notification-To"), true, FORM_ADDRESSES, false, FIELD_SIGNED,
     "RFC 8098 2.1"},
    {NAME("List-Id"), false, FORM_TEXT, false, FIELD_SIGNED, "RFC 2919 3"},
    {NAME("List-Unsubscribe"), false, FORM_TEXT, false, FIELD_SIGNED, "RFC 2369 3.2"},
    {NAME("List-Unsubscribe-Post"), false, FORM_TEXT, false, FIELD_SIGNED, "RFC 8058 3.1"},
    {NAME("Feedback-ID"), false, FORM_TEXT, false, FIELD_SIGNED, ""},

    {NAME("Sealpost-Stream"), false, FORM_TEXT, false, FIELD_REMOVED, ""},
    {NAME("X-PM-Message-Stream"), false, FORM_TEXT, false, FIELD_REMOVED, ""},
    {NAME("Sealpost-TLS"), true, FORM_TLS, false, FIELD_REMOVED, ""},
    {NAME("Sealpost-Tag"), false, FORM_TEXT, false, FIELD_REMOVED, ""},
    {NAME("X-PM-Tag"), false, FORM_TEXT, false, FIELD_REMOVED, ""},
    {NAME("X-Mailgun-Tag"), false, FORM_TEXT, false, FIELD_REMOVED, ""},
    {NAME("Sealpost-Expires"), false, FORM_TEXT, false, FIELD_REMOVED, ""},
    {NAME("Sealpost-Idempotency-Key"), false, FORM_KEY, false, FIELD_REMOVED, ""},
    {NAME("Resend-Idempotency-Key"), false, FORM_KEY, false, FIELD_REMOVED, ""},
};

static_assert(COUNT_OF(rules) < FIELDS_MAX, "a bit for each row");

const struct field_rule *fields_at(size_t i)
{
    return i < COUNT_OF(rules) ? &rules[i] : NULL;
}

size_t fields_index(const struct field_rule *rule)
{
    return (size_t)(rule - rules);
}

const struct field_rule *fields_find(struct span name)
{
    for (size_t i = 0; i < COUNT_OF(rules); i++)
        if (name.len == rules[i].name.len && span_equal_nocase(name, rules[i].name))
            return &rules[i];
    return NULL;
}

bool fields_is_sender(struct span name)
{
    const struct field_rule *rule = NULL;
    if (span_ends_nocase(name, SPAN("From")) || span_ends_nocase(name, SPAN("Sender")))
        rule = fields_find(name);
    return rule && rule->form == FORM_SENDER;
}

struct verdict fields_refusal(const char *enhanced, struct span name, const char *rule,
                              const char *section)
{
    return verdict_make(550, enhanced, "Header field %.*s %s%s%s%s",
                        (int)(name.len < 60 ? name.len : 60), name.ptr, rule, *section ? " (" : "",
                        section, *section ? ")" : "");
}

static struct verdict accept(void)
{
    return verdict_make(250, "2.0.0", "OK");
}

bool fields_message_id(struct span value, struct span *id_r)
{
    if (!address_skip_cfws(&value) || value.len < 5 || value.ptr[0] != '<')
        return false;
    struct span left = span_from(value, 1);
    size_t at = left.ptr[0] == '"' ? address_quoted_length(left) : span_find(left, '@');
    if (at == 0 || at >= left.len || left.ptr[at] != '@')
        return false;
    struct span right = span_from(left, at + 1);
    right = span_first(right, span_find(right, '>'));
    left = span_first(left, at);
    size_t len = left.len + right.len + 3;
    if (len > value.len || len > MESSAGE_ID_MAX)
        return false;
    *id_r = span_first(value, len);
    value = span_from(value, len);
    return address_skip_cfws(&value) && value.len == 0 &&
           (left.ptr[0] == '"' ? span_find(left, ' ') == left.len : address_is_dot_string(left)) &&
           (address_is_dot_string(right) || address_is_literal(right));
}

static bool is_empty(struct span value)
{
    return address_skip_cfws(&value) && value.len == 0;
}

static const char *check_form(const struct field_rule *rule, struct span value)
{
    struct address address;
    struct span id;
    const char *why = NULL;
    switch (rule->form) {
    case FORM_TEXT:
        return NULL;
    case FORM_SENDER:
        return address_from_field(value, &address, &why) ? NULL : why;
    case FORM_ADDRESSES:
        return address_list_field(value, &why) ? NULL : why;
    case FORM_SUBJECT:
        return value.len <= MESSAGE_SUBJECT_MAX ? NULL
                                                : "is over 998 octets, which receivers refuse";
    case FORM_DATE:
        return message_date_valid(value, &why) ? NULL : why;
    case FORM_ID:
        return fields_message_id(value, &id)
                   ? NULL
                   : "must be one <left@right> of at most 500 octets without blanks, or be left "
                     "out: then it is added";
    case FORM_KEY:
        return span_trim(value).len <= MESSAGE_ID_MAX ? NULL : "is over 500 octets";
    case FORM_TLS:
        return span_equal_nocase(span_trim(value), SPAN("verify"))
                   ? NULL
                   : "must be \"verify\", for mail that waits until its receiver's TLS is "
                     "verified, "
                     "or be left out";
    }
    UNREACHABLE();
}

struct verdict fields_check(const struct field_rule *rule, const struct field *f)
{
    bool is_list = rule->form == FORM_ADDRESSES || rule->form == FORM_SENDER;
    if (is_list && is_empty(f->value))
        return rule->drop_empty
                   ? accept()
                   : fields_refusal("5.6.0", f->name,
                                    "is empty: put an address in, or leave the field out",
                                    rule->section);
    const char *why = check_form(rule, f->value);
    char text[240];
    if (!why)
        return accept();
    snprintf(text, sizeof(text), "%s%s", why,
             rule->form == FORM_DATE ? ": write it as \"Thu, 26 Nov 2026 14:36:47 +0000\", or "
                                       "leave the field out"
                                     : "");
    return fields_refusal("5.6.0", f->name, text, rule->section);
}
