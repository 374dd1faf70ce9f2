// SPDX-License-Identifier: BSD-2-Clause
/* encoded_word.h - Writes a header field word by word, and words that are not ASCII as encoded
 * words (RFC 2047).
 *
 * Blanks between two encoded words are encoded with them, because readers ignore blanks there; the
 * same applies between an encoded word and a word that arrived encoded.
 */
#ifndef ENCODED_WORD_H
#define ENCODED_WORD_H

#include "buf.h"

enum { ENCODED_WORD_MAX = 75, ENCODED_WORD_LINE_MAX = 76 };

struct encoded_writer {
    struct buf *out;
    size_t column;
    struct span space; /* before the run */
    struct buf run;    /* words that wait to be encoded together */
    bool after_word;   /* the last word written came encoded */
    bool changed;      /* a run has been written: what follows may be too long for its line */
};

/* `limit`: octets that words in a row can have. */
void encoded_begin(struct encoded_writer *w, struct buf *out, size_t limit);
/* Write what waits, and free. */
void encoded_end(struct encoded_writer *w);

/* As it is. */
void encoded_put(struct encoded_writer *w, struct span bytes);
/* As it is but for octets that are not ASCII: they are written by percent. Where that makes a line
 * too long it is folded at blanks, a link (RFC 2369, 2557) anywhere. */
void encoded_octets(struct encoded_writer *w, struct span s, bool link);
/* A word with the blanks and folds before it; `text` is what it says, without quotes. It is encoded
 * if it is not ASCII. */
void encoded_word(struct encoded_writer *w, struct span space, struct span word, struct span text);
/* What is no word: a special character, an address, a comment. A blank is put between an encoded
 * word and a special that stands right behind it. */
void encoded_special(struct encoded_writer *w, struct span space, struct span bytes);

/* Words between blanks. */
void encoded_text(struct encoded_writer *w, struct span text);
/* A comment with its parentheses. */
void encoded_comment(struct encoded_writer *w, struct span space, struct span comment);

/* Blanks and folds at the front. */
struct span encoded_take_space(struct span *s);

#endif
