// SPDX-License-Identifier: BSD-2-Clause
/* dots.h - Message bytes on the wire: the dots in and out (RFC 5321 section 4.5.2), and the end of
 * data.
 *
 * The end is CR LF . CR LF and nothing else. A bare CR, a bare LF or a NUL is never an end of
 * anything: it is noted, and the message is refused whole when its true end comes. So are lines
 * that are too long, those of the header apart: what to do about them differs.
 */
#ifndef DOTS_H
#define DOTS_H

#include "buf.h"

enum { DOTS_LINE_MAX = 998 };

struct dots_in {
    enum { DOTS_TEXT, DOTS_CR, DOTS_START, DOTS_DOT, DOTS_DOT_CR } state;
    size_t column; /* octets since the last CRLF */
    uint64_t line; /* being received, from 1 */
    struct {
        uint64_t line, octets; /* the first one over DOTS_LINE_MAX; 0: there is none */
    } long_header, long_body;
    bool in_body, bare_line_end, has_nul, has_8bit;
};

void dots_start(struct dots_in *d);

/* Take bytes off the wire, add the message's bytes to `body` (NULL: only look for the end). At most
 * `room` bytes are added. Returns how many were consumed; `ended_r` is set when the last one
 * consumed ended the message.
 */
size_t dots_take(struct dots_in *d, struct span wire, struct buf *body, size_t room, bool *ended_r);

struct dots_out {
    enum { STUFF_START, STUFF_TEXT, STUFF_CR } state;
};

/* Add message bytes for the wire, in any pieces. False when they hold a bare CR, a bare LF or a
 * NUL: then nothing more may be sent, and the connection must be closed before the end of data.
 */
MUST_CHECK bool dots_put(struct dots_out *d, struct span body, struct buf *wire);
/* Add the end of data. */
MUST_CHECK bool dots_end(struct dots_out *d, struct buf *wire);

#endif
