// SPDX-License-Identifier: BSD-2-Clause
/* unsubscribe_page.c - The page: how things stand, what has just happened, and what can be asked
 * for. It needs no script, reads well aloud in either direction, and fits 320 pixels. */
#include "unsubscribe_page.h"

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

void unsubscribe_mask(const char *address, struct buf *out)
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
    unsubscribe_mask(v->recipient, &masked);
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
    const char *key;
    int64_t at_ms;
    bool markup;
};

static void add_mark(const struct sentence *s, struct span mark, struct buf *out)
{
    if (span_equal(mark, SPAN("sender")))
        add_isolated(s->view, s->view->sender, s->markup, out);
    else if (span_equal(mark, SPAN("stream")))
        add_isolated(s->view, s->view->stream, s->markup, out);
    else if (span_equal(mark, SPAN("address")))
        add_address(s->view, out);
    else
        add_time(s->view, s->at_ms, span_equal(mark, SPAN("moment")), out);
}

static void say(const struct sentence *s, struct buf *out)
{
    struct span rest = language_text(s->view->language, s->key);
    while (rest.len > 0) {
        size_t at = span_find(rest, '{');
        add_escaped(out, span_first(rest, at));
        rest = span_from(rest, at + 1);
        if (rest.len > 0)
            add_mark(s, span_take(&rest, '}'), out);
    }
}

static void add_sentence(const struct unsubscribe_view *v, const char *before, const char *key,
                         int64_t at_ms, struct buf *out)
{
    const struct sentence s = {v, key, at_ms, true};
    buf_add(out, span_of(before));
    say(&s, out);
    buf_add(out, SPAN("</p>\n"));
}

/* ---- how things stand ---- */

static const char good[] = "<p class=\"note good\" role=\"status\"><span>";
static const char bad[] = "<p class=\"note bad\" role=\"alert\"><span>";

static void add_note(const struct unsubscribe_view *v, const char *before, const char *key,
                     int64_t at_ms, struct buf *out)
{
    const struct sentence s = {v, key, at_ms, true};
    buf_add(out, span_of(before));
    say(&s, out);
    buf_add(out, SPAN("</span></p>\n"));
}

/* What has just happened, first of all; an error never looks like a success. */
static void add_result(const struct unsubscribe_view *v, struct buf *out)
{
    static const struct {
        const char *kind, *key;
    } results[UNSUBSCRIBE_RESULTS] = {
        [UNSUBSCRIBE_SHOWN] = {NULL, NULL},
        [UNSUBSCRIBE_STREAM_STOPPED] = {good, "done_stream"},
        [UNSUBSCRIBE_ALL_STOPPED] = {good, "done_all"},
        [UNSUBSCRIBE_FLOOD_STOPPED] = {NULL, NULL}, /* says until when, as at each visit */
        [UNSUBSCRIBE_UNDONE] = {good, "undone"},
        [UNSUBSCRIBE_NOT_UNDONE] = {bad, "undo_refused"},
        [UNSUBSCRIBE_UNCLEAR] = {bad, "unclear"},
        [UNSUBSCRIBE_LATER] = {bad, "later"},
        [UNSUBSCRIBE_INVALID] = {bad, "invalid_text"},
    };
    if (results[v->result].key)
        add_note(v, results[v->result].kind, results[v->result].key, 0, out);
}

static void add_standing(const struct unsubscribe_view *v, struct buf *out)
{
    if (v->all_since_ms > 0 && v->result != UNSUBSCRIBE_ALL_STOPPED)
        add_note(v, good, "is_all", v->all_since_ms, out);
    if (v->stream_since_ms > 0 && v->result != UNSUBSCRIBE_STREAM_STOPPED)
        add_note(v, good, "is_stream", v->stream_since_ms, out);
    if (v->flood_until_ms > 0)
        add_note(v, good, "is_flood", v->flood_until_ms, out);
}

/* ---- what can be asked for ---- */

static void add_button(const struct unsubscribe_view *v, const char *action, const char *more,
                       const char *key, struct buf *out)
{
    const struct sentence s = {v, key, 0, true};
    buf_addf(out, "<button name=\"action\" value=\"%s\"%s>", action, more);
    say(&s, out);
    buf_add(out, SPAN("</button>\n"));
}

static void add_form(const struct unsubscribe_view *v, struct buf *out)
{
    static const char first[] = " class=\"first\"";
    bool anything = v->stream_since_ms > 0 || v->all_since_ms > 0 || v->flood_until_ms > 0;
    bool can_stream = v->stream_since_ms == 0 && v->all_since_ms == 0;
    buf_add(out, SPAN("<form method=\"post\">\n"));
    if (anything && v->can_undo)
        add_button(v, "undo", first, "undo", out);
    if (anything && !v->can_undo)
        add_sentence(v, "<p class=\"soft\">", "contact", 0, out);
    if (can_stream && !anything)
        add_sentence(v, "<p>", "question", 0, out);
    if (can_stream)
        add_button(v, "stream", anything ? "" : first, "stop_stream", out);
    if (v->all_since_ms == 0)
        add_button(v, "all", "", "stop_all", out);
    if (v->flood_until_ms == 0) {
        buf_add(out, SPAN("<div class=\"apart\">\n"));
        add_sentence(v, "<p class=\"soft\" id=\"flood\">", "flood_note", 0, out);
        add_button(v, "flood", " aria-describedby=\"flood\"", "stop_flood", out);
        buf_add(out, SPAN("</div>\n"));
    }
    buf_add(out, SPAN("</form>\n"));
}

/* ---- the whole ---- */

static void add_head(const struct unsubscribe_view *v, struct buf *out)
{
    const char *key = v->result == UNSUBSCRIBE_INVALID ? "invalid" : "title";
    const struct sentence title = {v, key, 0, false};
    struct span lang = language_text(v->language, "lang");
    buf_addf(out,
             "<!doctype html>\n<html lang=\"%.*s\" dir=\"%s\">\n<head>\n<meta charset=\"utf-8\">\n"
             "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n",
             SPAN_ARG(lang), is_rtl(v->language) ? "rtl" : "ltr");
    if (v->again)
        buf_add(out, SPAN("<meta http-equiv=\"refresh\" content=\"0\">\n"));
    buf_add(out, SPAN("<title>"));
    say(&title, out);
    buf_addf(out,
             "</title>\n<link rel=\"stylesheet\" href=\"style-%06x.css\">\n"
             "<link rel=\"icon\" href=\"data:,\">\n</head>\n<body>\n<main>\n",
             v->color);
}

/* Beside the heading stands the first letter of the sender's name, in the sender's colour. */
static void add_heading(const struct unsubscribe_view *v, struct buf *out)
{
    bool valid = v->result != UNSUBSCRIBE_INVALID;
    const struct sentence heading = {v, valid ? "title" : "invalid", 0, true};
    struct span sender = span_of(v->sender);
    buf_add(out, SPAN("<div class=\"heading\">\n"));
    if (valid) {
        buf_add(out, SPAN("<span class=\"mark\" aria-hidden=\"true\">"));
        add_escaped(out, span_first(sender, character(sender)));
        buf_add(out, SPAN("</span>\n"));
    }
    buf_add(out, SPAN("<h1>"));
    say(&heading, out);
    buf_add(out, SPAN("</h1>\n</div>\n"));
}

void unsubscribe_page(const struct unsubscribe_view *v, struct buf *out)
{
    bool valid = v->result != UNSUBSCRIBE_INVALID;
    add_head(v, out);
    add_heading(v, out);
    if (valid && v->recipient[0])
        add_sentence(v, "<p class=\"soft\">", "address", 0, out);
    add_result(v, out);
    if (valid) {
        add_standing(v, out);
        add_form(v, out);
    }
    buf_add(out, SPAN("</main>\n</body>\n</html>\n"));
}
