// SPDX-License-Identifier: BSD-2-Clause
/* escape.h - Makes foreign text safe for terminals and log lines. */
#ifndef ESCAPE_H
#define ESCAPE_H

#include "buf.h"

enum { ESCAPE_MAX = 16 };
enum escape_form {
    ESCAPE_TEXT, /* \x1b for control bytes and broken UTF-8, \u202e for characters */
    ESCAPE_JSON  /* \u001b, for what a JSON printer has made; broken UTF-8 does not stand there */
};

/* Take one character off the front of `text` and write it, ended by a zero, or its escape: for
 * control characters, line separators, what changes the direction of text, and what nobody
 * sees. The length. */
size_t escape_next(struct span *text, enum escape_form form, char text_r[ESCAPE_MAX]);

/* All of it. */
void escape(struct span text, enum escape_form form, struct buf *out);

/* How many columns of a terminal an escaped text takes. */
size_t escape_width(struct span text);

#endif
