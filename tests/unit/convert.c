// SPDX-License-Identifier: BSD-2-Clause
/* convert.c - Convert messages from standard input for a hop that takes ASCII only, in pieces of a given size.
 *
 * Each message comes as three numbers (length of the header, of the body, of a piece) in a line, then its bytes. What
 * becomes of it is said as a word, a length and bytes: "converted" or "same" and the message, "refused" and why.
 */
#include "downgrade.h"
#include "sevenbit.h"

#include <stdio.h>
#include <stdlib.h>

enum { MOST = 256 * 1024 * 1024 };

static void answer(const char *word, struct span bytes)
{
    printf("%s %zu\n", word, bytes.len);
    fwrite(bytes.ptr, 1, bytes.len, stdout);
    fflush(stdout);
}

static void convert(struct span header, struct span body, size_t piece)
{
    struct buf ascii;
    struct buf out;
    struct field f;
    bool sound = true;
    buf_init(&ascii, MOST);
    buf_init(&out, MOST);
    while (sound && message_next_field(&header, &f))
        sound = downgrade_field(&f, &ascii);
    struct sevenbit *c = sevenbit_new(buf_span(&ascii), true);
    for (size_t at = 0; at < body.len; at += piece)
        sevenbit_read(c, span_first(span_from(body, at), piece));
    sevenbit_read_end(c);
    for (size_t round = 0; round < 2 && !sevenbit_obstacle(c); round++) { /* it can be written again */
        buf_clear(&out);
        sevenbit_write_header(c, &out);
        buf_add(&out, SPAN("\r\n"));
        for (size_t at = 0; at < body.len; at += piece)
            sevenbit_write(c, span_first(span_from(body, at), piece), &out);
        sevenbit_write_end(c, &out);
    }
    if (!sound)
        answer("refused", SPAN("local part"));
    else if (sevenbit_obstacle(c))
        answer("refused", span_of(sevenbit_obstacle(c)));
    else
        answer(sevenbit_needed(c) ? "converted" : "same", buf_span(&out));
    sevenbit_free(c);
    buf_fini(&ascii);
    buf_fini(&out);
}

int main(void)
{
    size_t lengths[3];
    while (scanf("%zu %zu %zu", &lengths[0], &lengths[1], &lengths[2]) == 3 && getchar() == '\n') {
        struct buf message;
        size_t len = lengths[0] + lengths[1];
        buf_init(&message, len);
        char *to = buf_reserve(&message, len);
        CHECK(to && fread(to, 1, len, stdin) == len);
        buf_commit(&message, len);
        convert(span_first(buf_span(&message), lengths[0]), span_from(buf_span(&message), lengths[0]), lengths[2]);
        buf_fini(&message);
    }
    return 0;
}
