// SPDX-License-Identifier: BSD-2-Clause
/* return_line.h - The line in which readings wait, in turns by the address that they came from: who
 * brings many waits for its own. */
#ifndef RETURN_LINE_H
#define RETURN_LINE_H

#include "return_sessions.h"

struct return_waiting {
    struct return_waiting *next, *prev;
    char from[LOGIN_LIMIT_TEXT]; /* an address (IPv6: a /64) */
    uint64_t turn;
};

/* The last of those from `peer`; the caller keeps `w` until it is taken. */
void return_line_add(struct return_line *line, struct return_waiting *w, const char *peer);
/* The next one, which waits no more; NULL: none waits. */
struct return_waiting *return_line_take(struct return_line *line);

#endif
