// SPDX-License-Identifier: BSD-2-Clause
/* returns_lines.h - A text that people read, line by line: what in it looks like an address, a
 * reply, a heading. */
#ifndef RETURNS_LINES_H
#define RETURNS_LINES_H

#include "buf.h"

enum { RETURNS_LINES_MAX = 500 };

struct returns_lines {
    struct span list[RETURNS_LINES_MAX]; /* without their ends, borrowed */
    size_t count;
    struct span rest; /* the message that came back, where the text holds it */
};

/* The lines of a text up to where a message begins that came back. */
void returns_lines_read(struct span text, struct returns_lines *lines_r);

/* The first address in a line; false when there is none. */
bool returns_lines_address(struct span line, struct span *address_r);
/* The reply of a server that a line holds, from its code on; false when there is none. */
bool returns_lines_reply(struct span line, struct span *reply_r);
/* "550" or "5.1.1" at the front: its length, 0 when there is none. */
size_t returns_lines_code(struct span text);
/* Does a line only part others, or is it blank? */
bool returns_lines_is_rule(struct span line);

#endif
