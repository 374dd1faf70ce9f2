// SPDX-License-Identifier: BSD-2-Clause
/* admit.c - In order: the envelope sender, the header's form, who it says it is from, which stream
 * it belongs to. */
#include "admit.h"

#include "unsubscribe.h"

#include <stdio.h>

struct verdict admit_sender(const struct identity *identity, struct span sender)
{
    struct address address;
    if (sender.len == 0)
        return verdict_make(250, "2.1.0", "OK");
    if (!address_parse(sender, &address))
        return verdict_make(501, "5.1.7", "Sender address is not valid");
    if (!identity_may(identity, &address))
        return identity_refusal(identity, "Sender", sender);
    return verdict_make(250, "2.1.0", "OK");
}

static struct verdict choose_stream(const struct admit_input *in, struct admission *a)
{
    struct span name =
        a->summary.stream.len > 0 ? a->summary.stream : span_of(in->identity->stream);
    a->class = STREAM_NOTIFICATION;
    a->on_limit = STREAM_PACE;
    a->lifetime_ms = stream_lifetime_ms(NULL, a->class);
    a->stream[0] = '\0';
    if (name.len == 0)
        return verdict_make(250, "2.0.0", "OK");
    const struct stream *stream = stream_find(in->streams, in->stream_count, name);
    if (!stream) {
        char known[200] = "";
        size_t used = 0;
        for (size_t i = 0; i < in->stream_count && used < sizeof(known) - 1; i++)
            used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%s", i ? ", " : "",
                                     in->streams[i].name);
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
    a->lifetime_ms = stream_lifetime_ms(stream, stream->class);
    return verdict_make(250, "2.0.0", "OK");
}

static void note_sender(struct span sender, struct admission *a)
{
    struct address address;
    if (!address_parse(sender, &address) || !address_domain_ascii(address.domain, a->sender_domain))
        a->sender_domain[0] = '\0';
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
    a->foreign = !identity_may(in->identity, &a->summary.from);
    if (a->foreign)
        return identity_refusal(in->identity, "From field", a->summary.from.text);
    return choose_stream(in, a);
}
