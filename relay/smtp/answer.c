// SPDX-License-Identifier: BSD-2-Clause
/* answer.c - Parses replies. The size of everything that is kept is bounded, because a server may
 * be hostile.
 *
 * Deviations of real servers are handled as Postfix does: a line may end with LF alone, a line
 * without a code is ignored, and if codes differ within a reply the last one counts.
 */
#include "answer.h"

#include <stdio.h>
#include <string.h>

/* The text of the longest reply fits: whoever reads it, for what EHLO offers, reads all of it. */
enum { LINES_MAX = 200, BYTES_MAX = 64 * 1024, TEXT_MAX = BYTES_MAX + LINES_MAX };

void answer_init(struct answer *a)
{
    *a = (struct answer){0};
    buf_init_peer(&a->text, TEXT_MAX);
}

void answer_fini(struct answer *a)
{
    buf_fini(&a->text);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

enum line { LINE_WITHOUT_CODE, LINE_GOES_ON, LINE_LAST, LINE_FOREIGN };

/* "250-text", "250 text", "250<TAB>text" or "250". */
static enum line read_code(struct span line, int *code_r)
{
    if (line.len < 3 || !is_digit(line.ptr[0]) || !is_digit(line.ptr[1]) || !is_digit(line.ptr[2]))
        return LINE_WITHOUT_CODE;
    bool last = line.len == 3 || line.ptr[3] == ' ' || line.ptr[3] == '\t';
    if (!last && line.ptr[3] != '-')
        return LINE_WITHOUT_CODE;
    if (line.ptr[0] < '2' || line.ptr[0] > '5')
        return LINE_FOREIGN;
    *code_r = (line.ptr[0] - '0') * 100 + (line.ptr[1] - '0') * 10 + (line.ptr[2] - '0');
    return last ? LINE_LAST : LINE_GOES_ON;
}

static bool add_text(struct answer *a, struct span text)
{
    if (a->coded == 0)
        buf_clear(&a->text);
    else
        buf_add_char(&a->text, '\n');
    a->coded++;
    return buf_add(&a->text, text) && !a->text.overflow;
}

enum answer_state answer_take(struct answer *a, struct buf *in)
{
    for (;;) {
        struct span rest = buf_span(in);
        size_t end = span_find(rest, '\n');
        if (a->lines >= LINES_MAX || a->bytes + end > BYTES_MAX)
            return ANSWER_BROKEN;
        if (end == rest.len)
            return ANSWER_MORE;
        struct span line = span_first(rest, end);
        while (line.len > 0 && line.ptr[line.len - 1] == '\r')
            line.len--;
        enum line what = read_code(line, &a->code);
        if (what == LINE_FOREIGN)
            return ANSWER_BROKEN;
        if (what == LINE_WITHOUT_CODE)
            a->skipped++;
        else if (!add_text(a, span_from(line, 4)))
            return ANSWER_BROKEN;
        a->lines++;
        a->bytes += end;
        buf_drop(in, end + 1);
        if (what == LINE_LAST) {
            a->lines = a->bytes = a->coded = a->skipped = 0;
            return ANSWER_COMPLETE;
        }
    }
}

/* "5.7.1 text": class, subject, detail (RFC 3463 section 2); the class must be the code's. */
static size_t enhanced_length(struct span text, int code)
{
    size_t i = 1;
    if (text.len < 5 || text.ptr[0] - '0' != code / 100 || text.ptr[1] != '.')
        return 0;
    for (int part = 0; part < 2; part++) {
        size_t digits = 0;
        for (i++; i < text.len && is_digit(text.ptr[i]); i++)
            digits++;
        if (digits == 0 || digits > 3 || (part == 0 && (i >= text.len || text.ptr[i] != '.')))
            return 0;
    }
    return i == text.len || text.ptr[i] == ' ' || text.ptr[i] == '\n' ? i : 0;
}

/* The last of the lines. */
static struct span last_line(struct span text)
{
    struct span line = span_take(&text, '\n');
    while (text.len > 0)
        line = span_take(&text, '\n');
    return line;
}

struct verdict answer_verdict(const struct answer *a)
{
    struct span text = buf_span(&a->text);
    char enhanced[12] = "";
    char line[400];
    size_t skip = enhanced_length(text, a->code);
    size_t used = 0;
    struct span last = last_line(text);
    struct span mark_found =
        skip > 0 ? span_first(text, skip) : span_first(last, enhanced_length(last, a->code));
    if (!span_copy(mark_found, enhanced, sizeof(enhanced)))
        enhanced[0] = '\0';
    struct span shown = span_trim(span_from(text, skip));
    while (shown.len > 0 && used < sizeof(line) - 2) {
        struct span next = span_take(&shown, '\n');
        struct span mark = span_of(enhanced);
        if (used > 0 && mark.len > 0 && next.len > mark.len &&
            span_equal(span_first(next, mark.len), mark))
            next = span_from(
                next, mark.len + 1); /* every line repeats the enhanced code: once is enough */
        next = span_first(next, sizeof(line) - 2 - used);
        if (used > 0)
            line[used++] = ' ';
        for (size_t i = 0; i < next.len && used < sizeof(line) - 1; i++)
            line[used++] = next.ptr[i] ? next.ptr[i] : '?';
    }
    line[used] = '\0';
    struct verdict v = verdict_make(a->code, enhanced, "%s", line);
    v.heard = true;
    return v;
}
