// SPDX-License-Identifier: BSD-2-Clause
/* returns_parts.c - From a message to its parts.
 *
 * - Line ends become CRLF, within RETURNS_BYTES_MAX; the line that a mailbox file puts before a
 *   message is left out.
 * - The leaves of the message are looked at, RETURNS_PARTS_MAX of them. An attached message is a
 *   leaf: its header is kept, and nothing in it is opened.
 * - What is no part of a report, and no text, says nothing.
 */
#include "returns_parts.h"

#include "message.h"
#include "mime.h"
#include "returns.h"
#include "returns_charset.h"
#include "returns_html.h"

#include <string.h>

enum { TEXT_MAX = 64 * 1024, ORIGINAL_MAX = 32 * 1024 };

/* ---- line ends ---- */

static void any_line_ends(struct span in, struct buf *out)
{
    while (in.len > 0) {
        size_t run = 0;
        while (run < in.len && in.ptr[run] != '\r' && in.ptr[run] != '\n')
            run++;
        buf_add(out, span_first(in, run));
        if (run < in.len)
            buf_add(out, SPAN("\r\n"));
        bool both = span_equal(span_first(span_from(in, run), 2), SPAN("\r\n"));
        in = span_from(in, run + (both ? 2 : 1));
    }
}

/* ---- what a part holds ---- */

/* Its octets without their encoding, as UTF-8 where the charset is known. */
static void decode(const struct mime_entity *leaf, struct buf *text_r)
{
    char charset[RETURNS_WORD_MAX + 1];
    struct field f;
    struct buf octets;
    buf_init_peer(&octets, leaf->body.len);
    mime_decode(leaf->encoding, leaf->body, &octets);
    if (!message_find(leaf->header, SPAN("Content-Type"), 0, &f) ||
        !mime_parameter(f.value, SPAN("charset"), charset, sizeof(charset)))
        charset[0] = '\0';
    returns_to_utf8(span_of(charset), buf_span(&octets), text_r);
    buf_fini_part(&octets, text_r);
}

/* Parts of one kind follow each other behind an empty line. What is too long is cut off. */
static void append(const struct mime_entity *leaf, struct buf *to)
{
    struct buf text;
    struct buf lines;
    buf_init_peer(&text, RETURNS_BYTES_MAX * 4);
    buf_init_peer(&lines, RETURNS_BYTES_MAX * 8);
    decode(leaf, &text);
    any_line_ends(buf_span(&text), &lines);
    if (to->len > 0)
        buf_add(to, SPAN("\r\n\r\n"));
    buf_add(to, span_first(buf_span(&lines), to->limit - to->len));
    to->starved = to->starved || text.starved || lines.starved;
    buf_fini(&text);
    buf_fini(&lines);
}

static void append_page(const struct mime_entity *leaf, struct buf *to)
{
    struct buf page;
    buf_init_peer(&page, TEXT_MAX);
    append(leaf, &page);
    returns_html_text(buf_span(&page), to);
    to->starved = to->starved || page.starved;
    buf_fini(&page);
}

/* ---- which part it is ---- */

static bool is_attachment(const struct mime_entity *leaf)
{
    struct field f;
    return message_find(leaf->header, SPAN("Content-Disposition"), 0, &f) &&
           span_starts_nocase(span_trim(f.value), SPAN("attachment"));
}

static void take_text(struct returns_parts *p, const struct mime_entity *leaf)
{
    bool whole = leaf->depth == 0 || !is_attachment(leaf);
    if (span_equal_nocase(leaf->type, SPAN("text/html")) && whole)
        append_page(leaf, &p->page);
    else if ((mime_is_text(leaf) || span_starts_nocase(leaf->type, SPAN("multipart/"))) && whole)
        append(leaf, &p->notice);
}

static void take_original(struct returns_parts *p, const struct mime_entity *leaf)
{
    if (!p->has_original)
        append(leaf, &p->original);
    p->has_original = true;
}

static bool is_any(struct span type, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (span_equal_nocase(type, span_of(names[i])))
            return true;
    return false;
}

static void take_leaf(struct returns_parts *p, const struct mime_entity *leaf)
{
    static const char *const originals[] = {"message/rfc822",         "message/global",
                                            "message/rfc822-headers", "text/rfc822-headers",
                                            "text/rfc822-header",     "message/global-headers",
                                            "message/partial",        "text/rfc822"};
    static const char *const statuses[] = {"message/delivery-status",
                                           "message/global-delivery-status"};
    static const char *const dispositions[] = {"message/disposition-notification",
                                               "message/global-disposition-notification"};
    if (is_any(leaf->type, statuses, COUNT_OF(statuses))) {
        append(leaf, &p->status);
        p->has_status = true;
    } else if (span_equal_nocase(leaf->type, SPAN("message/feedback-report"))) {
        append(leaf, &p->feedback);
        p->has_feedback = true;
    } else if (is_any(leaf->type, dispositions, COUNT_OF(dispositions))) {
        append(leaf, &p->disposition);
        p->has_disposition = true;
    } else if (is_any(leaf->type, originals, COUNT_OF(originals))) {
        take_original(p, leaf);
    } else {
        take_text(p, leaf);
    }
}

static void on_leaf(void *context, const struct mime_entity *leaf)
{
    struct returns_parts *p = context;
    if (p->count == RETURNS_PARTS_MAX || leaf->depth > RETURNS_DEPTH_MAX) {
        p->more = true;
        return;
    }
    p->count++;
    take_leaf(p, leaf);
}

/* ---- the message ---- */

static struct span without_mailbox_line(struct span message)
{
    if (span_equal(span_first(message, 5), SPAN("From ")))
        span_take(&message, '\n');
    return message;
}

bool returns_parts_read(struct span message, struct returns_parts *parts_r)
{
    size_t length = 0;
    *parts_r = (struct returns_parts){.header = SPAN_NONE};
    buf_init_peer(&parts_r->lines, RETURNS_BYTES_MAX * 2);
    buf_init_peer(&parts_r->status, RETURNS_BYTES_MAX);
    buf_init_peer(&parts_r->feedback, TEXT_MAX);
    buf_init_peer(&parts_r->disposition, TEXT_MAX);
    buf_init_peer(&parts_r->notice, TEXT_MAX);
    buf_init_peer(&parts_r->page, TEXT_MAX);
    buf_init_peer(&parts_r->original, ORIGINAL_MAX);
    any_line_ends(span_first(without_mailbox_line(message), RETURNS_BYTES_MAX), &parts_r->lines);
    struct span whole = buf_span(&parts_r->lines);
    bool ended = message_header_length(whole, &length);
    parts_r->header = span_first(whole, length);
    mime_leaves(parts_r->header, ended ? span_from(whole, length + 2) : SPAN_NONE, on_leaf,
                parts_r);
    return !parts_r->lines.starved && !parts_r->status.starved && !parts_r->feedback.starved &&
           !parts_r->disposition.starved && !parts_r->notice.starved && !parts_r->page.starved &&
           !parts_r->original.starved;
}

void returns_parts_fini(struct returns_parts *parts)
{
    buf_fini(&parts->lines);
    buf_fini(&parts->status);
    buf_fini(&parts->feedback);
    buf_fini(&parts->disposition);
    buf_fini(&parts->notice);
    buf_fini(&parts->page);
    buf_fini(&parts->original);
}

struct span returns_parts_text(const struct returns_parts *parts)
{
    bool blank = span_trim(buf_span(&parts->notice)).len == 0;
    return buf_span(blank ? &parts->page : &parts->notice);
}
