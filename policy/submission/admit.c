// SPDX-License-Identifier: BSD-2-Clause
/* admit.c - Checks a message in this order: envelope sender, form of the header, From, stream. */
#include "admit.h"

#include "fields.h"
#include "shown.h"
#include "unsubscribe.h"

#include <stdio.h>

/* What becomes another domain for those who normalise it is two domains. */
static struct verdict check_domain(const char *where, const struct address *address)
{
    char becomes[ADDRESS_DOMAIN_MAX + 1];
    if (!address_domain_changes(address->domain, becomes))
        return verdict_make(250, "2.1.0", "OK");
    return verdict_make(550, "5.7.1",
                        "%s %.*s: its domain becomes %.100s when it is normalised (RFC 5891 4.2.1, "
                        "UTS 46): write it so",
                        where, SPAN_ARG(span_first(address->text, 120)), becomes);
}

struct verdict admit_sender(const struct identity *identity, struct span sender)
{
    struct address address;
    if (sender.len == 0)
        return verdict_make(250, "2.1.0", "OK");
    if (!address_parse(sender, &address))
        return verdict_make(501, "5.1.7", "Sender address is not valid");
    struct verdict v = check_domain("Sender", &address);
    if (v.what != VERDICT_ACCEPT)
        return v;
    if (!identity_may(identity, &address))
        return identity_refusal(identity, "Sender", sender);
    return verdict_make(250, "2.1.0", "OK");
}

static struct verdict accept(void)
{
    return verdict_make(250, "2.0.0", "OK");
}

static enum tls_need tls_need(const struct admit_input *in, const struct admission *a,
                              bool of_stream)
{
    return tls_need_decide(
        &(struct tls_need_said){.requiretls = in->requiretls,
                                .verified = of_stream || a->summary.tls_verify,
                                .waived = in->may_waive_tls && a->summary.tls_waived});
}

static struct verdict choose_stream(const struct admit_input *in, struct admission *a)
{
    struct span name =
        a->summary.stream.len > 0 ? a->summary.stream : span_of(in->identity->stream);
    a->class = STREAM_NOTIFICATION;
    a->on_limit = STREAM_PACE;
    a->lifetime_ms = stream_lifetime_ms(NULL, a->class);
    a->stream[0] = '\0';
    a->tls_need = tls_need(in, a, false);
    if (name.len == 0)
        return accept();
    const struct stream *stream = stream_find(in->streams, in->stream_count, name);
    if (!stream) {
        char known[200] = "";
        size_t used = 0;
        for (size_t i = 0; i < in->stream_count && used < sizeof(known) - 1; i++)
            if (identity_may_name(in->identity, span_of(in->streams[i].name)))
                used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%s",
                                         used > 0 ? ", " : "", in->streams[i].name);
        return verdict_make(550, "5.6.0", "Stream \"%.*s\" is not configured; known: %s",
                            SPAN_ARG(span_first(name, 64)), known[0] ? known : "none");
    }
    if (!identity_may_name(in->identity, span_of(stream->name)))
        return verdict_make(550, "5.7.1",
                            "Stream \"%.64s\" is not allowed for \"%.64s\", which may name: %.200s",
                            stream->name, in->identity->name, in->identity->streams);
    snprintf(a->stream, sizeof(a->stream), "%s", stream->name);
    a->class = stream->class;
    a->on_limit = stream->on_limit;
    a->tls_need = tls_need(in, a, stream->tls == STREAM_TLS_VERIFY);
    a->lifetime_ms = stream_lifetime_ms(stream, stream->class);
    return accept();
}

static void note_sender(struct span sender, struct admission *a)
{
    struct address address;
    if (!address_parse(sender, &address) || !address_domain_ascii(address.domain, a->sender_domain))
        a->sender_domain[0] = '\0';
}

static struct verdict check_shown(const struct identity *identity, struct span field,
                                  const char *text)
{
    struct address shown;
    struct span rest = span_of(text);
    while (shown_next(&rest, &shown))
        if (!identity_may(identity, &shown))
            return verdict_make(550, "5.7.1",
                                "Header field %.*s shows %.*s in the display name, which is all "
                                "that many readers see; \"%.64s\" may use: %.100s. An address to "
                                "answer to belongs into Reply-To",
                                SPAN_ARG(field), SPAN_ARG(span_first(shown.text, 80)),
                                identity->name,
                                identity->allowed[0] ? identity->allowed : "nothing");
    return accept();
}

/* `name`: what stands beside the address. */
static struct verdict check_name(const struct identity *identity, struct span field,
                                 struct span name)
{
    char text[SHOWN_MAX + 1];
    char rule[200];
    if (span_find(name, '@') == name.len && span_search(name, SPAN("=?")) == name.len &&
        span_is_ascii(name))
        return accept();
    switch (shown_text(name, text)) {
    case SHOWN_LONG:
        return fields_refusal("5.6.0", field, "has a display name of over 1,000 octets",
                              "RFC 5322 3.6.2");
    case SHOWN_REVERSED:
        snprintf(rule, sizeof(rule),
                 "has a display name with %.10s, which reverses what readers see: leave it out",
                 text);
        return fields_refusal("5.6.0", field, rule, "UAX 9");
    case SHOWN_CHARSET:
        snprintf(rule, sizeof(rule),
                 "has a display name in the charset %.40s, which not all readers know: use UTF-8",
                 text);
        return fields_refusal("5.6.0", field, rule, "RFC 2047 3");
    case SHOWN_OK:
        break;
    }
    struct verdict v = check_shown(identity, field, text);
    shown_join(text);
    return v.what == VERDICT_ACCEPT ? check_shown(identity, field, text) : v;
}

static struct verdict check_sender(const struct identity *identity, const struct field *f)
{
    struct address address;
    const char *why = NULL;
    char where[40];
    struct verdict v;
    CHECK(address_from_field(f->value, &address, &why)); /* message_check() has seen to that */
    snprintf(where, sizeof(where), "%.*s field", SPAN_ARG(f->name));
    v = check_domain(where, &address);
    if (v.what != VERDICT_ACCEPT)
        return v;
    if (!identity_may(identity, &address))
        return identity_refusal(identity, where, address.text);
    size_t before = (size_t)(address.text.ptr - f->value.ptr);
    v = check_name(identity, f->name, span_first(f->value, before));
    return v.what == VERDICT_ACCEPT
               ? check_name(identity, f->name, span_from(f->value, before + address.text.len))
               : v;
}

/* From, Sender and each Resent-From and Resent-Sender: whoever the message says it is from. Readers
 * show the display name more often than the address. */
static struct verdict check_senders(const struct admit_input *in, unsigned count)
{
    struct span header = in->header;
    struct field f;
    while (count > 0 && message_next_field(&header, &f)) {
        if (!fields_is_sender(f.name))
            continue;
        count--;
        struct verdict v = check_sender(in->identity, &f);
        if (v.what != VERDICT_ACCEPT)
            return v;
    }
    return accept();
}

struct verdict admit_message(const struct admit_input *in, struct admission *a)
{
    struct verdict v = admit_sender(in->identity, in->sender);
    a->foreign = false;
    if (v.what != VERDICT_ACCEPT)
        return v;
    if (in->facts.header_too_long)
        return verdict_make(552, "5.3.4", "Message header is over 256 KB");
    note_sender(in->sender, a);
    v = message_check(in->header, in->smtputf8, &a->summary);
    if (v.what != VERDICT_ACCEPT)
        return v;
    v = unsubscribe_check(in->header);
    if (v.what != VERDICT_ACCEPT)
        return v;
    v = check_senders(in, a->summary.senders);
    a->foreign = v.what != VERDICT_ACCEPT;
    return a->foreign ? v : choose_stream(in, a);
}
