// SPDX-License-Identifier: BSD-2-Clause
/* unsubscribe_page.h - Requests for an unsubscribe link by mail programs and people, and the page
 * that answers them. */
#ifndef UNSUBSCRIBE_PAGE_H
#define UNSUBSCRIBE_PAGE_H

#include "buf.h"
#include "language.h"

enum unsubscribe_action {
    UNSUBSCRIBE_NOTHING,   /* nothing that we know */
    UNSUBSCRIBE_ONE_CLICK, /* RFC 8058: the stream, asked for by a mail program */
    UNSUBSCRIBE_STREAM,
    UNSUBSCRIBE_ALL,   /* all optional mail of the tenant */
    UNSUBSCRIBE_FLOOD, /* everything but security mail, for a day */
    UNSUBSCRIBE_UNDO
};

/* What a POST asks: urlencoded or multipart/form-data, whatever its Content-Type says (empty: it
 * says nothing). */
enum unsubscribe_action unsubscribe_form(struct span content_type, struct span body);

/* "one-click", "stream", … */
const char *unsubscribe_action_name(enum unsubscribe_action action);

/* What has just happened. */
enum unsubscribe_result {
    UNSUBSCRIBE_SHOWN,          /* nothing */
    UNSUBSCRIBE_STREAM_STOPPED, /* the stream is stopped */
    UNSUBSCRIBE_ALL_STOPPED,    /* all optional mail is */
    UNSUBSCRIBE_FLOOD_STOPPED,  /* everything is, for a day */
    UNSUBSCRIBE_UNDONE,         /* mail comes again */
    UNSUBSCRIBE_NOT_UNDONE,     /* whoever asks is not who did it, or it is too late */
    UNSUBSCRIBE_UNCLEAR,        /* it asks for nothing that we know */
    UNSUBSCRIBE_LATER,          /* it could not be done just now */
    UNSUBSCRIBE_INVALID,        /* no link of ours; nothing else is said */
    UNSUBSCRIBE_RESULTS
};

struct unsubscribe_view {
    enum unsubscribe_result result;
    enum language language;
    const char *sender, *stream; /* names for people, in UTF-8 */
    const char *recipient;       /* is shown masked; empty: not at all */
    uint32_t color;
    /* How things stand; 0: it is not so. */
    int64_t stream_since_ms, all_since_ms, flood_until_ms;
    bool can_undo; /* whoever asks has done it */
    bool again;    /* the browser is to ask once more, by itself: see page.c */
};

/* Append the page: HTML without scripts, whose style is beside it as "style-RRGGBB.css". */
void unsubscribe_page(const struct unsubscribe_view *view, struct buf *out);

/* "#rrggbb" */
MUST_CHECK bool unsubscribe_color(struct span text, uint32_t *rgb_r);
/* "style-RRGGBB.css": the colour is in the file's name, as the page has no style of its own. */
MUST_CHECK bool unsubscribe_style_name(struct span name, uint32_t *rgb_r);
/* Append the style for a sender's colour. */
void unsubscribe_style(uint32_t color, struct buf *out);

#endif
