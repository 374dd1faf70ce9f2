// SPDX-License-Identifier: BSD-2-Clause
/* answer.c - A hostile server may say anything: everything kept here is bounded. */
#include "answer.h"

#include <stdio.h>
#include <string.h>

enum { LINE_MAX_OCTETS = 4096, LINES_MAX = 200, BYTES_MAX = 64 * 1024, TEXT_MAX = 4096 };

void answer_init(struct answer *a)
{
    *a = (struct answer){0};
    buf_init(&a->text, TEXT_MAX);
}

void answer_fini(struct answer *a)
{
    buf_fini(&a->text);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "250-text", "250 text" or "250". */
static bool read_code(struct span line, int *code_r, bool *last_r)
{
    if (line.len < 3 || line.ptr[0] < '2' || line.ptr[0] > '5' || !is_digit(line.ptr[1]) ||
        !is_digit(line.ptr[2]))
        return false;
    *code_r = (line.ptr[0] - '0') * 100 + (line.ptr[1] - '0') * 10 + (line.ptr[2] - '0');
    *last_r = line.len == 3 || line.ptr[3] == ' ';
    return *last_r || line.ptr[3] == '-';
}

enum answer_state answer_take(struct answer *a, struct buf *in)
{
    for (;;) {
        struct span rest = buf_span(in);
        size_t end = span_search(rest, SPAN("\r\n"));
        if (end == rest.len)
            return rest.len > LINE_MAX_OCTETS ? ANSWER_BROKEN : ANSWER_MORE;
        struct span line = span_first(rest, end);
        int code = 0;
        bool last = false;
        bool fits =
            line.len <= LINE_MAX_OCTETS && a->lines < LINES_MAX && a->bytes + line.len <= BYTES_MAX;
        if (!fits || span_find(line, '\n') < line.len || !read_code(line, &code, &last))
            return ANSWER_BROKEN;
        if (a->lines == 0)
            buf_clear(&a->text);
        else if (code != a->code)
            return ANSWER_BROKEN;
        if (a->lines > 0)
            buf_add_char(&a->text, '\n');
        buf_add(&a->text, span_from(line, 4));
        a->code = code;
        a->lines++;
        a->bytes += line.len;
        buf_drop(in, end + 2);
        if (last) {
            a->lines = a->bytes = 0;
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

struct verdict answer_verdict(const struct answer *a)
{
    struct span text = buf_span(&a->text);
    char enhanced[12] = "";
    char line[400];
    size_t skip = enhanced_length(text, a->code);
    size_t used = 0;
    if (skip > 0 && !span_copy(span_first(text, skip), enhanced, sizeof(enhanced)))
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
    return verdict_make(a->code, enhanced, "%s", line);
}
