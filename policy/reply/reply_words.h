// SPDX-License-Identifier: BSD-2-Clause
/* reply_words.h - The words of a reply, as rules see them.
 *
 * Words are in lower case. What somebody else could have chosen is a mark in place of it, so that
 * no word inside of it counts: "@" for an address and whatever stands between "<" and ">", "." for
 * the name of a host, "#" for an IP address, "/" for a URL or a path, "=" for "key=value". Reply
 * codes, enhanced codes and other numbers are left out. A code of letters and digits, as "OFR_417",
 * is one word, which only the same code matches. Octets past ASCII are "?", several in sequence
 * one.
 */
#ifndef REPLY_WORDS_H
#define REPLY_WORDS_H

#include "span.h"

enum { REPLY_WORDS_MAX = 220, REPLY_WORDS_BYTES = 1000 };

struct reply_words {
    char bytes[REPLY_WORDS_BYTES + REPLY_WORDS_MAX];
    size_t used;
    struct span list[REPLY_WORDS_MAX]; /* into `bytes` */
    size_t count;
    uint64_t begins[4]; /* a bit for how each one begins */
    char enhanced[12];  /* the first one in the text; empty: none */
};

/* Of the text's first REPLY_WORDS_BYTES octets. */
void reply_words_read(struct reply_words *w, struct span text);

/* Does a pattern of rules.txt fit? Its parts, with a blank between them: a word; "word*", which
 * begins so; "*n't", which ends so; "one|other"; "..", up to four words of any kind; "^" the
 * beginning, "$" the end. It takes at most as many steps as the reply has words, times 5 for each
 * "..". */
bool reply_words_fit(const struct reply_words *w, struct span pattern);

#endif
