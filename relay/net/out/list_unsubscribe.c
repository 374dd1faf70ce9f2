// SPDX-License-Identifier: BSD-2-Clause
/* list_unsubscribe.c - Makes the links of a stream from the settings at the time the copy is made.
 * Mail that the relay generates belongs to no stream. */
#include "list_unsubscribe.h"

#include "log.h"

#include <stdio.h>

const struct stream *list_unsubscribe_stream(const struct settings *settings, const struct mail *m)
{
    const struct config *c = settings->config;
    return m->stream[0] ? stream_find(c->streams, c->stream_count, span_of(m->stream)) : NULL;
}

bool list_unsubscribe_needed(const struct settings *settings, const struct mail *m)
{
    const struct stream *s = list_unsubscribe_stream(settings, m);
    return s && s->unsubscribe != STREAM_STAY && m->class != STREAM_SECURITY;
}

/* Four parts, the last one the sender's (Gmail's Feedback Loop); none may hold a colon. */
static void add_part(struct buf *out, struct span part, bool last)
{
    for (size_t i = 0; i < part.len; i++) {
        char c = part.ptr[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '.' || c == '-' || c == '_';
        buf_add_char(out, plain ? c : '_');
    }
    if (!last)
        buf_add_char(out, ':');
}

/* The sender's identifier is to have 5 to 15 characters. */
static void add_feedback_id(const struct mail *m, struct buf *out)
{
    unsigned char digest[16];
    char sender[16];
    secret_digest(span_of(m->from_domain), digest);
    snprintf(sender, sizeof(sender), "sp%02x%02x%02x%02x%02x", digest[0], digest[1], digest[2],
             digest[3], digest[4]);
    add_part(out, span_of(m->stream), false);
    add_part(out, span_of(m->tenant), false);
    add_part(out, span_of(stream_class_name(m->class)), false);
    add_part(out, span_of(sender), true);
}

void list_unsubscribe_make(const struct settings *settings, const struct mail *m,
                           const char *recipient, struct buf *url, struct buf *feedback_id)
{
    struct unsubscribe_subject subject = {0};
    const struct stream *s = list_unsubscribe_stream(settings, m);
    if (!list_unsubscribe_needed(settings, m))
        return;
    snprintf(subject.tenant, sizeof(subject.tenant), "%s", m->tenant);
    snprintf(subject.stream, sizeof(subject.stream), "%s", m->stream);
    snprintf(subject.recipient, sizeof(subject.recipient), "%s", recipient);
    bool ok =
        unsubscribe_link(s, settings->config->http_url, &settings->unsubscribe, &subject, url);
    if (!ok) {
        buf_clear(url);
        log_end(
            log_text(log_id(log_begin(LOG_WARN, "no_unsubscribe_link"), m->id), "rcpt", recipient));
    }
    add_feedback_id(m, feedback_id);
}
