// SPDX-License-Identifier: BSD-2-Clause
/* encoded_word.c - Writes runs of words as encoded words of at most 75 characters, split between
 * characters, on lines of at most 76 (RFC 2047 section 2). */
#include "encoded_word.h"

#include "base64.h"

#include <stdio.h>
#include <string.h>

enum { ROOM_MIN = 12 }; /* a character of four octets */
enum { LINK_LINE_MAX = 900 };

void encoded_begin(struct encoded_writer *w, struct buf *out, size_t limit)
{
    *w = (struct encoded_writer){.out = out, .space = SPAN_NONE};
    buf_init_peer(&w->run, limit);
}

void encoded_put(struct encoded_writer *w, struct span bytes)
{
    buf_add(w->out, bytes);
    for (size_t i = 0; i < bytes.len; i++)
        w->column = bytes.ptr[i] == '\n' ? 0 : w->column + 1;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct span encoded_take_space(struct span *s)
{
    size_t len = 0;
    while (len < s->len && is_blank(s->ptr[len]))
        len++;
    struct span space = span_first(*s, len);
    *s = span_from(*s, len);
    return space;
}

static void add_unfolded(struct buf *out, struct span space)
{
    for (size_t i = 0; i < space.len; i++)
        if (space.ptr[i] == ' ' || space.ptr[i] == '\t')
            buf_add_char(out, space.ptr[i]);
}

/* May it stand for itself in the Q encoding, wherever the word stands (section 5 (3))? */
static bool is_literal(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c != '\0' && strchr("!*+-/", c));
}

static size_t q_length(struct span s)
{
    size_t len = 0;
    for (size_t i = 0; i < s.len; i++)
        len += s.ptr[i] == ' ' || is_literal((unsigned char)s.ptr[i]) ? 1 : 3;
    return len;
}

static size_t b_length(struct span s)
{
    return (s.len + 2) / 3 * 4;
}

static void add_q(struct buf *out, struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c == ' ')
            buf_add_char(out, '_');
        else if (is_literal(c))
            buf_add_char(out, (char)c);
        else
            buf_addf(out, "=%02X", c);
    }
}

/* The characters at the front that fit into `room`. */
static struct span fitting(struct span s, bool q, bool utf8, size_t room)
{
    size_t len = 0;
    while (len < s.len) {
        size_t next = len + 1;
        while (utf8 && next < s.len && ((unsigned char)s.ptr[next] & 0xc0) == 0x80)
            next++;
        struct span longer = span_first(s, next);
        if ((q ? q_length(longer) : b_length(longer)) > room)
            break;
        len = next;
    }
    return span_first(s, len);
}

/* Blanks, on a line of their own when there is no room here for what follows. */
static void put_space(struct encoded_writer *w, struct span space, size_t need)
{
    bool folded = span_find(space, '\n') < space.len;
    if (space.len > 0 && !folded && w->column + space.len + need > ENCODED_WORD_LINE_MAX)
        encoded_put(w, SPAN("\r\n"));
    encoded_put(w, space);
}

static size_t octets_length(struct span s)
{
    size_t len = s.len;
    for (size_t i = 0; i < s.len; i++)
        len += (unsigned char)s.ptr[i] < 0x80 ? 0 : 2;
    return len;
}

static void put_octets(struct encoded_writer *w, struct span s, bool link)
{
    for (size_t i = 0; i < s.len; i++) {
        char escaped[4];
        if (link && w->column + sizeof(escaped) > LINK_LINE_MAX)
            encoded_put(w, SPAN("\r\n "));
        snprintf(escaped, sizeof(escaped), "%%%02X", (unsigned char)s.ptr[i]);
        bool ascii = (unsigned char)s.ptr[i] < 0x80;
        encoded_put(w, ascii ? span_first(span_from(s, i), 1) : span_of(escaped));
    }
}

void encoded_octets(struct encoded_writer *w, struct span s, bool link)
{
    bool changed = false;
    while (s.len > 0) {
        struct span space = encoded_take_space(&s);
        size_t len = 0;
        while (len < s.len && !is_blank(s.ptr[len]))
            len++;
        struct span word = span_first(s, len);
        s = span_from(s, len);
        changed = changed || !span_is_ascii(word);
        if (changed && word.len > 0)
            put_space(w, space, octets_length(word));
        else
            encoded_put(w, space);
        put_octets(w, word, link);
    }
}

/* Something that stays, behind blanks. */
static void put_behind(struct encoded_writer *w, struct span space, struct span bytes)
{
    if (w->changed && bytes.len > 0)
        put_space(w, space, bytes.len);
    else
        encoded_put(w, space);
    encoded_put(w, bytes);
}

static void flush(struct encoded_writer *w)
{
    struct span rest = buf_span(&w->run);
    bool utf8 = span_is_utf8(rest);
    bool q = q_length(rest) <= b_length(rest);
    bool open = w->out->len > 0 && w->out->ptr[w->out->len - 1] == '(';
    bool alone = w->space.len > 0 || (open && w->column < ENCODED_WORD_LINE_MAX / 2);
    struct span space = alone ? w->space : SPAN(" ");
    char start[24] = "=?utf-8?";
    if (!utf8)
        memcpy(start, "=?unknown-8bit?", sizeof("=?unknown-8bit?")); /* RFC 1428 */
    size_t around = strlen(start) +
                    sizeof("Q?"
                           "?=") -
                    1;
    w->changed = w->changed || rest.len > 0;
    while (rest.len > 0) {
        put_space(w, space, around + ROOM_MIN);
        size_t left = w->column < ENCODED_WORD_LINE_MAX ? ENCODED_WORD_LINE_MAX - w->column : 0;
        left = left < around + ROOM_MIN ? around + ROOM_MIN : left;
        left = left > ENCODED_WORD_MAX ? ENCODED_WORD_MAX : left;
        struct span text = fitting(rest, q, utf8, left - around);
        size_t before = w->out->len;
        buf_addf(w->out, "%s%c?", start, q ? 'Q' : 'B');
        if (q)
            add_q(w->out, text);
        else if (!base64_encode(text, w->out))
            w->out->overflow = true;
        buf_add(w->out, SPAN("?="));
        w->column += w->out->len - before;
        rest = span_from(rest, text.len);
        space = SPAN("\r\n ");
    }
    buf_clear(&w->run);
}

static bool is_encoded(struct span word)
{
    return span_starts_nocase(word, SPAN("=?")) && span_ends_nocase(word, SPAN("?="));
}

void encoded_word(struct encoded_writer *w, struct span space, struct span word, struct span text)
{
    bool running = w->run.len > 0;
    if (!span_is_ascii(word)) {
        if (!running)
            w->space = space;
        if (running || w->after_word)
            add_unfolded(&w->run, space);
        buf_add(&w->run, text);
        w->after_word = false;
        return;
    }
    bool encoded = is_encoded(word);
    if (running && encoded)
        add_unfolded(&w->run, space);
    flush(w);
    put_behind(w, space, word);
    w->after_word = encoded;
}

void encoded_special(struct encoded_writer *w, struct span space, struct span bytes)
{
    bool running = w->run.len > 0;
    flush(w);
    put_behind(w, running && space.len == 0 ? SPAN(" ") : space, bytes);
    w->after_word = false;
}

void encoded_text(struct encoded_writer *w, struct span text)
{
    while (text.len > 0) {
        struct span space = encoded_take_space(&text);
        size_t len = 0;
        while (len < text.len && !is_blank(text.ptr[len]))
            len++;
        struct span word = span_first(text, len);
        text = span_from(text, len);
        if (word.len > 0) {
            encoded_word(w, space, word, word);
        } else {
            flush(w);
            encoded_put(w, space);
        }
    }
    flush(w);
}

/* A word of a comment: what it says is added to `says`. */
static struct span take_comment_word(struct span *s, struct buf *says)
{
    size_t len = 0;
    buf_clear(says);
    while (len < s->len && !is_blank(s->ptr[len]) && !strchr("()", s->ptr[len])) {
        if (s->ptr[len] == '\\' && len + 1 < s->len && !is_blank(s->ptr[len + 1]))
            len++;
        buf_add_char(says, s->ptr[len++]);
    }
    struct span word = span_first(*s, len);
    *s = span_from(*s, len);
    return word;
}

void encoded_comment(struct encoded_writer *w, struct span space, struct span comment)
{
    struct buf says;
    if (span_is_ascii(comment)) {
        encoded_special(w, space, comment);
        return;
    }
    buf_init_peer(&says, comment.len);
    encoded_special(w, space, span_first(comment, 1));
    comment = span_from(comment, 1);
    while (comment.len > 0) {
        space = encoded_take_space(&comment);
        struct span word = take_comment_word(&comment, &says);
        if (word.len > 0) {
            encoded_word(w, space, word, buf_span(&says));
            continue;
        }
        flush(w);
        encoded_put(w, space);
        encoded_put(w, span_first(comment, 1));
        comment = span_from(comment, 1);
    }
    buf_fini_part(&says, w->out);
}

void encoded_end(struct encoded_writer *w)
{
    flush(w);
    buf_fini_part(&w->run, w->out);
}
