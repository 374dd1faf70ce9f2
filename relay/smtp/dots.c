// SPDX-License-Identifier: BSD-2-Clause
/* dots.c - A state machine for line ends and dots; runs of ordinary lines are copied at once, and
 * looked through a vector at a time.
 *
 * States while receiving, after these bytes:  START: CRLF  ->  DOT: CRLF .  ->  DOT_CR: CRLF . CR
 * ->  (LF) end of data
 */
#include "dots.h"

#include "vector.h"

void dots_start(struct dots_in *d)
{
    /* the CRLF of the DATA command counts (RFC 5321 section 4.1.1.4) */
    *d = (struct dots_in){.state = DOTS_START, .line = 1};
}

/* Is this a line end with more text right behind it? Then nothing is to be decided there: the line
 * that follows has no dot in front and is not empty. */
static bool goes_on(struct span s, size_t at)
{
    if (s.len - at < 3 || s.ptr[at] != '\r' || s.ptr[at + 1] != '\n')
        return false;
    char next = s.ptr[at + 2];
    return next != '.' && next != '\r' && next != '\n' && next != '\0';
}

static void note_long(struct dots_in *d)
{
    uint64_t *line = d->in_body ? &d->long_body.line : &d->long_header.line;
    uint64_t *octets = d->in_body ? &d->long_body.octets : &d->long_header.octets;
    if (*line != 0 && *line != d->line)
        return;
    *line = d->line;
    *octets = d->column;
}

static void end_line(struct dots_in *d)
{
    d->in_body = d->in_body || d->column == 0;
    d->column = 0;
    d->line++;
}

/* The first `taken` bytes of a vector were, with line ends where `lf` says and text at the end. */
static void count_lines(struct dots_in *d, vector lf, size_t taken)
{
    if (!vector_any(lf)) {
        d->column += taken;
        return;
    }
    d->line += vector_count(lf);
    d->column = taken - 1 - vector_last(lf);
}

/* How many bytes from `from` on hold only text and line ends with more text right behind them, and
 * end with text, looked at in whole vectors. There is a byte before them. `d`: NULL when nobody
 * counts. */
static size_t plain_vectors(struct dots_in *d, struct span s, size_t from)
{
    static const vector all_but_last = {
        VECTOR_EIGHT(0xff), 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0};
    size_t at = from;
    vector all = {0};
    while (at + sizeof(vector) <= s.len) {
        vector these = vector_at(s.ptr + at);
        vector before = vector_at(s.ptr + at - 1);
        vector lf = (vector)(these == VECTOR_OF('\n'));
        vector alone = lf ^ (vector)(before == VECTOR_OF('\r'));
        vector dot_or_cr = (vector)(these == VECTOR_OF('.')) | (vector)(these == VECTOR_OF('\r'));
        vector at_start = dot_or_cr & (vector)(before == VECTOR_OF('\n'));
        if (vector_any(alone | at_start | (vector)(these == VECTOR_OF('\0'))) ||
            (d && d->column + sizeof(vector) > DOTS_LINE_MAX))
            break;
        /* A line end at its end stays for the next one, which sees what follows. */
        char last = s.ptr[at + sizeof(vector) - 1];
        size_t taken = sizeof(vector) - (last == '\n' ? 2 : last == '\r' ? 1 : 0);
        all |= these;
        if (d)
            count_lines(d, lf & all_but_last, taken);
        at += taken;
    }
    if (d)
        d->has_8bit = d->has_8bit || vector_any(all & VECTOR_OF(0x80));
    return at - from;
}

/* Length of the run at the front that needs no decision: whole lines of text. */
static size_t plain_run(struct dots_in *d, struct span s)
{
    size_t i = 0;
    for (;;) {
        size_t run = span_text_run(span_from(s, i), &d->has_8bit);
        i += run;
        d->column += run;
        if (d->column > DOTS_LINE_MAX)
            note_long(d);
        if (!goes_on(s, i))
            return i;
        i += 2;
        end_line(d);
        i += plain_vectors(d, s, i);
    }
}

static void put(struct buf *body, const char *bytes, size_t len)
{
    if (body)
        buf_add(body, (struct span){bytes, len});
}

/* One byte that is no plain text, or that stands where a line begins. Returns true at the end of
 * data. */
static bool take_byte(struct dots_in *d, char c, struct buf *body)
{
    switch (d->state) {
    case DOTS_START:
        if (c == '.') {
            d->state = DOTS_DOT;
            return false;
        }
        break;
    case DOTS_DOT:
        if (c == '\r') {
            d->state = DOTS_DOT_CR;
            return false;
        }
        break;
    case DOTS_DOT_CR:
        if (c == '\n')
            return true;
        d->bare_line_end = true;
        put(body, "\r", 1);
        d->state = DOTS_CR;
        break;
    case DOTS_TEXT:
    case DOTS_CR:
        break;
    }
    bool after_cr = d->state == DOTS_CR;
    d->bare_line_end = d->bare_line_end || (after_cr && c != '\n') || (!after_cr && c == '\n');
    d->has_nul = d->has_nul || c == '\0';
    put(body, &c, 1);
    d->state = c == '\r' ? DOTS_CR : after_cr && c == '\n' ? DOTS_START : DOTS_TEXT;
    if (d->state == DOTS_START)
        end_line(d);
    return false;
}

size_t dots_take(struct dots_in *d, struct span wire, struct buf *body, size_t room, bool *ended_r)
{
    size_t used = 0;
    *ended_r = false;
    while (used < wire.len && room >= 2 &&
           !*ended_r) { /* a byte may bring a held-back CR with it */
        if (d->state == DOTS_TEXT) {
            size_t run = plain_run(d, span_first(span_from(wire, used), room - 1));
            put(body, wire.ptr + used, run);
            used += run;
            room -= run;
            if (used == wire.len || room < 2)
                break;
        }
        unsigned char c = (unsigned char)wire.ptr[used];
        size_t before = body ? body->len : 0;
        d->has_8bit = d->has_8bit || c >= 0x80;
        d->column += c != '\r' && c != '\n' && d->state != DOTS_TEXT &&
                     !(d->state == DOTS_START && c == '.');
        *ended_r = take_byte(d, wire.ptr[used++], body);
        room -= body ? body->len - before : 0;
    }
    return used;
}

bool dots_put(struct dots_out *d, struct span body, struct buf *wire)
{
    size_t i = 0;
    bool has_8bit = false;
    if (!buf_reserve(wire, body.len)) /* at once: a buf that grows copies what it holds */
        return false;
    while (i < body.len) {
        size_t from = i;
        if (d->state == STUFF_START && body.ptr[i] == '.')
            buf_add_char(wire, '.');
        if (d->state == STUFF_CR) {
            if (body.ptr[i] != '\n')
                return false;
            i++;
            d->state = STUFF_START;
        } else {
            i += span_text_run(span_from(body, i), &has_8bit);
            while (goes_on(body, i)) {
                i += 2 + plain_vectors(NULL, body, i + 2);
                i += span_text_run(span_from(body, i), &has_8bit);
            }
            if (i > from)
                d->state = STUFF_TEXT;
            if (i < body.len && body.ptr[i] != '\r')
                return false;
            if (i < body.len) {
                d->state = STUFF_CR;
                i++;
            }
        }
        buf_add(wire, (struct span){body.ptr + from, i - from});
    }
    return !wire->overflow;
}

bool dots_end(struct dots_out *d, struct buf *wire)
{
    if (d->state == STUFF_CR)
        return false;
    if (d->state == STUFF_TEXT)
        buf_add(wire, SPAN("\r\n"));
    return buf_add(wire, SPAN(".\r\n"));
}
