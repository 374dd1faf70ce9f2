// SPDX-License-Identifier: BSD-2-Clause
/* bounce.c - Builds a delivery status notification: a part for people, message/delivery-status for
 * programs, and the message or its header. */
#include "bounce.h"

#include "bounce_text.h"
#include "message.h"
#include "template.h"

#include <string.h>

static const struct {
    const char *name, *subject;
} actions[BOUNCE_ACTIONS] = {
    [BOUNCE_FAILED] = {"failed", "Not delivered"},
    [BOUNCE_DELAYED] = {"delayed", "Delayed"},
    [BOUNCE_RELAYED] = {"relayed", "Passed on"},
};

static int hex_value(char c)
{
    static const char digits[] = "0123456789ABCDEF";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

static char printable(int c)
{
    return (char)(c >= ' ' && c <= '~' ? c : '?');
}

bool bounce_xtext_decode(struct span xtext, struct buf *out)
{
    for (size_t i = 0; i < xtext.len; i++) {
        char c = xtext.ptr[i];
        if (c < '!' || c > '~' || c == '=')
            return false;
        if (c != '+') {
            buf_add_char(out, c);
            continue;
        }
        int high = i + 2 < xtext.len ? hex_value(xtext.ptr[i + 1]) : -1;
        int low = i + 2 < xtext.len ? hex_value(xtext.ptr[i + 2]) : -1;
        if (high < 0 || low < 0)
            return false;
        buf_add_char(out, printable(high * 16 + low));
        i += 2;
    }
    return !out->overflow;
}

static bool any_utf8(const struct bounce_input *in)
{
    bool utf8 = !span_is_ascii(in->header) || !span_is_ascii(in->to);
    for (size_t i = 0; i < in->count; i++)
        utf8 = utf8 || !span_is_ascii(in->recipients[i].address);
    return utf8;
}

/* The code for the actual problem where there is one (RFC 3463 section 3.5, X.4.7); what has failed
 * with a 4yz has failed because its time was over. */
static const char *status_of(const struct bounce_recipient *r)
{
    if (r->answer.enhanced[0])
        return r->answer.enhanced;
    switch (r->action) {
    case BOUNCE_FAILED:
        return r->answer.code / 100 == 4 ? "4.4.7" : "5.0.0";
    case BOUNCE_DELAYED:
        return "4.0.0";
    case BOUNCE_RELAYED:
        return "2.0.0";
    case BOUNCE_ACTIONS:
        break;
    }
    UNREACHABLE();
}

/* ---- words ---- */

enum { ANSWER_LINE = 400, REMOTE_MAX = 255 };

/* Where the template is: the recipient, and the line of its answer. */
struct bounce_view {
    const struct bounce_input *in;
    const char *boundary;
    bool utf8, has_8bit;
    const struct bounce_recipient *recipient;
    struct span line;
};

static void each(const void *view, struct span list, template_visit *visit, void *context)
{
    struct bounce_view inner = *(const struct bounce_view *)view;
    if (span_equal(list, SPAN("recipient"))) {
        for (size_t i = 0; i < inner.in->count; i++) {
            inner.recipient = &inner.in->recipients[i];
            visit(&inner, context);
        }
        return;
    }
    CHECK(span_equal(list, SPAN("line")));
    struct span text = span_of(inner.recipient->answer.text);
    while (text.len > 0) {
        inner.line = span_first(text, ANSWER_LINE);
        text = span_from(text, inner.line.len);
        visit(&inner, context);
    }
}

/* For people; NULL: there is nothing to say beside the answer itself. */
static const char *const plain[REPLY_CATEGORIES] = {
    [REPLY_MAILBOX_UNKNOWN] = "There is no such mailbox. Is the address spelled right?",
    [REPLY_DOMAIN_UNKNOWN] = "No mail goes to that domain. Is the address spelled right?",
    [REPLY_MAILBOX_DISABLED] = "That mailbox is closed.",
    [REPLY_MAILBOX_FULL] = "That mailbox is full. Its owner has to make room first.",
    [REPLY_RECIPIENT_REFUSED] = "The recipient's mail system takes no such mail for that mailbox.",
    [REPLY_RECIPIENT_RATE] = "That mailbox gets more mail just now than it may.",
    [REPLY_RATE_LIMITED] = "The recipient's mail system takes no more mail from us just now.",
    [REPLY_REPUTATION] = "The recipient's mail system mistrusts our server.",
    [REPLY_AUTH_FAILED] =
        "The recipient's mail system doubts that this mail is from whom it says it is from.",
    [REPLY_CONTENT_REFUSED] = "The recipient's mail system does not like what the message says.",
    [REPLY_MESSAGE_INVALID] = "The recipient's mail system finds a fault in the message's form.",
    [REPLY_TOO_BIG] = "The message is too large for the recipient's mail system.",
    [REPLY_TLS_FAILED] =
        "No connection to the recipient's mail system was as secure as it must be.",
    [REPLY_GREYLISTED] = "The recipient's mail system has asked us to come again, each time.",
    [REPLY_RELAY_DENIED] = "The server that we were sent to takes no mail for that address.",
    [REPLY_SERVER_ERROR] = "The recipient's mail system has trouble of its own.",
    [REPLY_NETWORK] = "The recipient's mail system could not be reached.",
};

/* The same where no server has answered, by the rest of our own code after its class. */
static const struct {
    const char *subject_detail, *text;
} plain_unheard[] = {
    {".1.2", "No mail goes to that domain. Is the address spelled right?"},
    {".4.1", "The recipient's mail server did not answer."},
    {".4.2", "The connection to the recipient's mail server broke off."},
    {".4.3", "It could not be found out where mail for that domain goes."},
    {".4.4", "No mail server of that domain can be reached."},
};

static struct span plain_of(const struct bounce_recipient *r)
{
    const char *code = r->answer.enhanced;
    if (plain[r->meant])
        return span_of(plain[r->meant]);
    for (size_t i = 0; i < COUNT_OF(plain_unheard) && !r->heard && code[0]; i++)
        if (strcmp(code + 1, plain_unheard[i].subject_detail) == 0)
            return span_of(plain_unheard[i].text);
    return SPAN_NONE;
}

/* What the copy that left was given. */
static void add_added(const struct bounce_input *in, struct buf *out)
{
    struct field f;
    const struct message_lacks lacks = {.date = !message_find(in->header, SPAN("Date"), 0, &f),
                                        .id = !message_find(in->header, SPAN("Message-ID"), 0, &f),
                                        .created_ms = in->arrived_ms,
                                        .name = in->id,
                                        .hostname = in->hostname};
    if (in->header.len > 0)
        message_add_lacking(&lacks, out);
}

static void add_xtext(struct span xtext, struct buf *out)
{
    if (!bounce_xtext_decode(xtext, out))
        buf_add_char(out, '?');
}

static void add_original(struct span original, struct buf *out)
{
    struct span type = span_take(&original, ';');
    buf_addf(out, "%.*s; ", SPAN_ARG(type));
    add_xtext(original, out);
}

/* What is made, not only named; false: it is another word. */
static bool insert_made(const struct bounce_view *v, struct span word, struct buf *out)
{
    const struct bounce_recipient *r = v->recipient;
    char date[40];
    int64_t at_ms = span_equal(word, SPAN("date"))      ? v->in->now_ms
                    : span_equal(word, SPAN("arrived")) ? v->in->arrived_ms
                    : span_equal(word, SPAN("expires")) ? v->in->expires_ms
                                                        : INT64_MIN;
    if (at_ms != INT64_MIN) {
        message_date(at_ms, date);
        buf_add(out, span_of(date));
    } else if (span_equal(word, SPAN("now"))) {
        buf_addf(out, "%lld", (long long)v->in->now_ms);
    } else if (span_equal(word, SPAN("code"))) {
        buf_addf(out, "%03d", r->answer.code);
    } else if (span_equal(word, SPAN("envelope_id"))) {
        add_xtext(v->in->envelope_id, out);
    } else if (span_equal(word, SPAN("added"))) {
        add_added(v->in, out);
    } else if (span_equal(word, SPAN("original"))) {
        if (r->original.len > 0)
            add_original(r->original, out);
    } else {
        return false;
    }
    return true;
}

/* For @if: something, or nothing. */
static struct span claim(bool holds)
{
    return holds ? SPAN("yes") : SPAN_NONE;
}

static struct span returned_type(const struct bounce_view *v)
{
    if (v->in->full)
        return v->utf8 ? SPAN("message/global") : SPAN("message/rfc822");
    return v->utf8 ? SPAN("message/global-headers") : SPAN("text/rfc822-headers");
}

struct named {
    const char *name;
    struct span value;
};

/* False: it is none of these. */
static bool insert_named(const struct named *words, size_t count, struct span word, struct buf *out)
{
    size_t i = 0;
    while (i < count && !span_equal(word, span_of(words[i].name)))
        i++;
    if (i == count)
        return false;
    buf_add(out, words[i].value);
    return true;
}

/* Of the report as a whole, and of the message that it is about. */
static bool insert_of_report(const struct bounce_view *v, struct span word, struct buf *out)
{
    const struct bounce_input *in = v->in;
    const struct named words[] = {
        {"hostname", span_of(in->hostname)},
        {"from_domain", span_of(in->from_domain)},
        {"to", in->to},
        {"id", span_of(in->id)},
        {"boundary", span_of(v->boundary)},
        {"utf8", claim(v->utf8)},
        {"8bit", claim(v->has_8bit)},
        {"about_others", claim(in->count > 1)},
        {"returned_type", returned_type(v)},
        {"full", claim(in->full)},
        {"header", in->header},
        {"body", in->body},
    };
    return insert_named(words, COUNT_OF(words), word, out);
}

static bool insert_of_recipient(const struct bounce_view *v, struct span word, struct buf *out)
{
    const struct bounce_recipient *r = v->recipient;
    const struct span address = r->address;
    const struct span action = span_of(actions[r->action].name);
    const bool begins = r == v->in->recipients || r->action != r[-1].action;
    const struct named words[] = {
        {"subject", span_of(actions[r->action].subject)},
        {"about", span_is_ascii(address) ? address : SPAN("a recipient")},
        {"begins", begins ? action : SPAN_NONE},
        {"action", action},
        {"address", address},
        {"address_type", span_is_ascii(address) ? SPAN("rfc822") : SPAN("utf-8")},
        {"plain", plain_of(r)},
        {"late", claim(r->action == BOUNCE_FAILED && r->answer.code / 100 == 4)},
        {"heard", claim(r->remote.len > 0 && r->heard)},
        {"remote", span_first(r->remote, REMOTE_MAX)},
        {"enhanced", span_of(r->answer.enhanced)},
        {"status", span_of(status_of(r))},
        {"line", v->line},
        {"reply", span_of(r->answer.text[0] ? r->answer.text : "(no text)")},
    };
    return insert_named(words, COUNT_OF(words), word, out);
}

static void insert(const void *view, struct span word, struct buf *out)
{
    bool known = insert_made(view, word, out) || insert_of_report(view, word, out) ||
                 insert_of_recipient(view, word, out);
    CHECK(known);
}

bool bounce_write(const struct bounce_input *in, struct buf *out)
{
    static const struct template t = {
        .open = '{', .close = '}', .newline = "\r\n", .insert = insert, .each = each};
    char boundary[64];
    CHECK(in->count > 0);
    struct span id = span_of(in->id);
    if (!span_copy(span_first(id, 40), boundary, sizeof(boundary)))
        return false;
    memcpy(boundary + strlen(boundary), "=_report", sizeof("=_report"));
    const bool utf8 = any_utf8(in);
    const struct bounce_view view = {.in = in,
                                     .boundary = boundary,
                                     .utf8 = utf8,
                                     .has_8bit = utf8 || (in->full && !span_is_ascii(in->body)),
                                     .recipient = in->recipients,
                                     .line = SPAN_NONE};
    template_print(&t, &view, bounce_text, out);
    return !out->overflow;
}
