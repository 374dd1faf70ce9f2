// SPDX-License-Identifier: BSD-2-Clause
/* retry.h - A reply and the tries so far become: done, later (and when), or never. */
#ifndef RETRY_H
#define RETRY_H

#include "err.h"
#include "stream.h"

#include <stdint.h>

enum retry_what { RETRY_DONE, RETRY_LATER, RETRY_NEVER };

struct retry_input {
    struct verdict answer;       /* the remote server's, or ours in its place */
    const struct stream *stream; /* NULL: none, or none any more */
    enum stream_class class;
    unsigned tries;     /* before this one */
    bool not_attempted; /* our own network, key or store was at fault: the attempt does not count,
                           and never expires */
    int64_t now_ms;
    int64_t expires_ms;
    int64_t not_before_ms; /* the destination rests until then; 0 when it does not */
    uint32_t random;       /* for the jitter */
};

struct retry_decision {
    enum retry_what what;
    bool expired;   /* with RETRY_NEVER: time ran out, no server said never */
    unsigned tries; /* to be stored */
    int64_t due_ms; /* with RETRY_LATER */
};

/* A 5xx is never retried; a 4xx is, by the class's schedule with jitter of a tenth either way,
 * until it expires. The last attempt is made at the expiry itself. (RFC 5321 section 4.5.4.1)
 */
struct retry_decision retry_decide(const struct retry_input *in);

#endif
