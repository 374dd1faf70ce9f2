// SPDX-License-Identifier: BSD-2-Clause
/* unsubscribe_page.c - The words of the template page/page.html: names, times and texts in the
 * reader's language, and the current state. Everything is escaped here. */
#include "unsubscribe_page.h"

#include "page_files.h"
#include "template.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* ---- the masked address ---- */

/* Bytes of the character that begins here. */
static size_t character(struct span s)
{
    size_t len = s.len > 0;
    while (len < s.len && ((unsigned char)s.ptr[len] & 0xc0) == 0x80)
        len++;
    return len;
}

/* The first and the last character; of two the first one, of one none. */
static void add_masked(struct span part, struct buf *out)
{
    size_t first = character(part);
    size_t last = part.len;
    while (last > 0 && ((unsigned char)part.ptr[last - 1] & 0xc0) == 0x80)
        last--;
    last -= last > 0;
    if (first < part.len)
        buf_add(out, span_first(part, first));
    buf_add(out, SPAN("…"));
    if (last > first)
        buf_add(out, span_from(part, last));
}

/* An address of which only those who know it see which it is: "b…b@e…e.example". */
static void mask(const char *address, struct buf *out)
{
    const char *at = strrchr(address, '@');
    const char *dot = at ? strrchr(at, '.') : NULL;
    if (!at) {
        buf_add(out, SPAN("…"));
        return;
    }
    struct span domain = span_of(at + 1);
    struct span top = dot ? span_of(dot) : SPAN_NONE;
    add_masked(span_first(span_of(address), (size_t)(at - address)), out);
    buf_add_char(out, '@');
    add_masked(span_first(domain, domain.len - top.len), out);
    buf_add(out, top);
}

/* ---- texts ---- */

static void add_escaped(struct buf *out, struct span text)
{
    static const char special[] = "&<>\"'";
    static const char *const entities[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;"};
    for (size_t i = 0; i < text.len; i++) {
        const char *at = text.ptr[i] ? strchr(special, text.ptr[i]) : NULL;
        if (at)
            buf_add(out, span_of(entities[at - special]));
        else
            buf_add_char(out, text.ptr[i]);
    }
}

static bool is_rtl(enum language language)
{
    return span_equal(language_text(language, "direction"), SPAN("rtl"));
}

/* A name has a direction of its own, which must not turn the sentence around it. In a title there
 * are no elements: there characters do it. */
static void add_isolated(const struct unsubscribe_view *v, const char *text, bool markup,
                         struct buf *out)
{
    bool marks = !markup && is_rtl(v->language);
    buf_add(out, markup ? SPAN("<bdi>") : marks ? SPAN("\u2068") : SPAN_NONE);
    add_escaped(out, span_of(text));
    buf_add(out, markup ? SPAN("</bdi>") : marks ? SPAN("\u2069") : SPAN_NONE);
}

static void add_address(const struct unsubscribe_view *v, struct buf *out)
{
    struct buf masked;
    buf_init(&masked, 1024);
    mask(v->recipient, &masked);
    buf_add(out, SPAN("<bdi dir=\"ltr\">"));
    add_escaped(out, buf_span(&masked));
    buf_add(out, SPAN("</bdi>"));
    buf_fini(&masked);
}

static void add_time(const struct unsubscribe_view *v, int64_t at_ms, bool minute, struct buf *out)
{
    char machine[40];
    struct tm tm = {0};
    time_t at_s = (time_t)(at_ms / 1000);
    gmtime_r(&at_s, &tm);
    strftime(machine, sizeof(machine), minute ? "%Y-%m-%dT%H:%MZ" : "%Y-%m-%d", &tm);
    buf_addf(out, "<time datetime=\"%s\">", machine);
    if (minute)
        language_moment(v->language, at_ms, out);
    else
        language_date(v->language, at_ms, out);
    buf_add(out, SPAN("</time>"));
}

struct sentence {
    const struct unsubscribe_view *view;
    int64_t at_ms;
    bool markup;
};

static void insert_mark(const void *view, struct span mark, struct buf *out)
{
    const struct sentence *s = view;
    if (span_equal(mark, SPAN("sender")))
        add_isolated(s->view, s->view->sender, s->markup, out);
    else if (span_equal(mark, SPAN("stream")))
        add_isolated(s->view, s->view->stream, s->markup, out);
    else if (span_equal(mark, SPAN("address")))
        add_address(s->view, out);
    else
        add_time(s->view, s->at_ms, span_equal(mark, SPAN("moment")), out);
}

/* The text of a language's file, with the time that it may speak of. */
static void say(const struct unsubscribe_view *v, struct span key, bool markup, struct buf *out)
{
    static const struct template t = {
        .open = '{', .close = '}', .insert = insert_mark, .plain = add_escaped};
    char name[40];
    CHECK(span_copy(key, name, sizeof(name)));
    const struct span text = language_text(v->language, name);
    const struct sentence s = {.view = v,
                               .at_ms = strcmp(name, "is_all") == 0      ? v->all_since_ms
                                        : strcmp(name, "is_stream") == 0 ? v->stream_since_ms
                                                                         : v->flood_until_ms,
                               .markup = markup};
    CHECK(text.len > 0);
    template_fill(&t, &s, text, out);
}

/* ---- words ---- */

static const char *result_name(enum unsubscribe_result result)
{
    static const char *const names[UNSUBSCRIBE_RESULTS] = {
        [UNSUBSCRIBE_SHOWN] = "shown",
        [UNSUBSCRIBE_STREAM_STOPPED] = "stream_stopped",
        [UNSUBSCRIBE_ALL_STOPPED] = "all_stopped",
        [UNSUBSCRIBE_FLOOD_STOPPED] = "paused",
        [UNSUBSCRIBE_UNDONE] = "undone",
        [UNSUBSCRIBE_NOT_UNDONE] = "not_undone",
        [UNSUBSCRIBE_UNCLEAR] = "unclear",
        [UNSUBSCRIBE_LATER] = "later",
        [UNSUBSCRIBE_INVALID] = "invalid",
    };
    return names[result];
}

/* For @if: something, or nothing. */
static void insert_claim(const struct unsubscribe_view *v, struct span word, struct buf *out)
{
    const bool stream = v->stream_since_ms > 0;
    const bool all = v->all_since_ms > 0;
    const bool paused = v->flood_until_ms > 0;
    const struct {
        const char *name;
        bool holds;
    } claims[] = {{"again", v->again},
                  {"recipient", v->recipient[0] != '\0'},
                  {"stream_stopped", stream},
                  {"all_stopped", all},
                  {"paused", paused},
                  {"anything", stream || all || paused},
                  {"stream_comes", !stream && !all},
                  {"can_undo", v->can_undo}};
    size_t i = 0;
    while (i < COUNT_OF(claims) && !span_equal(word, span_of(claims[i].name)))
        i++;
    CHECK(i < COUNT_OF(claims));
    buf_add(out, claims[i].holds ? SPAN("yes") : SPAN_NONE);
}

static void insert(const void *view, struct span word, struct buf *out)
{
    const struct unsubscribe_view *v = view;
    struct span argument = word;
    struct span verb = span_take(&argument, ' ');
    if (span_equal(verb, SPAN("say")) || span_equal(verb, SPAN("plain")))
        say(v, argument, span_equal(verb, SPAN("say")), out);
    else if (span_equal(word, SPAN("lang")))
        add_escaped(out, language_text(v->language, "lang"));
    else if (span_equal(word, SPAN("direction")))
        buf_add(out, is_rtl(v->language) ? SPAN("rtl") : SPAN("ltr"));
    else if (span_equal(word, SPAN("color")))
        buf_addf(out, "%06x", v->color);
    else if (span_equal(word, SPAN("letter")))
        add_escaped(out, span_first(span_of(v->sender), character(span_of(v->sender))));
    else if (span_equal(word, SPAN("result")))
        buf_add(out, span_of(result_name(v->result)));
    else
        insert_claim(v, word, out);
}

void unsubscribe_page(const struct unsubscribe_view *v, struct buf *out)
{
    static const struct template t = {.open = '{', .close = '}', .insert = insert};
    template_print(&t, v, page_files[PAGE_PAGE], out);
}
