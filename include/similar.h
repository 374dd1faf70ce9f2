// SPDX-License-Identifier: BSD-2-Clause
/* similar.h - Suggests the most similar of some words ("did you mean …?"). */
#ifndef SIMILAR_H
#define SIMILAR_H

#include "span.h"

struct similar {
    struct span word;
    char best[64]; /* "" none is near */
    unsigned distance;
};

/* What was written; borrowed until the end. */
void similar_init(struct similar *s, const char *word);
/* Letters left out, put in, changed or swapped: one for each three of the candidate, and one. */
void similar_try(struct similar *s, struct span candidate);
/* `; did you mean "size"?`, or "" */
void similar_text(const struct similar *s, char *text_r, unsigned size);

#endif
