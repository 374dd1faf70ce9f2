// SPDX-License-Identifier: BSD-2-Clause
/* template.h - Templates: text with words that are replaced, as in policy/records/formats and
 * policy/unsubscribe/page, which the build embeds.
 *
 * A line that begins with "@" is an instruction for the lines up to its "@end":
 *     @each LIST             once for each item of the list
 *     @if WORD               if the word has a value; @unless: if it has none
 *     @if WORD TEXT...       if its value is one of the texts; @unless: if it is none of them
 *     @if any LIST...        if one of these lists has an item; @if none LIST...
 *     @elif ..., @else       otherwise
 *     @ TEXT                 a comment
 * Other lines are printed, with their words replaced.
 */
#ifndef TEMPLATE_H
#define TEMPLATE_H

#include "buf.h"

typedef void template_visit(const void *view, void *context);

/* Which words there are. An unknown one ends the program: the tests print all templates. */
struct template
{
    char open, close;    /* around a word */
    const char *newline; /* NULL: "\n" */
    /* Append the word's value, escaped as its place demands. */
    void (*insert)(const void *view, struct span word, struct buf *out);
    /* Append the text between words; NULL: as it is. */
    void (*plain)(struct buf * out, struct span text);
    /* Call `visit` for each of a list, with a view of that one; NULL: there are no lists. */
    void (*each)(const void *view, struct span list, template_visit *visit, void *context);
};

/* Append `text` with its words replaced; "@" has no meaning. */
void template_fill(const struct template *t, const void *view, struct span text, struct buf *out);
/* The same, with instructions. */
void template_print(const struct template *t, const void *view, struct span text, struct buf *out);

#endif
