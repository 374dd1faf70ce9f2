// SPDX-License-Identifier: BSD-2-Clause
/* unsubscribe_form.c - Parses the posted form. Parsing never fails: a form that is not understood
 * requests nothing. */
#include "unsubscribe_page.h"

#include "message.h"
#include "mime.h"

enum { VALUE_MAX = 200 };

/* The pairs that mean something: of mail programs, and of our own page. */
static enum unsubscribe_action action_of(struct span name, struct span value)
{
    static const struct {
        const char *name, *value;
        enum unsubscribe_action action;
    } pairs[] = {{"List-Unsubscribe", "One-Click", UNSUBSCRIBE_ONE_CLICK},
                 {"action", "stream", UNSUBSCRIBE_STREAM},
                 {"action", "all", UNSUBSCRIBE_ALL},
                 {"action", "flood", UNSUBSCRIBE_FLOOD},
                 {"action", "undo", UNSUBSCRIBE_UNDO}};
    for (size_t i = 0; i < COUNT_OF(pairs); i++)
        if (span_equal_nocase(span_trim(name), span_of(pairs[i].name)) &&
            span_equal_nocase(span_trim(value), span_of(pairs[i].value)))
            return pairs[i].action;
    return UNSUBSCRIBE_NOTHING;
}

static void decode(struct span s, struct buf *out)
{
    buf_clear(out);
    for (size_t i = 0; i < s.len; i++) {
        int high = i + 2 < s.len ? span_hex_value(s.ptr[i + 1]) : -1;
        int low = i + 2 < s.len ? span_hex_value(s.ptr[i + 2]) : -1;
        if (s.ptr[i] == '%' && high >= 0 && low >= 0) {
            buf_add_char(out, (char)(high << 4 | low));
            i += 2;
        } else {
            buf_add_char(out, s.ptr[i] == '+' ? ' ' : s.ptr[i]);
        }
    }
}

static enum unsubscribe_action read_urlencoded(struct span body)
{
    enum unsubscribe_action found = UNSUBSCRIBE_NOTHING;
    struct buf name;
    struct buf value;
    buf_init(&name, VALUE_MAX);
    buf_init(&value, VALUE_MAX);
    while (body.len > 0 && found == UNSUBSCRIBE_NOTHING) {
        struct span pair = span_take(&body, '&');
        decode(span_take(&pair, '='), &name);
        decode(pair, &value);
        if (!name.overflow && !value.overflow)
            found = action_of(buf_span(&name), buf_span(&value));
    }
    buf_fini(&name);
    buf_fini(&value);
    return found;
}

/* Its name is said in Content-Disposition (RFC 7578 section 4.2). */
static void read_part(void *context, const struct mime_entity *part)
{
    enum unsubscribe_action *found = context;
    char name[VALUE_MAX];
    struct field f;
    if (*found == UNSUBSCRIBE_NOTHING &&
        message_find(part->header, SPAN("Content-Disposition"), 0, &f) &&
        mime_parameter(f.value, SPAN("name"), name, sizeof(name)))
        *found = action_of(span_of(name), part->body);
}

static enum unsubscribe_action read_multipart(struct span content_type, struct span body)
{
    enum unsubscribe_action found = UNSUBSCRIBE_NOTHING;
    struct buf header;
    buf_init(&header, 2048);
    buf_addf(&header, "Content-Type: %.*s\r\n", SPAN_ARG(span_first(content_type, 1000)));
    mime_leaves(buf_span(&header), body, read_part, &found);
    buf_fini(&header);
    return found;
}

enum unsubscribe_action unsubscribe_form(struct span content_type, struct span body)
{
    return span_starts_nocase(content_type, SPAN("multipart/")) ? read_multipart(content_type, body)
                                                                : read_urlencoded(span_trim(body));
}

const char *unsubscribe_action_name(enum unsubscribe_action action)
{
    static const char *const names[] = {
        [UNSUBSCRIBE_NOTHING] = "nothing", [UNSUBSCRIBE_ONE_CLICK] = "one-click",
        [UNSUBSCRIBE_STREAM] = "stream",   [UNSUBSCRIBE_ALL] = "all",
        [UNSUBSCRIBE_FLOOD] = "flood",     [UNSUBSCRIBE_UNDO] = "undo"};
    return names[action];
}
