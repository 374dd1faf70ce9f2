// SPDX-License-Identifier: BSD-2-Clause
/* compose.c - The outgoing copy, step by step.
 *
 *   1. fields: Date, Message-ID and what belongs to the stream are added when missing, Bcc, control
 *      headers and what pretends to be ours are left out
 *   2. a hop without 8BITMIME gets 7-bit content
 *   3. the signature covers what 1 and 2 made
 *   4. in front: DKIM-Signature, then Received
 *
 * Invariant: COMPOSE_OK is returned only with at least one signature over the very bytes in head
 * and body.
 */
#include "compose.h"

#include "message.h"
#include "sevenbit.h"

#include <string.h>

enum { BODY_MAX = 128 * 1024 * 1024 };

static enum compose_result fault(struct compose_output *out, const char *what)
{
    err_set(&out->err, ERR_LIMIT, "%s", what);
    return COMPOSE_FAULT;
}

static void edit_fields(const struct compose_input *in, struct buf *fields)
{
    struct span rest = in->header;
    struct field f;
    bool date = false;
    bool id = false;
    /* one-click without an address to click on says nothing (RFC 8058 section 3.1) */
    bool unsubscribe = message_find(in->header, SPAN("List-Unsubscribe"), 0, &f);
    while (message_next_field(&rest, &f)) {
        date = date || span_equal_nocase(f.name, SPAN("Date"));
        id = id || span_equal_nocase(f.name, SPAN("Message-ID"));
        bool alone = !unsubscribe && span_equal_nocase(f.name, SPAN("List-Unsubscribe-Post"));
        if (!alone && message_leaves(&f) && !message_speaks_as(&f, in->hostname))
            buf_add(fields, f.raw);
    }
    if (!date) {
        char text[40];
        message_date(in->created_ms, text);
        buf_addf(fields, "Date: %s\r\n", text);
    }
    if (!id)
        buf_addf(fields, "Message-ID: <%s@%s>\r\n", in->id, in->hostname);
    if (!unsubscribe && in->unsubscribe_url.len > 0)
        buf_addf(fields,
                 "List-Unsubscribe: <%.*s>\r\n"
                 "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n",
                 SPAN_ARG(in->unsubscribe_url));
    if (in->feedback_id.len > 0 && !message_find(in->header, SPAN("Feedback-ID"), 0, &f))
        buf_addf(fields, "Feedback-ID: %.*s\r\n", SPAN_ARG(in->feedback_id));
}

/* Anything a peer said goes into the trace only as printable ASCII without comment or quote
 * characters. */
static void add_said(struct buf *out, struct span said)
{
    for (size_t i = 0; i < said.len && i < 255; i++) {
        char c = said.ptr[i];
        buf_add_char(out, c > ' ' && c <= '~' && !strchr("()<>\\\";,", c) ? c : '?');
    }
}

static void add_received(const struct compose_input *in, struct buf *out)
{
    char date[40];
    message_date(in->created_ms, date);
    buf_add(out, SPAN("Received: "));
    if (in->protocol.len > 0 && in->trace_client) {
        buf_add(out, SPAN("from "));
        add_said(out, in->helo.len > 0 ? in->helo : SPAN("unknown"));
        buf_addf(out, " ([%s%.*s])\r\n\t", span_find(in->peer, ':') < in->peer.len ? "IPv6:" : "",
                 SPAN_ARG(in->peer));
    }
    buf_addf(out, "by %s", in->hostname);
    if (in->protocol.len > 0)
        buf_addf(out, " with %.*s", SPAN_ARG(in->protocol));
    buf_addf(out, " id %s", in->id);
    if (in->only_recipient.len > 0 && span_is_ascii(in->only_recipient))
        buf_addf(out, "\r\n\tfor <%.*s>", SPAN_ARG(in->only_recipient));
    buf_addf(out, ";\r\n\t%s\r\n", date);
}

/* Read the whole body and make it 7-bit, with the fields that go with it. */
static enum compose_result convert(const struct compose_input *in, struct buf *fields,
                                   struct compose_output *out)
{
    struct buf submitted;
    struct buf header;
    struct span chunk = SPAN_NONE;
    enum compose_result result = COMPOSE_OK;
    buf_init(&submitted, BODY_MAX);
    buf_init(&header, MESSAGE_HEADER_MAX + 4096);
    do {
        if (!in->read_body(in->context, &chunk, &out->err))
            result = COMPOSE_FAULT;
    } while (result == COMPOSE_OK && chunk.len > 0 && buf_add(&submitted, chunk));
    if (result == COMPOSE_OK &&
        !sevenbit_convert(buf_span(fields), buf_span(&submitted), &header, &out->body)) {
        out->verdict = verdict_make(554, "5.6.3",
                                    "Message holds 8-bit content that cannot be converted, and the "
                                    "receiving server takes 7-bit mail only");
        result = COMPOSE_NEVER;
    }
    out->converted = true;
    buf_clear(fields);
    buf_add(fields, buf_span(&header));
    buf_fini(&header);
    buf_fini(&submitted);
    return result;
}

static bool sign_body(const struct compose_input *in, struct signing *s, struct compose_output *out)
{
    if (out->converted)
        return signing_body(s, buf_span(&out->body), &out->err);
    struct span chunk = SPAN_NONE;
    do {
        if (!in->read_body(in->context, &chunk, &out->err) || !signing_body(s, chunk, &out->err))
            return false;
    } while (chunk.len > 0);
    return true;
}

static bool sign(const struct compose_input *in, struct span fields, struct compose_output *out)
{
    struct signing *s = NULL;
    struct field f;
    bool ok = signing_begin(in->domain, in->keys, in->key_count, &s, &out->err);
    while (ok && message_next_field(&fields, &f))
        ok = signing_field(s, f.raw, &out->err);
    ok = ok && signing_end_header(s, &out->err) && sign_body(in, s, out) &&
         signing_finish(s, &out->head, &out->err);
    signing_free(s);
    return ok;
}

enum compose_result compose(const struct compose_input *in, struct compose_output *out)
{
    *out = (struct compose_output){0};
    buf_init(&out->head, 2 * MESSAGE_HEADER_MAX);
    buf_init(&out->body, BODY_MAX);
    if (in->key_count == 0)
        return fault(out, "no DKIM key");
    if (in->header_has_utf8 && !in->hop_smtputf8) {
        out->verdict =
            verdict_make(550, "5.6.7",
                         "Message header holds raw UTF-8 and the receiving server does not "
                         "offer SMTPUTF8 (RFC 6531 3.5)");
        return COMPOSE_NEVER;
    }
    struct buf fields;
    buf_init(&fields, 2 * MESSAGE_HEADER_MAX);
    edit_fields(in, &fields);
    enum compose_result result = COMPOSE_OK;
    if (in->body_has_8bit && !in->hop_8bitmime)
        result = convert(in, &fields, out);
    if (result == COMPOSE_OK && !sign(in, buf_span(&fields), out))
        result = COMPOSE_FAULT;
    add_received(in, &out->head);
    buf_add(&out->head, buf_span(&fields));
    buf_add(&out->head, SPAN("\r\n"));
    if (result == COMPOSE_OK && (fields.overflow || out->head.overflow))
        result = fault(out, "header grew over its limit");
    buf_fini(&fields);
    return result;
}

void compose_fini(struct compose_output *out)
{
    buf_fini(&out->head);
    buf_fini(&out->body);
}

/* Does it say the same to whoever reads it as the text that it was made of? */
static bool parses_back(struct span said, const struct address *address, const char *domain)
{
    struct address again;
    char ascii[ADDRESS_DOMAIN_MAX + 1];
    return address_parse(said, &again) && span_equal(again.local, address->local) &&
           address_domain_ascii(again.domain, ascii) && strcmp(ascii, domain) == 0;
}

enum compose_said compose_address(struct span text, bool hop_smtputf8, struct buf *out)
{
    struct address address;
    char ascii[ADDRESS_DOMAIN_MAX + 1];
    if (!address_parse(text, &address) || !address_domain_ascii(address.domain, ascii))
        return COMPOSE_NO_ADDRESS;
    if (!span_is_ascii(address.local) && !hop_smtputf8)
        return COMPOSE_NEEDS_SMTPUTF8;
    struct span domain = span_is_ascii(address.domain) ? address.domain : span_of(ascii);
    return buf_addf(out, "%.*s@%.*s", SPAN_ARG(address.local), SPAN_ARG(domain)) &&
                   parses_back(buf_span(out), &address, ascii)
               ? COMPOSE_SAID
               : COMPOSE_NO_ADDRESS;
}
