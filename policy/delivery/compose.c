// SPDX-License-Identifier: BSD-2-Clause
/* compose.c - The outgoing copy, step by step.
 *
 *   1. fields: Date, Message-ID and what belongs to the stream are added when missing, Bcc, control
 *      headers and what pretends to be ours are left out
 *   2. a hop without SMTPUTF8 gets an ASCII header, one without 8BITMIME 7-bit content
 *   3. the signature covers what 1 and 2 made
 *   4. in front: DKIM-Signature, then Received
 *
 * The body is never in memory: it is read once for 2, once for 3, unless its hash is known from
 * another copy, and once more when it is sent.
 *
 * Invariant: COMPOSE_OK is returned only with at least one signature over the very bytes in head
 * and those that the body becomes.
 */
#include "compose.h"

#include "downgrade.h"
#include "message.h"

#include <string.h>

enum { HEAD_MAX = 4 * MESSAGE_HEADER_MAX };
static const char no_memory[] = "not enough memory to make the copy";

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
    const struct message_lacks lacks = {.date = !date,
                                        .id = !id,
                                        .created_ms = in->created_ms,
                                        .name = in->id,
                                        .hostname = in->hostname};
    message_add_lacking(&lacks, fields);
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
        bool v6 = span_find(in->peer, ':') < in->peer.len;
        BUF_ADD(out, SPAN(" (["), v6 ? SPAN("IPv6:") : SPAN_NONE, in->peer, SPAN("])\r\n\t"));
    }
    BUF_ADD(out, SPAN("by "), span_of(in->hostname));
    if (in->protocol.len > 0)
        BUF_ADD(out, SPAN(" with "), in->protocol);
    BUF_ADD(out, SPAN(" id "), span_of(in->id));
    if (in->only_recipient.len > 0 && span_is_ascii(in->only_recipient))
        BUF_ADD(out, SPAN("\r\n\tfor <"), in->only_recipient, SPAN(">"));
    BUF_ADD(out, SPAN(";\r\n\t"), span_of(date), SPAN("\r\n"));
}

/* Fields with raw UTF-8 for a hop without SMTPUTF8. What only that hop could take is never sent. */
static enum compose_result downgrade(struct buf *fields, struct compose_output *out)
{
    struct buf ascii;
    struct span rest = buf_span(fields);
    struct field f;
    enum compose_result result = COMPOSE_OK;
    buf_init_peer(&ascii, fields->limit);
    while (result == COMPOSE_OK && message_next_field(&rest, &f)) {
        size_t before = ascii.len;
        const char *why = NULL;
        if (!downgrade_field(&f, &ascii))
            why = "holds an address with a non-ASCII local part";
        else if (ascii.overflow ||
                 (ascii.len - before > MESSAGE_FIELD_MAX && !span_is_ascii(f.raw)))
            why = "is too long once its UTF-8 is encoded";
        if (!why || ascii.starved)
            continue;
        out->verdict = verdict_make(550, "5.6.7",
                                    "Header field %.*s %s, and the receiving server does not "
                                    "offer SMTPUTF8 (RFC 6531 3.5)",
                                    SPAN_ARG(span_first(f.name, 60)), why);
        result = COMPOSE_NEVER;
    }
    out->header_converted = true;
    if (ascii.starved)
        result = fault(out, no_memory);
    buf_fini(fields);
    buf_move(fields, &ascii);
    return result;
}

/* Find out what has to be done about the content for a hop without 8BITMIME, and about the fields
 * that go with it. */
static enum compose_result plan_conversion(const struct compose_input *in, struct buf *fields,
                                           struct compose_output *out)
{
    /* what we report about, a server may change as it likes: better than no report */
    struct sevenbit *c = sevenbit_new(buf_span(fields), in->protocol.len > 0);
    struct span chunk = SPAN_NONE;
    out->conversion = c;
    in->rewind_body(in->context);
    do {
        if (!in->read_body(in->context, &chunk, &out->err))
            return COMPOSE_FAULT;
        sevenbit_read(c, chunk);
    } while (chunk.len > 0);
    sevenbit_read_end(c);
    if (sevenbit_starved(c))
        return fault(out, no_memory);
    if (sevenbit_obstacle(c)) {
        out->verdict = verdict_make(550, "5.6.3",
                                    "Message holds 8-bit content %s, and the receiving server does "
                                    "not offer 8BITMIME (RFC 6152 3)",
                                    sevenbit_obstacle(c));
        return COMPOSE_NEVER;
    }
    if (sevenbit_needed(c)) {
        buf_clear(fields);
        sevenbit_write_header(c, fields);
    } else {
        sevenbit_free(c);
        out->conversion = NULL;
    }
    return COMPOSE_OK;
}

static void sign_piece(struct signing *s, struct span piece, struct compose_output *out)
{
    out->body.length += piece.len;
    signing_body(s, piece);
}

bool compose_converted(const struct buf *piece, struct err *err)
{
    if (piece->starved)
        return err_set(err, ERR_SYSTEM, "%s", no_memory);
    return !piece->overflow || err_set(err, ERR_LIMIT, "header of a part grew over its limit");
}

/* A piece of what was submitted; empty: the end. */
static bool sign_converted(struct signing *s, struct span chunk, struct buf *piece,
                           struct compose_output *out)
{
    bool ok = true;
    if (chunk.len == 0)
        sevenbit_write_end(out->conversion, piece);
    do {
        struct span part = span_first(chunk, COMPOSE_PIECE_MAX);
        sevenbit_write(out->conversion, part, piece);
        chunk = span_from(chunk, part.len);
        ok = compose_converted(piece, &out->err);
        if (ok)
            sign_piece(s, buf_span(piece), out);
        buf_clear(piece);
    } while (ok && chunk.len > 0);
    return ok;
}

enum compose_form compose_form(const struct compose_output *out)
{
    return !out->conversion        ? COMPOSE_AS_SUBMITTED
           : out->header_converted ? COMPOSE_IN_ASCII
                                   : COMPOSE_IN_7BIT;
}

static bool sign_body(const struct compose_input *in, struct signing *s, struct compose_output *out)
{
    const struct compose_body *known = in->known[compose_form(out)];
    if (known) {
        out->body = *known;
        signing_body_known(s, out->body.hash);
        return true;
    }
    struct span chunk = SPAN_NONE;
    struct buf piece;
    bool ok = true;
    buf_init_peer(&piece, COMPOSE_CONVERTED_MAX);
    in->rewind_body(in->context);
    do {
        ok = in->read_body(in->context, &chunk, &out->err);
        if (ok && out->conversion)
            ok = sign_converted(s, chunk, &piece, out);
        else if (ok)
            sign_piece(s, chunk, out);
    } while (ok && chunk.len > 0);
    buf_fini(&piece);
    return ok;
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
    if (ok)
        signing_body_hash(s, out->body.hash);
    signing_free(s);
    return ok;
}

/* It would be no better at the next try. */
static enum compose_result too_large(struct compose_output *out)
{
    out->verdict = verdict_make(550, "5.6.3", "Converting the message failed: %s", out->err.text);
    return COMPOSE_NEVER;
}

enum compose_result compose(const struct compose_input *in, struct compose_output *out)
{
    *out = (struct compose_output){0};
    buf_init_peer(&out->head, HEAD_MAX);
    if (in->key_count == 0)
        return fault(out, "no DKIM key");
    struct buf fields;
    buf_init_peer(&fields, HEAD_MAX);
    edit_fields(in, &fields);
    enum compose_result result = fields.overflow ? fault(out, no_memory) : COMPOSE_OK;
    if (result == COMPOSE_OK && in->header_has_utf8 && !in->hop_smtputf8)
        result = downgrade(&fields, out);
    if (result == COMPOSE_OK && in->body_has_8bit && !in->hop_8bitmime)
        result = plan_conversion(in, &fields, out);
    if (result == COMPOSE_OK && !sign(in, buf_span(&fields), out))
        result = out->err.kind == ERR_LIMIT && !out->head.overflow ? too_large(out) : COMPOSE_FAULT;
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
    sevenbit_free(out->conversion);
    out->conversion = NULL;
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
    return BUF_ADD(out, address.local, SPAN("@"), domain) &&
                   parses_back(buf_span(out), &address, ascii)
               ? COMPOSE_SAID
               : COMPOSE_NO_ADDRESS;
}
