// SPDX-License-Identifier: BSD-2-Clause
/* unsubscribe_page.h - What a mail program or a person asks of a link, and the page that answers.
 */
#ifndef UNSUBSCRIBE_PAGE_H
#define UNSUBSCRIBE_PAGE_H

#include "buf.h"
#include "stream.h"

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

/* The best of our languages for an Accept-Language value (RFC 9110 section 12.5.4); English when it
 * names none of them. */
enum stream_language unsubscribe_language(struct span accept);

enum unsubscribe_state {
    UNSUBSCRIBE_PAGE_ASK,     /* nothing has been done */
    UNSUBSCRIBE_PAGE_STREAM,  /* the stream is stopped */
    UNSUBSCRIBE_PAGE_ALL,     /* all optional mail is */
    UNSUBSCRIBE_PAGE_FLOOD,   /* everything is, for a day */
    UNSUBSCRIBE_PAGE_UNDONE,  /* mail comes again */
    UNSUBSCRIBE_PAGE_INVALID, /* no link of ours; says nothing else */
    UNSUBSCRIBE_PAGE_LATER    /* it could not be done just now */
};

/* Append the page: HTML without scripts, whose style is beside it as "style.css". `sender` and
 * `stream` are names for people, in UTF-8. */
void unsubscribe_page(enum unsubscribe_state state, enum stream_language language,
                      const char *sender, const char *stream, struct buf *out);
/* The style, constant. */
struct span unsubscribe_style(void);

#endif
