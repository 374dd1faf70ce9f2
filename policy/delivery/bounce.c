// SPDX-License-Identifier: BSD-2-Clause
/* bounce.c - A notification in three parts: for a person, for a program, and what it is about. */
#include "bounce.h"

#include "message.h"

#include <string.h>

static const struct {
    const char *action, *subject, *sentence;
} actions[BOUNCE_ACTIONS] = {
    [BOUNCE_FAILED] = {"failed", "Not delivered", "Your message could not be delivered to:"},
    [BOUNCE_DELAYED] = {"delayed", "Delayed",
                        "Your message has not been delivered yet; it is still being tried:"},
    [BOUNCE_RELAYED] = {"relayed", "Passed on",
                        "Your message was passed on to a server that does not report on delivery:"},
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

static bool has_8bit(const struct bounce_input *in)
{
    return any_utf8(in) || (in->full && !span_is_ascii(in->body));
}

static void write_header(const struct bounce_input *in, const char *boundary, struct buf *out)
{
    char date[40];
    message_date(in->now_ms, date);
    buf_addf(out, "Date: %s\r\nFrom: Mail Delivery System <mailer-daemon@%s>\r\nTo: <%.*s>\r\n",
             date, in->from_domain, SPAN_ARG(in->to));
    struct span first = in->recipients[0].address;
    if (!span_is_ascii(
            first)) /* the header stays ASCII wherever it can: then any server takes it */
        first = SPAN("a recipient");
    buf_addf(out, "Subject: %s: your message to %.*s%s\r\n",
             actions[in->recipients[0].action].subject, SPAN_ARG(first),
             in->count > 1 ? " and others" : "");
    buf_addf(out, "Message-ID: <%s.%s.%lld@%s>\r\n", actions[in->recipients[0].action].action,
             in->id, (long long)in->now_ms, in->hostname);
    buf_add(out, SPAN("Auto-Submitted: auto-replied\r\nX-Auto-Response-Suppress: "
                      "All\r\nMIME-Version: 1.0\r\n"));
    buf_addf(out,
             "Content-Type: multipart/report; "
             "report-type=delivery-status;\r\n\tboundary=\"%s\"\r\n%s\r\n",
             boundary, has_8bit(in) ? "Content-Transfer-Encoding: 8bit\r\n" : "");
}

static void write_answer(const struct bounce_recipient *r, struct buf *out)
{
    buf_addf(out, "<%.*s>\r\n", SPAN_ARG(r->address));
    if (r->remote.len > 0)
        buf_addf(out,
                 r->heard ? "    The server %.*s answered:\r\n" : "    While talking to %.*s:\r\n",
                 SPAN_ARG(span_first(r->remote, 255)));
    struct span text = span_of(r->answer.text);
    buf_addf(out, "    %03d %s\r\n", r->answer.code, r->answer.enhanced);
    while (text.len > 0) {
        struct span line = span_first(text, 400);
        text = span_from(text, line.len);
        buf_addf(out, "    %.*s\r\n", SPAN_ARG(line));
    }
    buf_add(out, SPAN("\r\n"));
}

static void write_text(const struct bounce_input *in, struct buf *out)
{
    buf_addf(out, "This is the mail system at %s.\r\n\r\n", in->hostname);
    for (size_t i = 0; i < in->count; i++) {
        const struct bounce_recipient *r = &in->recipients[i];
        if (i == 0 || r->action != in->recipients[i - 1].action)
            buf_addf(out, "%s\r\n\r\n", actions[r->action].sentence);
        write_answer(r, out);
    }
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

static void write_status(const struct bounce_input *in, struct buf *out)
{
    char date[40];
    message_date(in->arrived_ms, date);
    buf_addf(out, "Reporting-MTA: dns; %s\r\nX-Sealpost-ID: %s\r\nArrival-Date: %s\r\n",
             in->hostname, in->id, date);
    if (in->envelope_id.len > 0) {
        buf_add(out, SPAN("Original-Envelope-Id: "));
        if (!bounce_xtext_decode(in->envelope_id, out))
            buf_add(out, SPAN("?"));
        buf_add(out, SPAN("\r\n"));
    }
    for (size_t i = 0; i < in->count; i++) {
        const struct bounce_recipient *r = &in->recipients[i];
        const char *type = span_is_ascii(r->address) ? "rfc822" : "utf-8";
        buf_add(out, SPAN("\r\n"));
        if (r->original.len > 0) {
            struct span value = r->original;
            struct span original_type = span_take(&value, ';');
            buf_addf(out, "Original-Recipient: %.*s; ", SPAN_ARG(original_type));
            if (!bounce_xtext_decode(value, out))
                buf_add(out, SPAN("?"));
            buf_add(out, SPAN("\r\n"));
        }
        buf_addf(out, "Final-Recipient: %s; %.*s\r\nAction: %s\r\nStatus: %s\r\n", type,
                 SPAN_ARG(r->address), actions[r->action].action, status_of(r));
        if (r->remote.len > 0 && r->heard)
            buf_addf(out, "Remote-MTA: dns; %.*s\r\nDiagnostic-Code: smtp; %03d %s\r\n\t%s\r\n",
                     SPAN_ARG(span_first(r->remote, 255)), r->answer.code, r->answer.enhanced,
                     r->answer.text[0] ? r->answer.text : "(no text)");
        message_date(in->now_ms, date);
        buf_addf(out, "Last-Attempt-Date: %s\r\n", date);
        message_date(in->expires_ms, date);
        if (r->action == BOUNCE_DELAYED)
            buf_addf(out, "Will-Retry-Until: %s\r\n", date);
    }
}

bool bounce_write(const struct bounce_input *in, struct buf *out)
{
    char boundary[64];
    bool utf8 = any_utf8(in);
    CHECK(in->count > 0);
    struct span id = span_of(in->id);
    if (!span_copy(span_first(id, 40), boundary, sizeof(boundary)))
        return false;
    memcpy(boundary + strlen(boundary), "=_report", sizeof("=_report"));
    write_header(in, boundary, out);
    buf_addf(out, "--%s\r\nContent-Type: text/plain; charset=utf-8\r\n%s\r\n", boundary,
             utf8 ? "Content-Transfer-Encoding: 8bit\r\n" : "");
    write_text(in, out);
    buf_addf(out, "--%s\r\nContent-Type: message/%s\r\n%s\r\n", boundary,
             utf8 ? "global-delivery-status" : "delivery-status",
             utf8 ? "Content-Transfer-Encoding: 8bit\r\n" : "");
    write_status(in, out);
    const char *type = in->full ? (utf8 ? "message/global" : "message/rfc822")
                                : (utf8 ? "message/global-headers" : "text/rfc822-headers");
    buf_addf(out, "\r\n--%s\r\nContent-Type: %s\r\n%s\r\n", boundary, type,
             has_8bit(in) ? "Content-Transfer-Encoding: 8bit\r\n" : "");
    buf_add(out, in->header);
    if (in->full) {
        buf_add(out, SPAN("\r\n"));
        buf_add(out, in->body);
    }
    buf_addf(out, "\r\n--%s--\r\n", boundary);
    return !out->overflow;
}
