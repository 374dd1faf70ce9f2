// SPDX-License-Identifier: BSD-2-Clause
/* similar.c - Nearest word by Damerau-Levenshtein distance (optimal string alignment). */
#include "similar.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { WORD_MAX = 63 };

void similar_init(struct similar *s, const char *word)
{
    *s = (struct similar){.word = span_of(word)};
}

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

static bool same(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

static unsigned distance(struct span a, struct span b)
{
    unsigned rows[3][WORD_MAX + 1]; /* the one before last, the last, this one */
    for (unsigned j = 0; j <= b.len; j++)
        rows[1][j] = j;
    for (unsigned i = 1; i <= a.len; i++) {
        rows[2][0] = i;
        for (unsigned j = 1; j <= b.len; j++) {
            unsigned change = rows[1][j - 1] + (same(a.ptr[i - 1], b.ptr[j - 1]) ? 0 : 1);
            rows[2][j] = least(change, least(rows[1][j], rows[2][j - 1]) + 1);
            if (i > 1 && j > 1 && same(a.ptr[i - 1], b.ptr[j - 2]) &&
                same(a.ptr[i - 2], b.ptr[j - 1]))
                rows[2][j] = least(rows[2][j], rows[0][j - 2] + 1);
        }
        memcpy(rows[0], rows[1], sizeof(rows[0]));
        memcpy(rows[1], rows[2], sizeof(rows[1]));
    }
    return rows[1][b.len];
}

void similar_try(struct similar *s, struct span candidate)
{
    if (s->word.len == 0 || s->word.len > WORD_MAX || candidate.len > WORD_MAX)
        return;
    unsigned d = distance(s->word, candidate);
    unsigned most = (unsigned)candidate.len / 3 + 1;
    if (d > most || d >= candidate.len || (s->best[0] && d >= s->distance))
        return;
    s->distance = d;
    (void)!span_copy(candidate, s->best, sizeof(s->best));
}

void similar_text(const struct similar *s, char *text_r, unsigned size)
{
    text_r[0] = '\0';
    if (s->best[0])
        snprintf(text_r, size, "; did you mean \"%s\"?", s->best);
}
